import { giveApiKey } from "./api-keys.ts";
import { type Operation } from "./contract.ts";
import { addMember, asOwner } from "./database.ts";
import { giveIdentity, makeProofs } from "./identities.ts";
import { arrange } from "./factors.ts";
import {
  answersInvitation,
  giveDeletedOrganization,
  giveInvitation,
  giveOwnershipOffer,
  giveReceivedInvitation,
  giveReceivedShareLink,
  giveShareLink,
  giveSuggestedOrganization,
  joinsByDomain,
  takesDeleted,
  takesShareLink,
} from "./given-invitations.ts";
import { giveMailedTokens, noMailedTokens } from "./one-time-tokens.ts";
import { givePasskeyFor, takesPasskey } from "./passkeys.ts";
import { createOrganization, openService, type Person, type Service, signUpPerson } from "./service.ts";
import { arrangeAdmin, giveImpersonation } from "./platform.ts";
import { givePlan } from "./plans.ts";
import { giveConnection, giveDomain, setTxtRecords } from "./sso.ts";
import { giveStripeCustomer, makeSignedEvent } from "./stripe.ts";
import { giveBill, givePrice } from "./subscriptions.ts";
import { giveReservation, giveUsageEvent } from "./usage.ts";
import { giveWebhookEndpoint } from "./webhooks.ts";

export interface Prepared {
  person: Person;
  organization: { id: string; slug: string };
  /** What the parameters of paths stand for. */
  ids: {
    organizationId: string;
    organizationSlug: string;
    sessionId: string;
    identityId: string;
    connectionId: string;
    provider: string;
    roleId: string;
    invitationId: string;
    shareLinkId: string;
    domainId: string;
    apiKeyId: string;
    teamId: string;
    receivedInvitationId?: string;
    suggestedOrganizationId?: string;
    deletedOrganizationId?: string;
    passkeyId?: string;
    /** Disabled, but for what is done with it: else whatever else is done would be told to it. */
    webhookEndpointId: string;
    webhookMessageId: string;
    impersonationId: string;
    invoiceId: string;
    meter: string;
    reservationId: string;
    /** Of another member. */
    userId?: string;
  };
}

/** Makes a role of the organization's own, which nobody has. */
export async function giveRole(organizationId: string): Promise<string> {
  const id = crypto.randomUUID();
  await asOwner([
    "insert into roles (organization_id, id, key, name, permissions) values ($1, $2, $3, 'Own role', '{organization:read}')",
    [organizationId, id, `role-${id}`],
  ]);
  return id;
}

/** Makes a team, in which nobody is. */
export async function giveTeam(organizationId: string): Promise<string> {
  const id = crypto.randomUUID();
  await asOwner([
    "insert into teams (organization_id, id, name) values ($1, $2, $3)",
    [organizationId, id, `Team ${id}`],
  ]);
  return id;
}

/** Whether it is about another member, or needs one who owns the organization too. */
export const takesColleague = (operation: string): boolean =>
  /\{userId\}|\/leave$|\/ownership-transfer|^POST .+\/impersonations$/.test(operation);

/** Makes somebody a member, as the operation needs them: in every team that there is. */
export async function giveColleague(
  service: Service,
  organizationId: string,
  operation: string,
  caller: Person,
): Promise<string> {
  const { id } = await signUpPerson(service);
  const answersOffer = /\/ownership-transfer/.test(operation) && !/^POST .+transfer$/.test(operation);
  await addMember(organizationId, id, answersOffer || operation.endsWith("/leave") ? "owner" : "viewer");
  await asOwner([
    "insert into team_memberships (organization_id, team_id, user_id, role) select organization_id, id, $2, 'member' from teams where organization_id = $1",
    [organizationId, id],
  ]);
  if (answersOffer) await giveOwnershipOffer(organizationId, id, caller.id);
  caller.colleagueId = id;
  return id;
}

/**
 * An invitation to somebody where the operation answers one: its id, and its token among what is mailed to them; or the
 * token of a share link; or an organization that they may join by their address, or restore.
 */
export async function giveAnswerable(
  person: Person,
  operation = "",
): Promise<Pick<Prepared["ids"], "receivedInvitationId" | "suggestedOrganizationId" | "deletedOrganizationId">> {
  if (takesDeleted(operation)) {
    return { deletedOrganizationId: await giveDeletedOrganization(person.id) };
  }
  if (joinsByDomain(operation)) {
    const { id, email } = await giveSuggestedOrganization(person.id);
    person.email = email;
    return { suggestedOrganizationId: id };
  }
  if (takesShareLink(operation) && person.mailedTokens) person.mailedTokens.shareLink = await giveReceivedShareLink();
  if (!answersInvitation(operation)) return {};
  const { id, token } = await giveReceivedInvitation(person.id);
  if (person.mailedTokens) person.mailedTokens.invitation = token;
  return { receivedInvitationId: id };
}

