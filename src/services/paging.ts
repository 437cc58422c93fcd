import { AppError } from "../errors.ts";

export interface PageInput {
  /** 1 to 100. */
  limit: number;
  cursor?: string | undefined;
}

export interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

/** Where a list goes on: after `id`, and in a list by a term of its rows, after both. */
export interface Position {
  id: string;
  /** In hexadecimal. */
  term: string;
}

/** The id that a cursor stands for. It only says where to go on: what may be seen is the fence's to say. */
export function readCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const { id, term } = readPosition(cursor);
  if (term !== "") throw notOfThisList();
  return id;
}

/** The same of a list by a term of its rows. */
export function readTermCursor(cursor: string | undefined): Position {
  if (cursor === undefined) return { id: "00000000-0000-0000-0000-000000000000", term: "" };
  const position = readPosition(cursor);
  if (position.term === "") throw notOfThisList();
  return position;
}

/** @param rows one more than the limit asks for when there is a next page. */
export function toPage<T>(rows: T[], limit: number, idOf: (row: T) => string): Page<T> {
  return toTermPage(rows, limit, (row) => ({ id: idOf(row), term: "" }));
}

/** The same of a list by a term of its rows. */
export function toTermPage<T>(rows: T[], limit: number, positionOf: (row: T) => Position): Page<T> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last ? writeCursor(positionOf(last)) : null };
}

const notOfThisList = () =>
  new AppError("invalid_request", { errors: [{ path: "query.cursor", message: "is not a cursor of this list" }] });

const hexBytes = (hex: string) => hex.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];

/** A cursor is base64url of an id's 16 bytes, and of the term's after it. */
function readPosition(cursor: string): Position {
  if (!/^[\w-]{22,}$/.test(cursor) || cursor.length % 4 === 1) throw notOfThisList();
  const hex = Array.from(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")), (c) =>
    c.charCodeAt(0).toString(16).padStart(2, "0"),
  ).join("");
  const id = hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return { id, term: hex.slice(32) };
}

function writeCursor({ id, term }: Position): string {
  return btoa(String.fromCharCode(...hexBytes(id.replaceAll("-", "")), ...hexBytes(term)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
