import { beforeEach, describe, expect, it } from "vitest";
import { readMe } from "../support/accounts.ts";
import type { Operation } from "../support/contract.ts";
import { asOwner, openOwnDatabase } from "../support/database.ts";
import { contract, creates } from "../support/operations.ts";
import { expectProblem } from "../support/problems.ts";
import { type Answer, type Fault, openService, type Service } from "../support/service.ts";
import { emptyDatabase, makeWorld, observe, operationsOfTheDatabase, send, type World } from "./world.ts";

/** What an operation does when nothing fails. */
interface Plan extends Operation {
  /** Statements in each of its requests to the database. */
  statements: number[];
  first: number;
  /** Its status when it is repeated. */
  again: number;
  before: string[];
  done: string[];
  /** After a repetition. */
  twice: string[];
}

async function learn(operation: Operation): Promise<Plan> {
  const world = await makeWorld(operation);
  const service = openService();
  const before = await observe(world);
  const first = await send(operation, world, service);
  const done = await observe(world);
  const requests = await service.databaseRequests();
  const again = await send(operation, world);
  const statements = requests.map((request) => request.statements.length);
  return {
    ...operation,
    statements,
    first: first.status,
    again: again.status,
    before,
    done,
    twice: await observe(world),
  };
}

await openOwnDatabase();
const plans: Plan[] = [];
// Not all at once: one that asks an identity provider's server would wait too long for its answer. And each time among few
// rows, all of which each looks at.
for (let from = 0; from < operationsOfTheDatabase.length; from += 8) {
  await emptyDatabase();
  plans.push(...(await Promise.all(operationsOfTheDatabase.slice(from, from + 8).map(learn))));
}
const reads = plans.filter(({ method }) => method === "GET");
const writes = plans.filter(({ method }) => method !== "GET");

// Not before each: to empty it takes as long as to look at what a few of them leave.
let begun = 0;
beforeEach(async () => {
  if (begun++ % 8 === 0) await emptyDatabase();
});

/** After these, whether anything was done is unknown to the Worker; at every statement, and at COMMIT. */
const unknownOutcomes = (statements: number): Fault[] => [
  { fault: "refuse" },
  { fault: "drop-before" },
  ...Array.from({ length: statements + 1 }, (_, statement) => ({ fault: "drop-during" as const, statement })),
  { fault: "drop-after" },
  { fault: "truncate" },
  { fault: "not-json" },
];
const isCommitted = ({ fault }: Fault) => fault === "drop-after" || fault === "truncate";
const refused: Fault = { fault: "error-500" };

/** A service whose request to the database of this index meets the fault. */
async function openFaulty(fault: Fault, index = 0): Promise<Service> {
  const service = openService();
  if (index > 0) await service.injectFault({ fault: "delay", milliseconds: 0, times: index });
  await service.injectFault(fault);
  return service;
}

function expectUnavailable(answer: Answer, isUnknown: boolean): void {
  expectProblem(answer, "unavailable");
  expect(answer.headers.get("retry-after")).toBe("2");
  const unknown = /may or may not have been made.+ Idempotency-Key/;
  if (isUnknown) expect(answer.body.detail).toMatch(unknown);
  else expect(answer.body.detail).not.toMatch(/may or may not/);
}

/** Repeats the request without a fault: it is done as if for the first time, or as a repetition. */
async function expectRepeatable(plan: Plan, world: World, isDone: boolean): Promise<void> {
  const answer = await send(plan, world);
  expect(answer.status).toBe(isDone ? plan.again : plan.first);
  expect(await observe(world)).toEqual(isDone ? plan.twice : plan.done);
  if (answer.body?.accessToken) expect((await readMe(answer.body.accessToken)).status).toBe(200);
  if (!creates(plan)) return;
  expect(answer.headers.get("idempotent-replayed")).toBe(isDone ? "true" : null);
  expect((await send(plan, world)).body).toEqual(answer.body);
  expect(await observe(world)).toEqual(plan.done);
}

/** Whether the first of the operation's requests, when so many have committed, has taken a passkey's answer for good. */
const isSpent = ({ name, statements }: Plan, committed: number): boolean =>
  /\/(passkeys\/authentication|mfa\/passkey)$/.test(name) && committed > 0 && committed < statements.length;

