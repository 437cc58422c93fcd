-- How many rows of these tables the transaction has written so far, taken back or not.
create function pg_temp.rows_written(p_tables oid[]) returns bigint
language sql volatile as $$
  select sum(pg_stat_get_xact_tuples_inserted(t) + pg_stat_get_xact_tuples_updated(t) + pg_stat_get_xact_tuples_deleted(t))
    from unnest(p_tables) t
$$;

-- Runs each statement as app_user in a subtransaction of its own, which is undone, after the admission, which all of them
-- share where it succeeds. What was changed is looked at from outside the fence before that: p_prints gives a print of
-- every row that is not the actor's.
create function pg_temp.run_cells(p_admission text, p_statements text[], p_prints text, p_foreign text[])
returns table (outcome text, leak text)
language plpgsql as $$
declare
  v_statement text;
  v_row record;
  v_seen text;
  v_more text;
  v_count bigint;
  v_before text;
  v_tables oid[] := array(select c.oid from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r');
  v_written bigint;
  v_admission text := p_admission;
  v_looked_at text;
  v_hits text[] := '{}';
begin
  -- As a function, whose plan is made once and not for every statement.
  execute format('create or replace function pg_temp.prints() returns text language plpgsql as %L',
                 format('begin return (%s); end', p_prints));
  v_before := pg_temp.prints();
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
    begin
      v_written := pg_temp.rows_written(v_tables);
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
      if (pg_temp.rows_written(v_tables) <> v_written or v_statement ~* 'truncate')
         and pg_temp.prints() is distinct from v_before then
        leak := 'changes rows of others';
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
