import { decodeJwt } from "jose";
import { hashHandle } from "../../src/services/tokens.ts";

/** The arguments of `app.admit`. */
export interface Admission {
  /** SHA-256 of the session's handle, as bytea. */
  handle: string;
  organizationId: string | null;
  permission: string | null;
}

/** What the Worker sends the database for the session of an access token. */
export function readHandle(accessToken: string): Promise<string> {
  return hashHandle(String(decodeJwt(accessToken)["sid"]));
}

/** The first statement of an authenticated batch. */
export function admitStatement({ handle, organizationId, permission }: Admission): [string, unknown[]] {
  return [
    "select set_config('role', 'app_user', true), app.admit($1::bytea, $2::uuid, $3)",
    [handle, organizationId, permission],
  ];
}
