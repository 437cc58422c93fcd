import { decodeJwt } from "jose";
import { hashHandle } from "../../src/services/tokens.ts";

/** The arguments of `app.admit`. */
export interface Admission {
  /** SHA-256 of the session's handle, as bytea. */
  handle: string;
  organizationId: string | null;
  permission: string | null;
  verified?: boolean;
  fresh?: boolean;
  pending?: boolean;
}

/** What the Worker sends the database for the session of an access token. */
export function readHandle(accessToken: string): Promise<string> {
  return hashHandle(String(decodeJwt(accessToken)["sid"]));
}

/** The first statement of an authenticated batch. */
export function admitStatement({
  handle,
  organizationId,
  permission,
  verified = false,
  fresh = false,
  pending = false,
}: Admission): [string, unknown[]] {
  return [
    "select set_config('role', 'app_user', true), app.admit($1::bytea, $2::uuid, $3, $4::boolean, $5::boolean, $6::boolean)",
    [handle, organizationId, permission, verified, fresh, pending],
  ];
}