/** The browser must ask the authenticator again: nothing was done, and a repetition does nothing either. */
async function expectSpent(plan: Plan, world: World): Promise<void> {
  expectProblem(await send(plan, world), "invalid_passkey");
  expect(await observe(world)).toEqual(plan.before);
}

/** POSTs that read: a browser is told what to ask for or where to go, and of nobody's customer Stripe is asked nothing. */
const asking = new Set([
  "POST /v1/organizations/{organizationId}/subscription/refresh",
  "POST /v1/organizations/{organizationId}/subscription/portal",
  "POST /v1/organizations/{organizationId}/usage/{meter}/check",
  "POST /v1/auth/passkeys/registration-options",
  "POST /v1/auth/mfa/passkey-options",
  "POST /v1/invitations/lookup",
  "POST /v1/share-links/lookup",
]);

/** A time that is renewed, or a hash, looks as it did before. */
const renewing = new Set([
  "POST /v1/auth/reauthenticate",
  "POST /v1/organizations/{organizationId}/invitations/{invitationId}/resend",
]);

/** But for what tells of it, and is told again. */
const withoutTrail = (rows: string[]) => rows.filter((row) => !/^((user_)?audit_events|webhook_messages) /.test(row));

/** What an operation is answered with, and its repetition. */
const designed: Record<string, [number, number]> = {
  "POST /v1/auth/sign-up": [201, 201],
  "POST /v1/auth/sign-in": [200, 200],
  "POST /v1/auth/refresh": [200, 200],
  "POST /v1/auth/forgot-password": [202, 202],
  "POST /v1/auth/reset-password": [204, 400],
  "POST /v1/auth/email-sign-in": [202, 202],
  "POST /v1/auth/email-sign-in/verify": [200, 400],
  "POST /v1/auth/resend-verification": [202, 202],
  "POST /v1/auth/verify-email": [200, 400],
  "POST /v1/auth/change-email": [202, 202],
  "POST /v1/auth/change-email/confirm": [200, 400],
  "POST /v1/auth/change-password": [204, 403],
  "POST /v1/auth/reauthenticate": [204, 204],
  "POST /v1/auth/oauth/token": [200, 400],
  "POST /v1/users/me/identities": [200, 400],
  "DELETE /v1/users/me/identities/{identityId}": [204, 404],
  "POST /v1/auth/passkeys/registration-options": [200, 200],
  "POST /v1/auth/passkeys": [201, 400],
  "PATCH /v1/auth/passkeys/{passkeyId}": [200, 200],
  "DELETE /v1/auth/passkeys/{passkeyId}": [204, 404],
  "POST /v1/auth/passkeys/authentication": [200, 401],
  "POST /v1/auth/mfa/passkey-options": [200, 200],
  "POST /v1/auth/mfa/passkey": [200, 401],
  "POST /v1/auth/mfa/totp": [200, 200],
  "POST /v1/auth/mfa/totp/activate": [200, 404],
  "DELETE /v1/auth/mfa/totp": [204, 404],
  "POST /v1/auth/mfa/recovery-codes": [200, 200],
  "POST /v1/auth/mfa/verify": [200, 401],
  "POST /v1/auth/sign-out": [204, 401],
  "DELETE /v1/auth/sessions": [204, 204],
  "DELETE /v1/auth/sessions/{sessionId}": [204, 404],
  "PATCH /v1/users/me": [200, 200],
  "DELETE /v1/users/me": [204, 401],
  "POST /v1/organizations": [201, 201],
  "POST /v1/users/me/deleted-organizations/{deletedOrganizationId}/restore": [200, 200],
  "POST /v1/organizations/{organizationId}/sso-connections": [201, 201],
  "POST /v1/organizations/{organizationId}/sso-connections/{connectionId}/verify-domain": [200, 200],
  "PATCH /v1/organizations/{organizationId}/sso-connections/{connectionId}": [200, 200],
  "DELETE /v1/organizations/{organizationId}/sso-connections/{connectionId}": [204, 404],
  "PATCH /v1/organizations/{organizationId}": [200, 200],
  "DELETE /v1/organizations/{organizationId}": [204, 404],
  "PATCH /v1/organizations/{organizationId}/members/{userId}": [200, 200],
  "DELETE /v1/organizations/{organizationId}/members/{userId}": [204, 404],
  "POST /v1/organizations/{organizationId}/leave": [204, 404],
  "POST /v1/organizations/{organizationId}/invitations": [207, 207],
  "POST /v1/organizations/{organizationId}/invitations/{invitationId}/resend": [200, 200],
  "DELETE /v1/organizations/{organizationId}/invitations/{invitationId}": [204, 409],
  "POST /v1/invitations/lookup": [200, 200],
  "POST /v1/invitations/accept": [201, 201],
  "POST /v1/invitations/decline": [204, 400],
  "POST /v1/users/me/invitations/{receivedInvitationId}/accept": [201, 201],
  "POST /v1/users/me/invitations/{receivedInvitationId}/decline": [204, 404],
  "POST /v1/organizations/{organizationId}/share-links": [201, 201],
  "DELETE /v1/organizations/{organizationId}/share-links/{shareLinkId}": [204, 404],
  "POST /v1/organizations/{organizationId}/api-keys": [201, 201],
  "PATCH /v1/organizations/{organizationId}/api-keys/{apiKeyId}": [200, 200],
  "POST /v1/organizations/{organizationId}/api-keys/{apiKeyId}/rotate": [200, 200],
  "DELETE /v1/organizations/{organizationId}/api-keys/{apiKeyId}": [204, 404],
  "POST /v1/organizations/{organizationId}/webhook-endpoints": [201, 201],
  "PATCH /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}": [200, 200],
  "DELETE /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}": [204, 404],
  "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/rotate-secret": [200, 200],
  "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/messages/{webhookMessageId}/replay": [
    202, 409,
  ],
  "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/recover": [202, 202],
  "POST /v1/organizations/{organizationId}/ownership-transfer": [201, 201],
  "DELETE /v1/organizations/{organizationId}/ownership-transfer": [204, 404],
  "POST /v1/organizations/{organizationId}/ownership-transfer/accept": [204, 404],
  "POST /v1/organizations/{organizationId}/ownership-transfer/decline": [204, 404],
  "POST /v1/organizations/{organizationId}/domains": [201, 201],
  "PATCH /v1/organizations/{organizationId}/domains/{domainId}": [200, 200],
  "DELETE /v1/organizations/{organizationId}/domains/{domainId}": [204, 404],
  "POST /v1/organizations/{organizationId}/domains/{domainId}/verify": [200, 200],
  "POST /v1/users/me/suggested-organizations/{suggestedOrganizationId}/join": [201, 201],
  "POST /v1/platform/users/{userId}/suspend": [200, 200],
  "POST /v1/platform/users/{userId}/unsuspend": [200, 200],
  "POST /v1/platform/organizations/{organizationId}/suspend": [200, 200],
  "POST /v1/platform/organizations/{organizationId}/unsuspend": [200, 200],
  "POST /v1/organizations/{organizationId}/subscription/checkout": [201, 201],
  "POST /v1/organizations/{organizationId}/subscription/change": [200, 200],
  "POST /v1/organizations/{organizationId}/subscription/cancel": [200, 200],
  "POST /v1/organizations/{organizationId}/subscription/resume": [200, 409],
  "POST /v1/organizations/{organizationId}/subscription/refresh": [200, 200],
  "POST /v1/organizations/{organizationId}/subscription/portal": [200, 200],
  "POST /v1/organizations/{organizationId}/usage/events": [207, 207],
  "POST /v1/organizations/{organizationId}/usage/{meter}/check": [200, 200],
  "POST /v1/organizations/{organizationId}/usage/{meter}/reservations": [201, 201],
  "POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/commit": [200, 200],
  "POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/release": [204, 404],
  "POST /v1/platform/organizations/{organizationId}/usage/corrections": [207, 207],
  "POST /v1/webhooks/stripe": [200, 200],
  "POST /v1/platform/invoices/{invoiceId}/pay": [200, 409],
  "POST /v1/platform/plans": [201, 201],
  "PATCH /v1/platform/plans/{planId}": [200, 200],
  "POST /v1/platform/plans/{planId}/archive": [200, 200],
  "POST /v1/platform/impersonations": [201, 201],
  "DELETE /v1/platform/impersonations/{impersonationId}": [204, 204],
  "POST /v1/share-links/lookup": [200, 200],
  "POST /v1/share-links/accept": [201, 201],
  "POST /v1/organizations/{organizationId}/teams": [201, 201],
  "PATCH /v1/organizations/{organizationId}/teams/{teamId}": [200, 200],
  "DELETE /v1/organizations/{organizationId}/teams/{teamId}": [204, 404],
  "PUT /v1/organizations/{organizationId}/teams/{teamId}/members/{userId}": [200, 200],
  "DELETE /v1/organizations/{organizationId}/teams/{teamId}/members/{userId}": [204, 404],
  "POST /v1/organizations/{organizationId}/roles": [201, 201],
  "PATCH /v1/organizations/{organizationId}/roles/{roleId}": [200, 200],
  "DELETE /v1/organizations/{organizationId}/roles/{roleId}": [204, 404],
};

