import { escapeIdentifier, escapeLiteral, type Client } from "pg";

import { belongsTo, isTable, type Column, type Owners, type Relation } from "./catalog.ts";
import { foreignValuesOf, outsideOf, printsOf, type Cell, type Trial } from "./cells.ts";
import { id, organizations, type People } from "./people.ts";
import type { Actor, World } from "./world.ts";

type Row = Record<string, string | null>;

/** What each actor is tried with on each relation: no statement has a WHERE, as if a query had lost its own. */
export async function planRelationTrials(world: World, relations: Relation[]): Promise<Map<string, Trial>> {
  const trials = new Map<string, Trial>();
  for (const actor of world.actors) {
    const owners = ownersOf(actor);
    const outside = outsideOf(owners);
    const cells: Cell[] = [];
    for (const relation of relations) cells.push(...(await planRelation(world, actor, owners, relation)));
    trials.set(actor.name, {
      admission: actor.admission,
      cells,
      prints: printsOf(relations, outside),
      foreignValues: await foreignValuesOf(world.client, relations, outside),
    });
  }
  return trials;
}

function ownersOf({ organizationId, userId }: Actor): Owners {
  return { organizationIds: organizationId ? [organizationId] : [], userIds: userId ? [userId] : [] };
}

/** Somebody that the actor shares nothing with. */
function strangersTo(actor: Actor, people: People): Owners {
  const isOutsider = actor.askedBy === people["outsider"]?.id;
  const [organizationId, who] = isOutsider ? [organizations.theirs, "founder"] : [organizations.third, "outsider"];
  return { organizationIds: [organizationId], userIds: [people[who]?.id ?? ""] };
}

async function planRelation(world: World, actor: Actor, owners: Owners, relation: Relation): Promise<Cell[]> {
  const { client } = world;
  const { name, columns } = relation;
  const cells: Cell[] = [];
  const own = isTable(relation) ? await countRows(client, relation, belongsTo(relation, owners)) : null;
  const add = (operation: string, statement: string, mostRows = own, column?: Column) =>
    cells.push({ object: name, operation, detail: column?.name ?? null, statement, mostRows });

  for (const column of columns) {
    add("select", `select ${escapeIdentifier(column.name)} from ${name}`, own, column);
  }
  add("select *", `select * from ${name}`);
  add("select count(*)", `select count(*) from ${name}`);
  if (relation.kind === "S") return cells;
  add("select for update", `select 1 as one from ${name} for update`);
  add("lock table in access share mode", `lock table ${name} in access share mode`, null);
  add("lock table in access exclusive mode", `lock table ${name} in access exclusive mode`, null);
  add("truncate", `truncate ${name} cascade`, 0);

  const readable = columns.filter((column) => column.readable).map((column) => escapeIdentifier(column.name));
  const returning = readable.join(", ") || "*";
  add("delete", `delete from ${name}`);
  add("delete returning", `delete from ${name} returning ${returning}`);
  add("merge delete", `merge into ${name} using (select 1) s on true when matched then delete`);

  add("insert default values", `insert into ${name} default values`, null);
  // A table without columns, which is there to be locked.
  if (columns.length === 0) return cells;
  const strangers = strangersTo(actor, world.people);
  const foreign = await findRow(client, relation, belongsTo(relation, strangers));
  const theirs = await findValues(client, relation, belongsTo(relation, strangers));
  const mine = await findRow(client, relation, belongsTo(relation, owners));
  const written = columns.filter(({ generated }) => !generated);
  for (const column of written) {
    const target = escapeIdentifier(column.name);
    const set = (operation: string, value: string) =>
      add(`update to ${operation}`, `update ${name} set ${target} = ${value}`, own, column);
    set("itself", target);
    set("theirs", literal(theirs[column.name], column));
    if (column.nullable) set("null", "null");
    if (column.key && !column.references)
      set("a new value", literal(freshValue(foreign[column.name], column, 1), column));
    if (column.key || column.references || column.readable) {
      add("update returning", `update ${name} set ${target} = ${target} returning ${returning}`, own, column);
      const merge = `merge into ${name} t using (select 1) s on true`;
      add("merge update", `${merge} when matched then update set ${target} = t.${target}`, own, column);
    }
  }

  const movable = written.filter((column) => !column.key || column.references);
  const moves = movable.map((column) => `${escapeIdentifier(column.name)} = ${literal(theirs[column.name], column)}`);
  add("update all but keys to theirs", `update ${name} set ${moves.join(", ")}`);

  const list = written.map((column) => escapeIdentifier(column.name)).join(", ");
  const insert = (row: Row) =>
    `(${list}) values (${written.map((column) => literal(row[column.name], column)).join(", ")})`;
  const keys = columns.filter((column) => column.key);
  const ownRow = await makeNewRow(client, relation, mine, actor);
  const foreignRow = await makeNewRow(client, relation, foreign, actor);
  add("insert own", `insert into ${name} ${insert(ownRow)}`, null);
  add("insert theirs", `insert into ${name} ${insert(foreignRow)}`, 0);
  for (const column of written) {
    const value = literal(ownRow[column.name], column);
    add("insert", `insert into ${name} (${escapeIdentifier(column.name)}) values (${value})`, null, column);
  }
  add(
    "merge insert theirs",
    `merge into ${name} using (select 1) s on false when not matched then insert ${insert(foreignRow)}`,
    0,
  );
  add("insert on conflict do nothing", `insert into ${name} ${insert(foreign)} on conflict do nothing`, 0);
  if (keys.length > 0) {
    const primary = await primaryKey(client, relation);
    const target = escapeIdentifier((keys.find(({ references }) => !references) ?? keys[0])?.name ?? "");
    add(
      "insert on conflict do update",
      `insert into ${name} ${insert(foreign)} on conflict (${primary}) do update set ${target} = excluded.${target}`,
      0,
    );
  }
  return cells;
}

