import { id, organizations } from "./people.ts";
import { text, type Scene } from "./scene.ts";

/** The id of the invitation that `invite` makes, unless it is told another. */
export const invited = id(9301);

const hex = (value: string) => `\\x${Buffer.from(value).toString("hex").padEnd(64, "0")}`;

/** What the Worker would send for the token of the n-th message. */
export const keyOf = (n: number | string) => hex(`key ${n}`);

export interface Invited {
  id?: string;
  organization?: string;
  email?: string;
  roles?: string;
  status?: string;
  /** The name of its key: its id, when absent. */
  key?: string;
  by?: string | null;
  expires?: string;
}

/** An invitation as if one of its owners had sent it. */
export async function invite(scene: Scene, options: Invited = {}): Promise<void> {
  const {
    id: invitationId = invited,
    organization = organizations.mine,
    email = "invited@example.test",
    roles = "{viewer}",
    status = "pending",
    key = invitationId,
    by = scene.person(organization === organizations.mine ? "owner" : "founder").id,
    expires = "now() + interval '1 day'",
  } = options;
  await scene.see(
    `insert into invitations (organization_id, id, email, roles, status, key_hash, invited_by, expires_at, ended_at)
     values ('${organization}', '${invitationId}', ${text(email)}, '${roles}', '${status}', sha256('${keyOf(key)}'::bytea), ${text(by)}, ${expires},
             ${status === "pending" ? "null" : "now()"})`,
  );
}

/** What is kept of an invitation of `mine`, and whether its token is this one. */
export const stored = (scene: Scene, invitationId: string, key: string) =>
  scene.see(
    `select organization_id, email, roles::text, status, invited_by, key_hash = sha256('${key}'::bytea), (expires_at - now()::timestamptz(3))::text,
            sent_at = now()::timestamptz(3), ended_at
       from invitations where id = '${invitationId}' and organization_id = '${organizations.mine}'`,
  );
