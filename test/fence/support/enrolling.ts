import { id, organizations, workerKey } from "./people.ts";
import { letIn, text, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

export const { mine, theirs } = organizations;

/** The id of the domain that `giveDomain` makes, unless it is told another. */
export const owned = id(9901);
export const workerKeys = `\\x${workerKey.toString("hex")}`;

export const write = (scene: Scene, name: string) => letIn(scene, name, "domains:write");

interface Given {
  id?: string;
  organization?: string;
  domain?: string;
  verified?: boolean;
  enrollment?: string;
  roles?: string;
  by?: string | null;
}

/** A domain as if one of its organization's owners had proved it and set what becomes of its people. */
export async function giveDomain(scene: Scene, options: Given = {}): Promise<void> {
  const {
    id: domainId = owned,
    organization = mine,
    domain = "example.test",
    verified = true,
    enrollment = "auto_join",
    roles = "{viewer}",
    by = scene.person(organization === mine ? "owner" : "founder").id,
  } = options;
  await scene.see(
    `insert into organization_domains (organization_id, id, domain, txt_record, verified_at, enrollment, roles, enrollment_set_by)
     values ('${organization}', '${domainId}', '${domain}', 'proof of ${domainId}', ${verified ? "'2020-01-01'" : "null"}, '${enrollment}', '${roles}', ${text(by)})`,
  );
}

export const create = (domain = "new.test") =>
  `select id, domain, txt_record, verified_at, enrollment, roles::text, enrollment_set_by
     from app.create_domain('${owned}', '${domain}', 'proof of a new domain')`;
export const update = (enrollment: string | null, roles: string | null = null, domainId = owned) =>
  `select app.update_domain('${domainId}', ${text(enrollment)}, ${text(roles)})`;
export const prove = (domainId = owned, keys = workerKeys) =>
  `select app.verify_organization_domain('${keys}', '${domainId}')`;
export const suggested = "select id, name, domain, roles::text from app.my_suggested_organizations()";
export const join = (organizationId = mine) =>
  `select id, name, slug, mfa_required, roles::text from app.join_suggested_organization('${organizationId}')`;

/** Verifies the address of somebody, by hand. */
export const confirm = (scene: Scene, name = "spare") =>
  scene.see(`update users set email_verified_at = now() where id = '${scene.person(name).id}'`);

/** A domain, and somebody who is no member, whose address of it was verified before it took people in. */
export async function suggestToSpare(scene: Scene, options: Given = {}): Promise<string> {
  await confirm(scene);
  await giveDomain(scene, options);
  return admission(scene.person("spare"));
}

/** Bars somebody as if they had left, by their id or by their address. */
export const bar = (scene: Scene, organizationId: string, by: string) =>
  scene.see(
    `insert into domain_bars (organization_id, person_hash) values ('${organizationId}', app_private.mail_scope('barred|${organizationId}|${by}'))`,
  );

/** What ends an enrollment, each by itself. */
export const ends = [
  `update organization_domains set verified_at = null where id = '${owned}'`,
  `update organization_domains set enrollment = 'none' where id = '${owned}'`,
  `update organization_domains set domain = 'test' where id = '${owned}'`,
  `update organization_domains set enrollment_set_by = null where id = '${owned}'`,
  `update organization_domains set roles = '{viewer,gone}' where id = '${owned}'`,
  `update users set suspended_at = now() where id = '${id(100)}'`,
  `update membership_roles set role = 'admin' where organization_id = '${mine}' and user_id = '${id(100)}'`,
  `update organizations set deleted_at = now() where id = '${mine}'`,
];