describe("every writing operation", () => {
  it("answers its repetition as designed", () => {
    expect(contract.operations.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(designed)));
    for (const { name, first, again } of writes)
      expect([name, first, again]).toEqual([name, ...(designed[name] ?? [])]);
  });

  it.each(writes)("$name changes what is stored, and its repetition nothing more", (plan) => {
    if (!renewing.has(plan.name) && !asking.has(plan.name)) expect(plan.done).not.toEqual(plan.before);
    const [done, twice] = [plan.done, plan.twice].map(withoutTrail);
    // Each sign-in is a session, each mail has a token of its own, and so does each link.
    const adding = ["sign-in", "email-sign-in", "forgot-password", "resend-verification", "change-email"];
    if (
      adding.some((action) => plan.name === `POST /v1/auth/${action}`) ||
      /^POST .+\/(share-links|api-keys|webhook-endpoints|impersonations)$/.test(plan.name)
    )
      expect(twice).toHaveLength((done?.length ?? 0) + 1);
    else expect(twice).toEqual(done);
  });

  it.each(reads)("but $name changes nothing", (plan) => {
    expect([plan.done, plan.twice]).toEqual([plan.before, plan.before]);
  });
});

/** Each fault that commits nothing leaves the world of an operation with one request as it was, for the next of them. */
const [single, several] = [true, false].map((isSingle) =>
  writes.filter(({ statements }) => (statements.length === 1) === isSingle),
);

