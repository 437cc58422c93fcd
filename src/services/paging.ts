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

/** The id that a cursor stands for. It only says where to go on: what may be seen is the fence's to say. */
export function readCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const hex = /^[\w-]{22}$/.test(cursor)
    ? Array.from(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")), (c) =>
        c.charCodeAt(0).toString(16).padStart(2, "0"),
      ).join("")
    : "";
  if (hex.length !== 32) {
    throw new AppError("invalid_request", {
      errors: [{ path: "query.cursor", message: "is not a cursor of this list" }],
    });
  }
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** @param rows one more than the limit asks for when there is a next page. */
export function toPage<T>(rows: T[], limit: number, idOf: (row: T) => string): Page<T> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last ? writeCursor(idOf(last)) : null };
}

function writeCursor(id: string): string {
  const bytes =
    id
      .replaceAll("-", "")
      .match(/../g)
      ?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
