import { toBase64url, toBytea } from "./bytes.ts";
import { asOwner } from "./database.ts";

/** Whether the operation answers an invitation that its caller has got. */
export const answersInvitation = (operation: string): boolean => /(?<!\})\/invitations/.test(operation);

/** Whether it is about a share link that its caller has been given. */
export const takesShareLink = (operation: string): boolean => operation.includes("/v1/share-links/");

interface GivenInvitation {
  id: string;
  token: string;
}
/** Invites an address of nobody's, as an owner of the organization would. */
export async function giveInvitation(organizationId: string): Promise<string> {
  const [[row] = []] = await asOwner([
    `insert into invitations (organization_id, id, email, roles, key_hash, invited_by, expires_at)
     select $1, gen_random_uuid(), gen_random_uuid() || '@example.com', '{viewer}', sha256(uuid_send(gen_random_uuid())), user_id,
            now() + interval '7 days'
       from membership_roles where organization_id = $1 and role = 'owner' limit 1 returning id`,
    [organizationId],
  ]);
  return row?.["id"];
}

/** An organization of a stranger's: its `owner` has its id and theirs. */
const strangersOrganization = `
  host as (insert into users (id, email, name) values (gen_random_uuid(), gen_random_uuid() || '@example.com', 'Host') returning id),
  organization as (insert into organizations (id, name, slug) select id, 'Host', 'host-' || id from host returning id),
  membership as (insert into memberships (organization_id, user_id, joined_by) select id, id, 'creation' from organization
                 returning organization_id, user_id),
  owner as (insert into membership_roles (organization_id, user_id, role) select organization_id, user_id, 'owner' from membership
            returning organization_id, user_id)`;

/** Invites somebody to an organization of a stranger's, as a mail would that goes to nobody else. */
export async function giveReceivedInvitation(userId: string): Promise<GivenInvitation> {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const [[row] = []] = await asOwner([
    `with ${strangersOrganization}
     insert into invitations (organization_id, id, email, roles, key_hash, invited_by, expires_at)
     select owner.organization_id, gen_random_uuid(), u.email, '{viewer}', sha256(sha256($2::bytea)), owner.user_id, now() + interval '7 days'
       from owner, users u where u.id = $1 returning id`,
    [userId, toBytea(bytes)],
  ]);
  return { id: row?.["id"], token: toBase64url(bytes) };
}

const insertShareLink =
  "insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, created_by, expires_at)";

/** Whether it joins an organization by its domain. */
export const joinsByDomain = (operation: string): boolean => operation.includes("{suggestedOrganizationId}");

/** An organization of a stranger's that somebody may join by a domain of its own, of which they get an address. */
export async function giveSuggestedOrganization(userId: string): Promise<{ id: string; email: string }> {
  const email = `${userId}@${crypto.randomUUID()}.example`;
  const [, [row] = []] = await asOwner(
    ["update users set email = $2, email_verified_at = now() where id = $1", [userId, email]],
    [
      `with ${strangersOrganization}
       insert into organization_domains (organization_id, id, domain, txt_record, verified_at, enrollment, roles, enrollment_set_by)
       select organization_id, gen_random_uuid(), split_part($1, '@', 2), 'saas-verification=given', now(), 'suggest', '{viewer}', user_id
         from owner returning organization_id`,
      [email],
    ],
  );
  return { id: row?.["organization_id"], email };
}

/** Whether it is about an organization that its caller has deleted. */
export const takesDeleted = (operation: string): boolean => operation.includes("{deletedOrganizationId}");

/** An organization of somebody's, which they have deleted. */
export async function giveDeletedOrganization(userId: string): Promise<string> {
  const [[row] = []] = await asOwner([
    `with organization as (insert into organizations (id, name, slug, deleted_at)
                           select id, 'Deleted', 'deleted-' || id, now() - interval '1 day' from gen_random_uuid() id returning id),
     membership as (insert into memberships (organization_id, user_id, joined_by) select id, $1, 'creation' from organization
                    returning organization_id, user_id)
     insert into membership_roles (organization_id, user_id, role) select organization_id, user_id, 'owner' from membership
       returning organization_id`,
    [userId],
  ]);
  return row?.["organization_id"];
}

/** Makes a share link for anybody, as an owner of the organization would. */
export async function giveShareLink(organizationId: string): Promise<string> {
  const [[row] = []] = await asOwner([
    `${insertShareLink}
     select $1, gen_random_uuid(), '{viewer}', sha256(uuid_send(gen_random_uuid())), '{}', 10, user_id, now() + interval '7 days'
       from membership_roles where organization_id = $1 and role = 'owner' limit 1 returning id`,
    [organizationId],
  ]);
  return row?.["id"];
}

/** The token of a share link of a stranger's organization. */
export async function giveReceivedShareLink(): Promise<string> {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  await asOwner([
    `with ${strangersOrganization} ${insertShareLink}
     select organization_id, gen_random_uuid(), '{viewer}', sha256(sha256($1::bytea)), '{}', 10, user_id, now() + interval '7 days' from owner`,
    [toBytea(bytes)],
  ]);
  return toBase64url(bytes);
}

/** Offers somebody the ownership of an organization, as one of its owners would. */
export const giveOwnershipOffer = (organizationId: string, from: string, to: string) =>
  asOwner([
    "insert into ownership_transfers (organization_id, id, from_user_id, to_user_id) values ($1, gen_random_uuid(), $2, $3)",
    [organizationId, from, to],
  ]);