const casesOf = (of: Plan[] = [], isMeant: (fault: Fault) => boolean = () => true) =>
  of.flatMap((plan) =>
    plan.statements.flatMap((statements, request) =>
      unknownOutcomes(statements)
        .filter(isMeant)
        .map((fault) => ({ ...plan, plan, fault, request, at: fault.statement ?? "" })),
    ),
  );

/** Sends the operation's request into the fault, and looks at what was done of it. */
async function expectUnknown(plan: Plan, world: World, fault: Fault, request: number, isDone: boolean): Promise<void> {
  const service = await openFaulty(fault, request);
  expectUnavailable(await send(plan, world, service), true);
  expect(await service.databaseRequests(), fault.fault).toHaveLength(request + 1);
  expect(await observe(world), fault.fault).toEqual(isDone ? plan.done : plan.before);
}

describe("a write whose outcome nobody knows", () => {
  it.each(single ?? [])("$name: nothing is done by any fault before it is committed", async (plan) => {
    const world = await makeWorld(plan);
    expect(await observe(world)).toEqual(plan.before);
    for (const fault of unknownOutcomes(plan.statements[0] ?? 0).filter((one) => !isCommitted(one))) {
      await expectUnknown(plan, world, fault, 0, false);
    }
    await expectRepeatable(plan, world, false);
  });

  it.each([...casesOf(single, isCommitted), ...casesOf(several)])(
    "$name, request $request: $fault.fault $at",
    async ({ plan, fault, request }) => {
      const world = await makeWorld(plan);
      expect(await observe(world)).toEqual(plan.before);
      const isDone = isCommitted(fault) && request === plan.statements.length - 1;
      await expectUnknown(plan, world, fault, request, isDone);
      if (isSpent(plan, isCommitted(fault) ? request + 1 : request)) await expectSpent(plan, world);
      else await expectRepeatable(plan, world, isDone);
    },
  );
});

