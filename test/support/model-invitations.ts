import * as fc from "fast-check";
import { expect } from "vitest";
import { lastMailTo, tokenOf } from "./mailbox.ts";
import { actorAmong, command, type Command, hasSession } from "./model-accounts.ts";
import { hasOrganization, target } from "./model-organizations.ts";
import {
  callOperation,
  expectOutcome,
  isAbove,
  type Model,
  type ModelInvitation,
  type ModelOrganization,
  type ModelSession,
  pick,
  type Real,
  refusal,
  type RoleName,
  roleNames,
} from "./model.ts";
import type { ErrorCode } from "../../src/errors.ts";

const hasInvitation = (model: Model) => hasSession(model) && model.invitations.length > 0;

/** Why this session may not invite to the organization; whoever does has a verified address. */
function refusalToInvite(model: Model, session: ModelSession, organization: ModelOrganization): ErrorCode | undefined {
  const isUnverified = session.isAlive && !pick(model.people, session.person).isVerified;
  return isUnverified ? "email_unverified" : refusal(session, organization, "invite");
}

/** Ten an hour go to one address: near that nobody can foresee the answer. */
const canBeMailed = ({ invitations }: Model, real: Real, person: number) =>
  invitations.reduce(
    (sum, each, i) => sum + (each.person === person ? (real.invitations[i]?.tokens.length ?? 0) : 0),
    0,
  ) < 9;

const tokenMailedTo = async (model: Model, person: number) =>
  tokenOf(await lastMailTo(pick(model.people, person).email));

/** Whether whoever sent it may still give its roles. */
function isOpen({ organization, inviter, roles, isPending }: ModelInvitation): boolean {
  const theirs = organization.roles.get(inviter) ?? [];
  const mayInvite = theirs.some((role) => role === "owner" || role === "admin");
  return isPending && !organization.isDeleted && mayInvite && !isAbove(roles, theirs);
}

export const invite = (number: number, which: number, who: number, roles: RoleName[]) =>
  command(
    "invite",
    [number, which, who, roles],
    async (model, real) => {
      const { session, token, organization, ids } = target(model, real, number, which);
      const person = who % model.people.length;
      if (!canBeMailed(model, real, person)) return;
      const { email } = pick(model.people, person);
      const body = { invitations: [{ email, roles }] };
      const answer = await callOperation("POST /v1/organizations/{organizationId}/invitations", { token, ids, body });
      if (!expectOutcome(answer, refusalToInvite(model, session, organization))) return;
      const isInvited = model.invitations.some(
        (other) => other.organization === organization && other.person === person && other.isPending,
      );
      let refused: ErrorCode | undefined;
      if (organization.roles.has(person)) refused = "already_member";
      else if (isInvited) refused = "invitation_pending";
      else if (isAbove(roles, organization.roles.get(session.person) ?? [])) refused = "role_above_own";
      const [result] = answer.body.results;
      expect(result.code).toBe(refused);
      if (refused) return;
      expect(result.invitation).toMatchObject({ email, roles: roles.toSorted(), status: "pending" });
      model.invitations.push({ organization, person, roles, inviter: session.person, isPending: true });
      const tokens = [await tokenMailedTo(model, person)];
      real.invitations.push({ id: result.invitation.id, organizationId: ids.organizationId, tokens });
    },
    hasOrganization,
  );

/** An invitation, one of the tokens that were ever mailed for it, and why that one is no good. */
function mailed(model: Model, real: Real, which: number) {
  const invitation = pick(model.invitations, which);
  const { tokens } = pick(real.invitations, which);
  const token = pick(tokens, Math.floor(which / model.invitations.length));
  const problem: ErrorCode | undefined = token === tokens.at(-1) && isOpen(invitation) ? undefined : "invalid_token";
  return { invitation, body: { token }, problem };
}

