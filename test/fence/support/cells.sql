-- How many rows of each of these tables the transaction has written so far, taken back or not.
create function pg_temp.rows_written(p_tables regclass[]) returns bigint[]
language sql volatile as $$
  select array_agg(pg_stat_get_xact_tuples_inserted(t) + pg_stat_get_xact_tuples_updated(t) + pg_stat_get_xact_tuples_deleted(t) order by n)
    from unnest(p_tables) with ordinality u (t, n)
$$;

-- Runs each statement as app_user in a subtransaction of its own, which is undone, after the admission, which all of them
-- share where it succeeds. p_prints has for each of p_tables a statement for one print of every row that is not the
-- actor's: of the tables that were written it is taken from outside the fence, and again when all is undone.
create function pg_temp.run_cells(p_admission text, p_statements text[], p_tables regclass[], p_prints text[], p_foreign text[])
returns table (outcome text, leak text)
language plpgsql as $$
declare
  v_statement text;
  v_row record;
  v_seen text;
  v_more text;
  v_count bigint;
  v_before text[] := '{}';
  v_after text[];
  v_print text;
  v_table integer;
  v_written bigint[];
  v_now bigint[];
  v_admission text := p_admission;
  v_looked_at text;
  v_hits text[] := '{}';
begin
  begin
    if p_admission is not null then
      perform set_config('role', 'app_user', true);
      execute p_admission;
      v_admission := null;
    end if;
  exception
    -- Then each of them is refused, with all that it says.
    when others then null;
  end;
  perform set_config('role', 'none', true);
  foreach v_statement in array p_statements loop
    leak := null;
    v_seen := '';
    v_after := '{}';
    begin
      v_written := pg_temp.rows_written(p_tables);
      perform set_config('role', 'app_user', true);
      if v_admission is not null then
        execute v_admission;
      end if;
      v_count := 0;
      if v_statement ~ '^(select|with)|\mreturning\M' then
        for v_row in execute v_statement loop
          v_count := v_count + 1;
          v_seen := v_seen || to_jsonb(v_row)::text;
        end loop;
        if v_statement ~ '^select count' then
          v_count := v_row.count;
        end if;
      else
        execute v_statement;
        get diagnostics v_count = row_count;
      end if;
      outcome := 'rows ' || v_count;
      perform set_config('role', 'none', true);
      v_now := pg_temp.rows_written(p_tables);
      if v_now <> v_written or v_statement ~* 'truncate' then
        for v_table in 1 .. cardinality(p_tables) loop
          if v_now[v_table] <> v_written[v_table] or v_statement ~* 'truncate' then
            execute p_prints[v_table] into v_print;
            v_after[v_table] := v_print;
          end if;
        end loop;
      end if;
      raise exception using errcode = 'UNDO1';
    exception
      when sqlstate 'UNDO1' then null;
      when others then
        get stacked diagnostics outcome = returned_sqlstate, v_seen = message_text, v_more = pg_exception_detail;
        v_seen := v_seen || v_more;
        if outcome = '42501' then
          outcome := outcome || case when v_seen ~ 'row-level security' then ' by policy' else ' by grant' end;
        end if;
    end;
    for v_table in 1 .. cardinality(p_tables) loop
      continue when v_after[v_table] is null;
      if v_before[v_table] is null then
        execute p_prints[v_table] into v_print;
        v_before[v_table] := v_print;
      end if;
      if v_after[v_table] <> v_before[v_table] then
        leak := 'changes rows of others';
      end if;
    end loop;
    if v_seen is distinct from v_looked_at then
      v_looked_at := v_seen;
      v_hits := array(select v from unnest(p_foreign) with ordinality f (v, n) where strpos(v_seen, v) > 0 order by n);
    end if;
    -- What the statement itself says is no news.
    leak := coalesce(leak, (select 'shows ' || v from unnest(v_hits) v where strpos(v_statement, v) = 0 limit 1));
    return next;
  end loop;
  -- Whoever is tried next is not whom this has let in.
  perform set_config('app.context', '', true), set_config('app.seal', '', true);
end
$$
