import { type SQL, sql } from "drizzle-orm";
import type { PlatformDatabase } from "../db/index.ts";
import { bodyOf, isoInstant } from "../db/json.ts";
import { type Page, type PageInput, readTermCursor, toTermPage } from "./paging.ts";

/** What the platform's administrators see of all that they can suspend. */
export interface Suspendable {
  id: string;
  name: string;
  createdAt: string;
  /** Null where it is not. */
  suspendedAt: string | null;
  /** Null of one that was suspended in the database itself. */
  suspensionReason: string | null;
}

/** Of what the addresses, or the slugs, begin with. */
export interface PlatformFilter {
  startingWith: string;
  /** Whether the suspended ones alone are asked for. */
  suspended: boolean;
}

/** How one kind of them is read: from rows under the alias `it`. */
export interface PlatformKind {
  /** Function of the list, and of one by its id. */
  list: SQL;
  one: SQL;
  /** By which the list is in order. */
  term: SQL;
  /** Members of its JSON beside those of `Suspendable`. */
  members: SQL;
}

const jsonOf = ({ members }: PlatformKind) => sql`json_build_object('id', it.id, 'name', it.name, ${members},
  'createdAt', ${isoInstant(sql`it.created_at`)}, 'suspendedAt', ${isoInstant(sql`it.suspended_at`)},
  'suspensionReason', it.suspension_reason)`;

/** The statement that reads one; AP404 for none. */
export const readOne = (kind: PlatformKind, id: string): SQL =>
  sql`select ${jsonOf(kind)} as body from ${kind.one}(${id}::uuid) it`;

/** @throws AppError `invalid_request` for a cursor of another list. */
export async function listPlatform<T extends Suspendable>(
  database: PlatformDatabase,
  kind: PlatformKind,
  { startingWith, suspended, limit, cursor }: PageInput & PlatformFilter,
): Promise<Page<T>> {
  // With the collation of the columns: convert_from answers with that of its encoding's name, which no index has.
  const after = sql`convert_from(decode(${readTermCursor(cursor).term}, 'hex'), 'UTF8') collate "default"`;
  const [result] = await database.run((queries) => [
    queries.execute<{ term: string; body: T }>(
      sql`select encode(convert_to(${kind.term}, 'UTF8'), 'hex') as term, ${jsonOf(kind)} as body
            from ${kind.list}(${startingWith}, ${suspended}::boolean, ${after}, ${limit + 1}::int) it`,
    ),
  ]);
  const { data, nextCursor } = toTermPage(result.rows, limit, ({ term, body }) => ({ term, id: body.id }));
  return { data: data.map(({ body }) => body), nextCursor };
}

/** One as it is after `change`. @throws AppError as that does; `not_found`. */
export async function changePlatform<T>(
  database: PlatformDatabase,
  kind: PlatformKind,
  id: string,
  change: SQL,
): Promise<T> {
  const [, changed] = await database.run((queries) => [
    queries.execute(change),
    queries.execute<{ body: T }>(readOne(kind, id)),
  ]);
  return bodyOf(changed);
}
