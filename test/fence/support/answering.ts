import { invite, invited, keyOf } from "./invited.ts";
import { id, organizations } from "./people.ts";
import { text, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

export const { mine, theirs } = organizations;
export const key = keyOf(invited);
export const unknown = keyOf("unknown");

export const find = (token = key) => `select * from app.find_invitation('${token}')`;
export const accept = (token = key) =>
  `select id, name, slug, mfa_required, roles::text from app.accept_invitation('${token}')`;
export const decline = (token = key) => `select app.decline_invitation('${token}')`;
export const list = (after: string | null = null, limit = 9) =>
  `select id from app.my_invitations(${text(after)}, ${limit})`;
export const acceptMine = (invitationId = invited) =>
  `select id, name, slug, mfa_required, roles::text from app.accept_my_invitation('${invitationId}')`;
export const declineMine = (invitationId = invited) => `select app.decline_my_invitation('${invitationId}')`;
export const hash = `$2b$04$${"n".repeat(22)}${"m".repeat(31)}`;
export const signUp = (email = "invited@example.test", token = key) =>
  `select id, email, email_verified, name from app.sign_up_invited('${token}', '${id(9600)}', ${text(email)}, 'Grace', 1, '$2b$04$${"n".repeat(22)}', '${hash}')`;

/** An invitation to somebody who is no member, with a verified address. */
export async function inviteSpare(scene: Scene, options: Parameters<typeof invite>[1] = {}): Promise<string> {
  const spare = scene.person("spare");
  await scene.see(`update users set email_verified_at = now() where id = '${spare.id}'`);
  await invite(scene, { email: spare.email, ...options });
  return admission(spare);
}

export const joined = (scene: Scene, userId: string) =>
  scene.see(
    `select m.organization_id, m.joined_by, m.invited_by, (select string_agg(role, ',' order by role) from membership_roles r
              where r.organization_id = m.organization_id and r.user_id = m.user_id)
       from memberships m where m.user_id = '${userId}'`,
  );

export const ended = (scene: Scene, invitationId = invited) =>
  scene.see(
    `select organization_id, status, ended_at = now()::timestamptz(3) from invitations where id = '${invitationId}' order by status`,
  );

export const otherInvitations: [string, string] = ["invitations", `id <> '${invited}'`];

/** What makes an invitation void, each by itself. */
export const voids = [
  `update users set suspended_at = now() where id = '${id(100)}'`,
  `update invitations set status = 'declined', ended_at = now() where id = '${invited}'`,
  `update invitations set expires_at = now() - interval '1 second' where id = '${invited}'`,
  `update invitations set invited_by = null where id = '${invited}'`,
  `delete from membership_roles where organization_id = '${mine}' and user_id = '${id(100)}'`,
  `update membership_roles set role = 'member' where organization_id = '${mine}' and user_id = '${id(100)}'`,
  `update invitations set roles = '{viewer,gone}' where id = '${invited}'`,
  `update membership_roles set role = 'admin' where organization_id = '${mine}' and user_id = '${id(100)}'; update invitations set roles = '{owner}' where id = '${invited}'`,
  `update organizations set deleted_at = now() where id = '${mine}'`,
];

export const asSpare = (scene: Scene, statement: string) => scene.ask(admission(scene.person("spare")), statement);