async function countRows(client: Client, relation: Relation, condition: string): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    `select count(*)::int as n from ${relation.name} where ${condition}`,
  );
  return rows[0]?.n ?? 0;
}

/**
 * A whole row as it stands: the first of those meant, or any where none is. A table of the product
 * without rows of the tenants would make every statement on it look harmless.
 */
async function findRow(client: Client, relation: Relation, condition: string): Promise<Row> {
  const { rows } = await client.query<{ row: Row; is_meant: boolean }>(
    `select (select jsonb_object_agg(e.key, e.value) from jsonb_each_text(to_jsonb(t)) e) as row, (${condition}) is true as is_meant
       from ${relation.name} t order by 2 desc, 1 limit 1`,
  );
  const found = rows[0];
  if (!found && isTable(relation) && relation.columns.length > 0) {
    throw new Error(`The fixture has no row in ${relation.name}: add one for each organization or person to people.ts`);
  }
  return found?.row ?? {};
}

/** For each column a value that some row of those meant has; null only where all of them have none. */
async function findValues(client: Client, { name, columns }: Relation, condition: string): Promise<Row> {
  const values = columns.map((column) => `${escapeLiteral(column.name)}, max(${escapeIdentifier(column.name)}::text)`);
  const { rows } = await client.query<{ row: Row }>(
    `select json_build_object(${values.join(", ")}) as row from ${name} where ${condition}`,
  );
  return rows[0]?.row ?? {};
}

/** A copy with other keys, so that nothing but the fence stands in its way. */
async function makeNewRow(client: Client, relation: Relation, row: Row, actor: Actor): Promise<Row> {
  const keys = relation.columns.filter((column) => column.key);
  const free = keys.filter(({ references }) => !references);
  if (free.length > 0) {
    const fresh = free.map((column) => [column.name, freshValue(row[column.name] ?? null, column, 2)] as const);
    return { ...row, ...Object.fromEntries(fresh) };
  }
  const last = keys.at(-1);
  if (!last?.references) return row;
  // Keys that all point elsewhere: whoever is not yet in, the actor first.
  const { relation: target, column } = last.references;
  const others = keys.slice(0, -1).map((key) => `x.${escapeIdentifier(key.name)} = ${literal(row[key.name], key)}`);
  const { rows } = await client.query<{ value: string }>(
    `select ${column}::text as value from ${target} t where not exists (
       select from ${relation.name} x where x.${escapeIdentifier(last.name)} = t.${column} and ${others.join(" and ") || "true"})
      order by (${column}::text = $1) is true desc, 1 desc limit 1`,
    [actor.askedBy],
  );
  return { ...row, [last.name]: rows[0]?.value ?? null };
}

async function primaryKey(client: Client, relation: Relation): Promise<string> {
  const { rows } = await client.query<{ columns: string }>(
    `select string_agg(quote_ident(a.attname), ', ') as columns from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
      where i.indrelid = $1::regclass and i.indisunique group by i.indexrelid, i.indisprimary order by i.indisprimary desc limit 1`,
    [relation.name],
  );
  return rows[0]?.columns ?? "";
}

function literal(value: string | null | undefined, { type }: Column): string {
  if (value === null || value === undefined) return "null";
  // As JSON writes an array, where the whole row was read.
  const text = value.startsWith("[") && type.endsWith("[]") ? `{${JSON.parse(value).join(",")}}` : value;
  return `${escapeLiteral(text)}::${type}`;
}

function freshValue(value: string | null | undefined, { type }: Column, n: number): string | null {
  if (value === null || value === undefined) return null;
  if (type === "uuid") return id(9000 + n);
  if (type === "bytea") return `\\x${String(n).repeat(64)}`;
  if (type === "text") return `${value}-${n}`;
  if (/int/.test(type)) return String(Number(value) + 100 + n);
  return value;
}