/** Whether it is done with a webhook endpoint. */
export const takesWebhooks = (operation = ""): boolean => operation.includes("/webhook-endpoints/");

/** Whether an operation has to do with something: without one, and where it exports all, with everything. */
const isAbout = (operation: Pick<Operation, "name"> | undefined, what: RegExp): boolean =>
  !operation || what.test(operation.name) || operation.name.endsWith("/export");

interface Equipment {
  /** All that there is, as for an operation that ends all. */
  isWhole?: boolean;
  /** Domains and connections that are still to be proved, by a record that is there. */
  areProvable?: boolean;
}

/**
 * What the operation needs to succeed, beside the person and their organization, by the names of the parameters of paths. There
 * is nothing that it has nothing to do with, only ids that nothing has: that would be a dozen requests for each of thousands
 * of tests.
 */
export async function equip(
  service: Service,
  person: Person,
  organizationId: string,
  operation: Pick<Operation, "name"> | undefined,
  { isWhole = false, areProvable = false }: Equipment = {},
) {
  const about = isWhole ? undefined : operation;
  const give = async (what: RegExp, make: () => Promise<string>) =>
    isAbout(about, what) ? make() : crypto.randomUUID();
  const proved = { verified: !areProvable };
  const provable = async ({ id, domain, txtRecord }: { id: string; domain: string; txtRecord: string }) => {
    if (areProvable) await setTxtRecords(domain, [txtRecord]);
    return id;
  };
  person.mailedTokens = isAbout(about, /reset-password|verify|confirm|email-sign-in/)
    ? await giveMailedTokens(person.id)
    : noMailedTokens();
  if (isAbout(about, /oauth|identities/)) person.flowProofs = await makeProofs(person.id);
  if (isAbout(about, /webhooks\/stripe/)) person.signedEvent = await makeSignedEvent();
  if (isAbout(about, /\/portal$/)) await giveStripeCustomer(organizationId);
  if (isAbout(about, /\/corrections$/)) person.usageEventId = await giveUsageEvent(organizationId);
  if (isAbout(about, /\/(checkout|change)$/)) person.priceId = (await givePrice()).priceId;
  const ids = {
    identityId: await give(/oauth|identities/, () => giveIdentity(person.id)),
    connectionId: await give(/sso/, async () => provable(await giveConnection(organizationId, proved))),
    roleId: await give(/roles/, () => giveRole(organizationId)),
    invitationId: await give(/invitations/, () => giveInvitation(organizationId)),
    shareLinkId: await give(/share-links/, () => giveShareLink(organizationId)),
    domainId: await give(/domains/, async () => provable(await giveDomain(organizationId, proved))),
    apiKeyId: await give(
      /api-keys/,
      async () => (await giveApiKey(organizationId, person.id, ["organization:read"])).id,
    ),
    teamId: await give(/teams/, () => giveTeam(organizationId)),
    impersonationId: await give(/impersonations/, () => giveImpersonation(person.id)),
    meter: "api-requests",
    reservationId: await give(/reservations/, () => giveReservation(organizationId)),
    planId: await give(/platform\/plans/, givePlan),
    invoiceId: await give(/invoices|subscription\/(change|cancel|resume)/, () =>
      giveBill(organizationId, operation?.name),
    ),
    ...(isAbout(about, /webhook-endpoints/)
      ? await giveWebhookEndpoint(organizationId, { enabled: takesWebhooks(operation?.name) })
      : { webhookEndpointId: crypto.randomUUID(), webhookMessageId: crypto.randomUUID() }),
    ...(await giveAnswerable(person, operation?.name)),
  };
  await arrange(service, person, operation?.name);
  if (!operation) return ids;
  const colleague = takesColleague(operation.name)
    ? { userId: await giveColleague(service, organizationId, operation.name, person) }
    : {};
  await arrangeAdmin(operation.name, person, { organizationId, ...colleague });
  const passkey = takesPasskey(operation.name) ? { passkeyId: await givePasskeyFor(operation.name, person) } : {};
  return { ...ids, ...colleague, ...passkey };
}

/** A person with an organization, the real ids for a path, and what else the operation needs to succeed. */
export async function prepare(service: Service, name?: string, operation?: Pick<Operation, "name">): Promise<Prepared> {
  const person = await signUpPerson(service, name);
  const organization = await createOrganization(service, person, name);
  const [rows] = await asOwner(["select id from sessions where user_id = $1", [person.id]]);
  const ids = {
    organizationId: organization.id,
    organizationSlug: organization.slug,
    sessionId: String(rows?.[0]?.["id"]),
    provider: "google",
    ...(await equip(service, person, organization.id, operation)),
  };
  return { person, organization, ids };
}

/** The same for an operation, with a service of its own that has recorded nothing of the preparation. */
export async function prepareFor(operation: Operation): Promise<Prepared & { service: Service }> {
  const service = openService();
  const prepared = await prepare(service, undefined, operation);
  await service.databaseRequests();
  return { ...prepared, service };
}
