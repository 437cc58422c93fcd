import { invited, keyOf } from "./invited.ts";
import { id, organizations } from "./people.ts";
import { letIn, text, type Scene } from "./scene.ts";

export const { mine, theirs } = organizations;
export const write = (scene: Scene, name: string) => letIn(scene, name, "invitations:write");
export const stranger = "stranger@example.test";
export const columns = "ordinal, refusal, email, roles::text, invited_by";

export interface Asked {
  email?: string;
  roles?: string[] | null;
  teamIds?: string[] | null;
}

/** Invites one after the other: ids and keys by their place. */
export const create = (...asked: Asked[]) => {
  const items = asked.map(({ email = stranger, roles = ["viewer"], teamIds = [] }, n) => ({
    id: id(9400 + n),
    email,
    roles,
    team_ids: teamIds,
    message_id: id(9500 + n),
    key: keyOf(n),
  }));
  return `select ${columns} from app.create_invitations(${text(JSON.stringify(items))}) order by ordinal`;
};

export const refusals = async (scene: Scene, name: string, ...asked: Asked[]) =>
  (await scene.ask(write(scene, name), create(...asked))).map(([, refusal]) => refusal);

export const resend = (invitationId = invited) =>
  `select app.resend_invitation('${invitationId}', '${id(9500)}', '${keyOf(0)}')`;
export const revoke = (invitationId = invited) => `select app.revoke_invitation('${invitationId}')`;

export const mail = `select recipient, template, user_id, key_hash = sha256('${keyOf(0)}'::bytea), data::text from outbox where id = '${id(9500)}'`;
export const setRoles = (scene: Scene, roles: string) =>
  scene.see(`update invitations set roles = '${roles}' where id = '${invited}'`);

export const inviterScope = (scene: Scene, name: string) =>
  `app_private.mail_scope('inviter|${scene.person(name).id}')`;
export const addressScope = (email: string) => `app_private.mail_scope('invitation|${email}')`;
export const setCount = (scene: Scene, scope: string, attempts: number) =>
  scene.see(
    `insert into throttles (scope, attempts) values (${scope}, ${attempts}) on conflict (scope) do update set attempts = ${attempts}`,
  );
