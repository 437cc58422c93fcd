import { DatabaseError } from "pg-protocol";

/** A failure with the status that Neon's proxy answers it with. */
export class SqlOverHttpError extends Error {
  readonly status: number;
  readonly database: DatabaseError | undefined;

  constructor(status: number, message: string, database?: DatabaseError) {
    super(message);
    this.status = status;
    this.database = database;
  }
}

/** The connection to Postgres failed, or what should be sent over it cannot be. */
export class ConnectionError extends Error {}

/** Postgres answered with something that the HTTP protocol cannot express. */
export class ResultError extends Error {}

export interface ErrorAnswer {
  status: number;
  body: Record<string, string | null>;
}

/** The status and the error object for whatever went wrong while connecting or running SQL. */
export function describeError(error: unknown): ErrorAnswer {
  if (error instanceof SqlOverHttpError) {
    return { status: error.status, body: errorBody(error.message, error.database) };
  }
  if (error instanceof DatabaseError) {
    return { status: 400, body: errorBody(error.message, error) };
  }
  if (error instanceof ConnectionError) return { status: 400, body: errorBody(error.message) };
  if (error instanceof ResultError) {
    return { status: 500, body: errorBody("could not parse postgres response") };
  }
  return { status: 500, body: errorBody(error instanceof Error ? error.message : String(error)) };
}

/**
 * What a failure to connect and authenticate means over HTTP. Neon checks the password itself, so
 * that a wrong one has its own wording and no SQLSTATE.
 */
export function describeConnectFailure(error: unknown, user: string): SqlOverHttpError {
  if (!(error instanceof DatabaseError)) {
    return new SqlOverHttpError(500, "Couldn't connect to compute node");
  }
  if (error.code === "28P01") {
    return new SqlOverHttpError(400, `password authentication failed for user '${user}'`);
  }
  return new SqlOverHttpError(error.code === "3D000" ? 400 : 500, error.message, error);
}

function errorBody(message: string, database?: DatabaseError): Record<string, string | null> {
  const position = database?.position ?? null;
  const isInternal = position === null && database?.internalPosition !== undefined;
  return {
    message,
    code: database?.code ?? "",
    detail: database?.detail ?? null,
    hint: database?.hint ?? null,
    position,
    internalPosition: isInternal ? (database?.internalPosition ?? null) : null,
    internalQuery: isInternal ? (database?.internalQuery ?? null) : null,
    severity: database?.severity ?? "",
    where: database?.where ?? null,
    table: database?.table ?? null,
    column: database?.column ?? null,
    schema: database?.schema ?? null,
    dataType: database?.dataType ?? null,
    constraint: database?.constraint ?? null,
    file: database?.file ?? null,
    line: database?.line ?? null,
    routine: database?.routine ?? null,
  };
}
