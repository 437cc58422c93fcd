import { id, organizations } from "./people.ts";
import { keyOf } from "./invited.ts";
import { letIn, text, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

export const { mine, theirs } = organizations;

/** The id of the link that `share` makes, unless it is told another. */
export const shared = id(9801);
export const key = keyOf(shared);
export const unknown = keyOf("unknown");

export const write = (scene: Scene, name: string) => letIn(scene, name, "invitations:write");

interface Shared {
  id?: string;
  organization?: string;
  roles?: string;
  key?: string;
  domains?: string;
  maxUses?: number;
  uses?: number;
  by?: string | null;
  expires?: string;
}

/** A link as if one of its organization's owners had made it. */
export async function share(scene: Scene, options: Shared = {}): Promise<void> {
  const {
    id: linkId = shared,
    organization = mine,
    roles = "{viewer}",
    key: name = linkId,
    domains = "{}",
    maxUses = 10,
    uses = 0,
    by = scene.person(organization === mine ? "owner" : "founder").id,
    expires = "now() + interval '1 day'",
  } = options;
  await scene.see(
    `insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, uses, created_by, expires_at)
     values ('${organization}', '${linkId}', '${roles}', sha256('${keyOf(name)}'::bytea), '${domains}', ${maxUses}, ${uses}, ${text(by)}, ${expires})`,
  );
}

export const create = ({ roles = "{viewer}", domains = "{}", uses = 10, days = 7 } = {}) =>
  `select id, roles::text, allowed_domains::text, max_uses, uses, created_by, expires_at - created_at = interval '${days} days'
     from app.create_share_link('${shared}', '${roles}', '${domains}', ${uses}, ${days}, '${key}')`;
export const revoke = (linkId = shared) => `select app.revoke_share_link('${linkId}')`;
export const find = (token: string | null = key) =>
  `select organization_name, roles::text, allowed_domains::text, expires_at = (now() + interval '1 day')::timestamptz(3)
     from app.find_share_link(${text(token)})`;
export const accept = (token = key) =>
  `select id, name, slug, mfa_required, roles::text from app.accept_share_link('${token}')`;

export const verify = (scene: Scene, name: string) =>
  scene.see(`update users set email_verified_at = now() where id = '${scene.person(name).id}'`);

/** A link, and somebody who is no member, with a verified address. */
export async function shareWithSpare(scene: Scene, options: Shared = {}): Promise<string> {
  await verify(scene, "spare");
  await share(scene, options);
  return admission(scene.person("spare"));
}

export const usesOf = (scene: Scene, linkId = shared) =>
  scene.see(`select uses from share_links where id = '${linkId}'`);

/** What makes a link void, each by itself. */
export const voids = [
  `update users set suspended_at = now() where id = '${id(100)}'`,
  `update share_links set uses = max_uses where id = '${shared}'`,
  `update share_links set expires_at = now() - interval '1 second' where id = '${shared}'`,
  `update share_links set created_by = null where id = '${shared}'`,
  `delete from membership_roles where organization_id = '${mine}' and user_id = '${id(100)}'`,
  `update membership_roles set role = 'member' where organization_id = '${mine}' and user_id = '${id(100)}'`,
  `update share_links set roles = '{viewer,gone}' where id = '${shared}'`,
  `update membership_roles set role = 'only invitations:write' where organization_id = '${mine}' and user_id = '${id(100)}'; update share_links set roles = '{admin}' where id = '${shared}'`,
  `update organizations set deleted_at = now() where id = '${mine}'`,
];