const accept = (number: number, which: number) =>
  command(
    "accept",
    [number, which],
    async (model, real) => {
      const { invitation, body, problem } = mailed(model, real, which);
      const { organization, person, roles } = invitation;
      const { session, token } = actorAmong(model, real, number, (someone) => someone === person);
      let refused: ErrorCode | undefined = problem;
      if (!session.isAlive) refused = "unauthenticated";
      else if (!refused && person !== session.person) refused = "invitation_email_mismatch";
      else if (!refused && organization.roles.has(person)) refused = "already_member";
      const answer = await callOperation("POST /v1/invitations/accept", { token, body });
      if (!expectOutcome(answer, refused)) return;
      expect(answer.body).toMatchObject({ name: organization.name, roles: roles.toSorted() });
      organization.roles.set(person, roles.toSorted());
      invitation.isPending = false;
      pick(model.people, person).isVerified = true;
    },
    hasInvitation,
  );

const decline = (which: number) =>
  command(
    "decline",
    [which],
    async (model, real) => {
      const { invitation, body, problem } = mailed(model, real, which);
      if (expectOutcome(await callOperation("POST /v1/invitations/decline", { body }), problem)) {
        invitation.isPending = false;
      }
    },
    hasInvitation,
  );

/** What the organization does with its invitation. */
function manage(model: Model, real: Real, number: number, which: number) {
  const invitation = pick(model.invitations, which);
  const { organization, roles, isPending } = invitation;
  const { session, token } = actorAmong(model, real, number, (someone) => organization.roles.has(someone));
  const { id, organizationId, tokens } = pick(real.invitations, which);
  let refused: ErrorCode | undefined;
  if (!isPending) refused = "invitation_ended";
  else if (isAbove(roles, organization.roles.get(session.person) ?? [])) refused = "role_above_own";
  return {
    session,
    organization,
    invitation,
    tokens,
    refused,
    call: { token, ids: { organizationId, invitationId: id } },
  };
}

const revoke = (number: number, which: number) =>
  command(
    "revoke",
    [number, which],
    async (model, real) => {
      const { session, organization, invitation, refused, call } = manage(model, real, number, which);
      const name = "DELETE /v1/organizations/{organizationId}/invitations/{invitationId}";
      const answer = await callOperation(name, call);
      if (expectOutcome(answer, refusal(session, organization, "invite") ?? refused)) invitation.isPending = false;
    },
    hasInvitation,
  );

const resend = (number: number, which: number) =>
  command(
    "resend",
    [number, which],
    async (model, real) => {
      const { session, organization, invitation, tokens, refused, call } = manage(model, real, number, which);
      const { person } = invitation;
      if (!canBeMailed(model, real, person)) return;
      const isMember = organization.roles.has(person) ? "already_member" : undefined;
      const name = "POST /v1/organizations/{organizationId}/invitations/{invitationId}/resend";
      const answer = await callOperation(name, call);
      const problem = refusalToInvite(model, session, organization) ?? refused ?? isMember;
      if (!expectOutcome(answer, problem)) return;
      invitation.inviter = session.person;
      tokens.push(await tokenMailedTo(model, person));
    },
    hasInvitation,
  );

const number = fc.nat(1_000);
const roles = fc.uniqueArray(fc.constantFrom(...roleNames), { minLength: 1, maxLength: 2 });

/** What an invitation ends by when all is well, or goes on. */
export const invitationAnswers: fc.Arbitrary<Command>[] = [
  ...[1, 2, 3].map(() => fc.tuple(number, number).map((args) => accept(...args))),
  fc.tuple(number, number).map((args) => resend(...args)),
];

/** Those that others depend on are there more than once, and so come more often. */
export const invitationCommands: fc.Arbitrary<Command>[] = [
  ...[1, 2, 3].map(() => fc.tuple(number, number, number, roles).map((args) => invite(...args))),
  ...invitationAnswers,
  fc.tuple(number, number).map((args) => revoke(...args)),
  number.map(decline),
];
