import { describe, expect, it } from "vitest";
import { eventsOf } from "./support/audit-events.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { failureOf, injectForGood, mine } from "./support/injection.ts";
import { admitStatement } from "./support/admission.ts";
import { newHost } from "./support/invitations.ts";
import { giveDomain, makeVerifiable, setTxtRecords } from "./support/sso.ts";
import { takesAdmin } from "./support/platform.ts";
import { operations, optionsOf, targetOf } from "./support/operations.ts";
import { prepare } from "./support/prepare.ts";
import { createOrganization, openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";

/** Of what is no GET, what changes nothing, or what is kept by itself of who told what: usage, which is told thousands of times. */
const changesNothing = new Set([
  "POST /v1/organizations/{organizationId}/usage/events",
  "POST /v1/organizations/{organizationId}/usage/{meter}/check",
  "POST /v1/organizations/{organizationId}/usage/{meter}/reservations",
  "POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/commit",
  "POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/release",
  "POST /v1/auth/passkeys/authentication-options",
  "POST /v1/auth/passkeys/registration-options",
  "POST /v1/auth/mfa/passkey-options",
  "POST /v1/auth/oauth/{provider}/callback",
  "POST /v1/invitations/lookup",
  "POST /v1/share-links/lookup",
  "POST /v1/organizations/{organizationId}/subscription/portal",
  // What Stripe has is nobody's doing here; of what it changes, see stripe-webhooks.test.ts.
  "POST /v1/organizations/{organizationId}/subscription/refresh",
  "POST /v1/webhooks/stripe",
]);

const changing = operations.all.filter(([name]) => !name.startsWith("GET ") && !changesNothing.has(name));

/** Every text of this length in a value. */
const textsIn = (value: unknown): string[] =>
  typeof value === "string" ? [value] : value && typeof value === "object" ? Object.values(value).flatMap(textsIn) : [];

/** What of a body or an answer nobody else may know. */
const secretNames = /password|token|secret|code|verifier/i;
const secretsIn = (value: unknown): string[] =>
  value && typeof value === "object"
    ? Object.entries(value).flatMap(([name, part]) =>
        (secretNames.test(name) && name !== "tokenType") || String(part).startsWith("sbl_")
          ? textsIn(part).filter((text) => text.length > 5)
          : secretsIn(part),
      )
    : [];

/** An organization that was deleted, with an owner. */
async function giveDeletedHost(): Promise<{ id: string }> {
  const owner = await signUpPerson(openService());
  const { id } = await createOrganization(openService(), owner);
  await openService().call("DELETE", `/v1/organizations/${id}`, { token: owner.token });
  return { id };
}

/** So that what was done already is still to be done. */
async function makeChangeable(operation: string, { email }: Person, organizationId: string): Promise<void> {
  if (operation === "DELETE /v1/auth/sessions") await signInPerson(openService(), email);
  if (operation.includes("/verify")) await makeVerifiable(organizationId);
}

describe("The audit trail", () => {
  it("has nothing of operations that there are, by their names", () => {
    const names = operations.all.map(([name]) => name);
    expect([...changesNothing].filter((name) => !names.includes(name))).toEqual([]);
    expect(changing.length).toBeGreaterThan(50);
  });

  it.each(changing)("has who did it, when %s succeeds, and no secret", async (_, operation) => {
    const service = openService();
    const { person, ids } = await prepare(service, undefined, operation);
    await makeChangeable(operation.name, person, ids.organizationId);
    const options = optionsOf(operation, person);
    const answer = await service.call(operation.method, targetOf(operation, ids), options);
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    const events = await eventsOf(answer.headers.get("x-request-id"));
    expect(events).not.toEqual([]);
    for (const event of events) {
      // Who turns an invitation down without an account is nobody whose address an organization is told.
      const isTold = operation.name !== "POST /v1/invitations/decline" && !takesAdmin(operation.name);
      expect(event.ip_address).toBe(isTold ? service.address : null);
      const type = takesAdmin(operation.name) ? "platform_admin" : "user";
      if (operation.isGuarded) expect([event.actor_type, event.actor_id]).toEqual([type, person.id]);
      if (operation.path.startsWith("/v1/organizations/{")) expect(event.organization_id).toBe(ids.organizationId);
    }
    const secrets = [person.token, person.refreshToken, ...secretsIn(options), ...secretsIn(answer.body)];
    const told = JSON.stringify(events);
    expect(secrets.filter((secret) => secret && told.includes(secret))).toEqual([]);
    expect(told).not.toMatch(/\\\\x[\da-f]{16}|\$2[aby]\$/);
  });

  it("has nothing of a request that was refused, or rolled back", async () => {
    const service = openService();
    const { person, ids } = await prepare(service);
    const refused = await service.call("PATCH", `/v1/organizations/${ids.organizationId}/members/${person.id}`, {
      token: person.token,
      body: { roles: ["viewer"] },
    });
    expect(refused.status).toBe(409);
    expect(await eventsOf(refused.headers.get("x-request-id"))).toEqual([]);
  });

  it("has nothing of a change that changes nothing", async () => {
    const service = openService();
    const { person, organization } = await prepare(service);
    const path = `/v1/organizations/${organization.id}`;
    const { body } = await service.call("GET", path, { token: person.token });
    const answer = await service.call("PATCH", path, { token: person.token, body: { name: body.name } });
    expect([answer.status, await eventsOf(answer.headers.get("x-request-id"))]).toEqual([200, []]);
  });

  it("is read-only for everyone: app_user, app_definer and the owner of the tables", async () => {
    const service = openService();
    const owner = await signUpPerson(service);
    const { id } = await createOrganization(service, owner);
    const read = () =>
      asOwner(
        [
          "select md5(string_agg(e::text, '|' order by e.id)) as print from audit_events e where organization_id = $1",
          [id],
        ],
        [
          "select md5(string_agg(e::text, '|' order by e.id)) as print from user_audit_events e where user_id = $1",
          [owner.id],
        ],
      );
    const before = await read();
    for (const table of ["audit_events", "user_audit_events"]) {
      for (const statement of [
        `update ${table} set action = 'nothing.done'`,
        `update ${table} set before = null where action like '%'`,
        `delete from ${table}`,
        `truncate ${table}`,
        `insert into ${table} select * from ${table}`,
        `merge into ${table} t using (select 1) s on true when matched then delete`,
      ]) {
        expect(await failureOf(asWorker([statement])), statement).toMatchObject({ code: /42501|AP400/ });
        expect(await failureOf(injectForGood([statement])), statement).toMatchObject({ code: "42501" });
        const asDefiner = await failureOf(asOwner(["set local role app_definer"], [statement]));
        const asTheOwner = await failureOf(asOwner([statement]));
        // The definer may delete what is over a year old, which nothing here is; and no row twice.
        if (!/^(delete|merge)/.test(statement)) expect(asDefiner, statement).toMatchObject({ code: /42501|23505/ });
        expect(asTheOwner, statement).toMatchObject({ code: /42501|23505/ });
      }
    }
    expect(await read()).toEqual(before);
  });

  it("is written of what an injected statement does, whatever it makes of the context", async () => {
    const clear = "set_config('app.context', '', true)";
    const rename = (also: string) => `update organizations set name = 'Hostile' returning ${also}`;
    const admission = { ...mine.admission, permission: "organization:update" };
    const run = (statement: string) => asWorker(admitStatement(admission), [statement]);
    expect(await failureOf(run(rename(clear)))).toMatchObject({ code: "AP400" });
    expect(await failureOf(run(rename("set_config('app.seal', '', true)")))).toMatchObject({ code: "AP499" });
    expect(await failureOf(run(rename("app.admit_nobody('forged', '192.0.2.1')")))).toMatchObject({ code: "AP400" });
    await run(rename("1"));
    const [events] = await asOwner([
      "select actor_type, actor_id, action from audit_events where organization_id = $1 order by id desc limit 1",
      [mine.organizationId],
    ]);
    expect(events).toEqual([{ actor_type: "user", actor_id: mine.owner.id, action: "organization.updated" }]);
  });

  it("takes no more of an injected value than fits, whatever it is", async () => {
    const admission = { ...mine.admission, permission: "invitations:write" };
    const link =
      "select app.create_share_link(gen_random_uuid(), '{viewer}', array[$1], 1, 1, sha256(uuid_send(gen_random_uuid())))";
    const [, ids] = await asWorker(
      [
        "select set_config('role', 'app_user', true), app.admit($1::bytea, $2::uuid, $3, false, false, false, $4, $5)",
        [admission.handle, admission.organizationId, admission.permission, "r".repeat(300), "a".repeat(300)],
      ],
      [link, ["x".repeat(9000)]],
    );
    expect(ids).toHaveLength(1);
    const [[event] = []] = await asOwner([
      "select after->>'allowedDomains' as told, length(request_id) as request, length(ip_address) as address from audit_events where organization_id = $1 order by id desc limit 1",
      [mine.organizationId],
    ]);
    expect(event).toEqual({ told: "[too long]", request: 255, address: 45 });
  });

  it("names nobody who acts in another organization, whose domain was this one's", async () => {
    const service = openService();
    const { id: theirs } = await giveDeletedHost();
    const { domain } = await giveDomain(theirs, { verified: true });
    const host = await newHost();
    const ours = await giveDomain(host.id, { domain });
    await setTxtRecords(domain, [ours.txtRecord]);
    const path = `/v1/organizations/${host.id}/domains/${ours.id}/verify`;
    expect((await service.call("POST", path, { token: host.owner.token })).status).toBe(200);
    const [[event] = []] = await asOwner([
      "select action, actor_type, actor_id, request_id, ip_address from audit_events where organization_id = $1 order by id desc limit 1",
      [theirs],
    ]);
    expect(event).toEqual({
      action: "domain.updated",
      actor_type: "system",
      actor_id: null,
      request_id: null,
      ip_address: null,
    });
  });

  it("is told nothing by the Worker's role itself", async () => {
    const call = "select app_private.record_event($1::uuid, null, 'team.created', 'team', $1::uuid)";
    expect(await failureOf(injectForGood([call, [mine.organizationId]]))).toMatchObject({ code: "42501" });
  });

  it("goes to nobody who comes to have the id of what it tells of", async () => {
    const service = openService();
    const owner = await signUpPerson(service);
    const { id } = await createOrganization(service, owner);
    expect((await service.call("DELETE", "/v1/users/me", { token: owner.token })).status).toBe(204);
    const create = "select * from app.create_organization($1::uuid, 'Mine now', '{mine-now-really}')";
    expect(await failureOf(injectForGood([create, [id]]))).toMatchObject({
      code: "23505",
      constraint: "organizations_pkey",
    });
    const signUp = "select app.sign_up($1::uuid, $2, 'Somebody', 1, $3, 'hash', null, null)";
    const salt = "$2b$04$......................";
    const email = `${crypto.randomUUID()}@example.com`;
    expect(await failureOf(asWorker([signUp, [owner.id, email, salt]]))).toMatchObject({
      code: "23505",
      constraint: "users_pkey",
    });
  });
});
