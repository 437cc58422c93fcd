import { createHash } from "node:crypto";
import type { Client } from "pg";

export interface Column {
  name: string;
  type: string;
  nullable: boolean;
  /** Written by Postgres itself, and by nobody else. */
  generated: boolean;
  /** Part of a primary or unique key. */
  key: boolean;
  /** What a foreign key of this column alone points at. */
  references: { relation: string; column: string } | null;
  /** As app_user may select it in a fence that nobody has tampered with. */
  readable: boolean;
}

export interface Relation {
  /** Quoted, with its schema. */
  name: string;
  kind: "r" | "p" | "v" | "m" | "f" | "S";
  columns: Column[];
}

/** Everything that holds rows, outside of Postgres's own schemas. */
export async function readRelations(client: Client): Promise<Relation[]> {
  const { rows } = await client.query<Relation>(`
    select format('%I.%I', n.nspname, c.relname) as name, c.relkind as kind, (
      select coalesce(json_agg(json_build_object(
               'name', a.attname,
               'type', format_type(a.atttypid, a.atttypmod),
               'nullable', not a.attnotnull,
               'generated', a.attgenerated <> '',
               'key', exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey)),
               'references', (select json_build_object('relation', format('%I.%I', rn.nspname, rc.relname), 'column', ra.attname)
                                from pg_constraint k join pg_class rc on rc.oid = k.confrelid
                                join pg_namespace rn on rn.oid = rc.relnamespace
                                join pg_attribute ra on ra.attrelid = rc.oid and ra.attnum = k.confkey[1]
                               where k.conrelid = c.oid and k.contype = 'f' and k.conkey = array[a.attnum] limit 1),
               'readable', has_column_privilege('app_user', c.oid, a.attnum, 'SELECT')
             ) order by a.attnum), '[]')
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
     order by 1`);
  return rows;
}

export const isTable = ({ kind }: Relation): boolean => kind === "r" || kind === "p";

/** Whose rows are meant: of these organizations and, where a table has none, of these people. */
export interface Owners {
  organizationIds: string[];
  userIds: string[];
}

/**
 * SQL for "this row is one of theirs". By the names that columns have everywhere; a table that has none
 * of them is nobody's, so that whatever is seen of it counts as a leak until this says otherwise.
 */
export function belongsTo(relation: Relation, { organizationIds, userIds }: Owners): string {
  const has = (column: string) => relation.columns.some(({ name }) => name === column);
  const among = (column: string, values: string[]) =>
    values.length > 0 ? `${column}::text in (${values.map((value) => `'${value}'`).join(", ")})` : "false";
  // A new name changes by what its person is found, wherever they are a member.
  if (relation.name === "public.member_terms")
    return `(${among("organization_id", organizationIds)} or ${among("user_id", userIds)})`;
  if (has("organization_id")) return among("organization_id", organizationIds);
  if (relation.name === "public.organizations") return among("id", organizationIds);
  if (has("user_id")) return among("user_id", userIds);
  if (relation.name === "public.users") return among("id", userIds);
  // Of idempotency keys, and of the attempts in people.ts.
  const scopes = userIds.flatMap((userId) => [
    `user:${userId}`,
    `\\x${createHash("sha256").update(userId).digest("hex")}`,
  ]);
  return has("scope") ? among("scope", scopes) : "false";
}