describe("a write that was certainly not begun", () => {
  const each = writes.flatMap((plan) => plan.statements.map((_, request) => ({ ...plan, plan, request })));

  it.each(each)("$name, request $request: is repeated and done once", async ({ plan, request }) => {
    const world = await makeWorld(plan);
    const service = await openFaulty(refused, request);
    expect((await send(plan, world, service)).status).toBe(plan.first);
    expect(await service.databaseRequests()).toHaveLength(plan.statements.length + 1);
    expect(await observe(world)).toEqual(plan.done);
  });

  it.each(each)("$name, request $request: says so when that lasts", async ({ plan, request }) => {
    const world = await makeWorld(plan);
    const service = await openFaulty({ ...refused, times: 50 }, request);
    expectUnavailable(await send(plan, world, service), false);
    expect(await service.databaseRequests()).toHaveLength(request + 3);
    expect(await observe(world)).toEqual(plan.before);
    if (isSpent(plan, request)) await expectSpent(plan, world);
    else await expectRepeatable(plan, world, false);
  });
});

describe("a read", () => {
  const faults = ({ statements: [statements = 0] }: Plan) => [...unknownOutcomes(statements), refused];

  it.each(reads)("$name is repeated and answered after any single fault", async (plan) => {
    const world = await makeWorld(plan);
    const sound = await send(plan, world);
    expect(sound.status).toBeLessThan(400);
    const body = sound.body?.exportedAt ? { ...sound.body, exportedAt: expect.any(String) } : sound.body;
    for (const fault of faults(plan)) {
      const service = await openFaulty(fault);
      const answer = await send(plan, world, service);
      expect([fault, answer.status, answer.body]).toEqual([fault, sound.status, body]);
      expect(await service.databaseRequests()).toHaveLength(2);
    }
  });

  it.each(reads)("$name is answered with 503 when the database fails three times", async (plan) => {
    const world = await makeWorld(plan);
    const failing = faults(plan).map(async (fault) => {
      const service = await openFaulty({ ...fault, times: 50 });
      expectUnavailable(await send(plan, world, service), false);
      expect(await service.databaseRequests()).toHaveLength(3);
    });
    await Promise.all(failing);
  });
});

describe("a database that answers too late", () => {
  it("is given up by every operation, which can be repeated and was not done", async () => {
    // All worlds first: the Worker shares this thread, and a busy one sees that it is late only after the answer.
    const late = await Promise.all(
      plans.flatMap((plan) =>
        plan.statements.map(async (_, request) => {
          const service = await openFaulty({ fault: "delay", milliseconds: 10_000 }, request);
          return { plan, request, service, world: await makeWorld(plan) };
        }),
      ),
    );
    const answers = await Promise.all(late.map(({ plan, world, service }) => send(plan, world, service)));
    // And one after another, since to observe a world is to read every table.
    for (const [index, { plan, request, service, world }] of late.entries()) {
      expectUnavailable(answers[index] ?? expect.fail("no answer"), plan.method !== "GET");
      expect(await service.databaseRequests()).toHaveLength(request + 1);
      expect(await observe(world)).toEqual(plan.before);
      if (isSpent(plan, request)) await expectSpent(plan, world);
      else await expectRepeatable(plan, world, false);
    }
  });

  it("because of a lock says that nothing was changed", async () => {
    const world = await makeWorld();
    const { organizationId } = world.ids;
    const path = `/v1/organizations/${organizationId}`;
    const held = asOwner(
      ["select from organizations where id = $1 for update", [organizationId]],
      ["select pg_sleep(4)"],
    );
    const rename = () => openService().call("PATCH", path, { token: world.ada.token, body: { name: "After" } });
    await expect.poll(() => isLocked(organizationId ?? "")).toBe(true);
    expectUnavailable(await rename(), false);
    expect((await openService().call("GET", path, world.ada)).body.name).toBe("Before");
    await held;
    expect((await rename()).status).toBe(200);
  });
});

/** Two that ask for it without waiting cannot both be given it. */
const isLocked = (organizationId: string): Promise<boolean> =>
  asOwner(["select from organizations where id = $1 for update nowait", [organizationId]]).then(
    () => false,
    (error: { code?: string }) => error.code === "55P03",
  );
