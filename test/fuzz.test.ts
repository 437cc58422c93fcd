import * as fc from "fast-check";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { requestsTo, type RequestPlan } from "./support/arbitraries.ts";
import { expectContract, type Operation } from "./support/contract.ts";
import { giveIdentity, makeProofs } from "./support/identities.ts";
import { giveInvitation, giveShareLink } from "./support/given-invitations.ts";
import { takesPasskey } from "./support/passkeys.ts";
import { takesAdmin } from "./support/platform.ts";
import { fuzzSettings } from "./support/fuzz-settings.ts";
import type { Schema } from "./support/json-schema.ts";
import { bodyOf, contract, fillPath, operations, optionsOf } from "./support/operations.ts";
import { giveAnswerable, giveRole, giveTeam, prepare, type Prepared, takesColleague } from "./support/prepare.ts";
import { forgetFactorAttempts } from "./support/factors.ts";
import { giveMailedTokens } from "./support/one-time-tokens.ts";
import { createOrganization, newAddress, newEmail, openService, signInPerson } from "./support/service.ts";
import { giveConnection, giveDomain } from "./support/sso.ts";
import { signAsShared } from "./support/stripe.ts";
import { giveReservation } from "./support/usage.ts";
import { deafUrl } from "./support/webhooks.ts";
import { forgetAttempts } from "./support/throttles.ts";

const service = openService();
const address = newAddress();

/** An account of which nothing may ever be seen by others. */
let canary: Prepared & { name: string };
let canaryBefore: unknown;

const canaryTexts = () => {
  const { person, organization, ids, name } = canary;
  const { provider: _, meter: __, ...own } = ids;
  return [name, person.id, person.email, organization.slug, person.token, person.refreshToken, ...Object.values(own)];
};

async function lookAtCanary() {
  const { person, ids } = canary;
  const paths = ["/v1/users/me", "/v1/auth/sessions", "/v1/organizations"];
  const answers = [];
  for (const path of [...paths, `/v1/organizations/${ids.organizationId}/members`]) {
    const { status, body } = await service.call("GET", path, { token: person.token });
    answers.push({ path, status, body });
  }
  return answers;
}

beforeAll(async () => {
  const name = `canary-${crypto.randomUUID()}`;
  canary = { ...(await prepare(service, name)), name };
  canaryBefore = await lookAtCanary();
});

/** Nobody, in place of the planted account: an administrator of the platform may do with that what they like. */
const nobody = {
  person: { id: crypto.randomUUID(), email: newEmail() },
  ids: { organizationId: crypto.randomUUID(), sessionId: crypto.randomUUID() },
};

/** What «…» stands for in a plan. */
function fillIn(
  text: string,
  { person, ids }: Prepared,
  body: Record<string, unknown>,
  planted: typeof nobody = canary,
): string {
  const values: Record<string, string> = {
    email: person.email,
    password: person.password,
    currentPassword: person.password,
    refreshToken: person.refreshToken,
    token: String(body["token"]),
    code: typeof body["code"] === "string" ? body["code"] : "04718293",
    codeVerifier: String(body["codeVerifier"]),
    issuer: inject("identityProviderUrl"),
    domain: String(body["domain"]),
    url: deafUrl,
    timezone: "Europe/Berlin",
    userId: person.id,
    priceId: String(person.priceId),
    ...ids,
    "canary.userId": planted.person.id,
    "canary.email": planted.person.email,
    "canary.organizationId": planted.ids.organizationId,
    "canary.sessionId": planted.ids.sessionId,
  };
  const credential = JSON.stringify(person.passkeyAnswer);
  return text
    .replaceAll('"«credential»"', credential)
    .replaceAll(/«([\w.]+)»/g, (whole, name: string) => values[name] ?? whole);
}

function fillInPlan(operation: Operation, plan: RequestPlan, prepared: Prepared): RequestPlan {
  const body = bodyOf(operation, prepared.person) ?? {};
  const planted = takesAdmin(operation.name) ? nobody : canary;
  const fill = (values: Record<string, string>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fillIn(value, prepared, body, planted)]));
  return {
    ...plan,
    parameters: fill(plan.parameters),
    query: plan.query.map(([name, value]) => [name, fillIn(value, prepared, body, planted)]),
    headers: fill(plan.headers),
    body: plan.body === undefined ? undefined : fillIn(plan.body, prepared, body, planted),
  };
}

async function send(operation: Operation, plan: RequestPlan, { person }: Prepared) {
  const encode = (text: string) => encodeURIComponent(text.toWellFormed());
  // An empty segment would be another path.
  const parameters = Object.entries(plan.parameters).map(([name, value]) => [name, encode(value || " ")]);
  const path = fillPath(operation.path, Object.fromEntries(parameters));
  const query = plan.query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  return service.call(operation.method, query ? `${path}?${query}` : path, {
    ...(plan.body !== undefined && { rawBody: plan.body }),
    ...(operation.isGuarded && { token: optionsOf(operation, person).token }),
    headers: {
      "cf-connecting-ip": address,
      ...plan.headers,
      ...(plan.contentType && { "content-type": plan.contentType }),
      // Else nothing but the signature would be looked at.
      ...(plan.headers["stripe-signature"]?.trim() && {
        "stripe-signature": await signAsShared(plan.body ?? ""),
      }),
    },
  });
}

/** Text as the service reads it: trimmed, and addresses in their compatibility form. */
function canonical(given: Schema, value: any): unknown {
  const schema = contract.requests.resolve(given);
  if (typeof value === "string") {
    if (schema["format"] === "email") return value.normalize("NFKC").trim();
    return schema["format"] || schema["pattern"] ? value : value.trim();
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, canonical(schema["properties"]?.[key] ?? {}, item)]),
  );
}

/** Whether the document's own schemas refuse the request, in whatever part of it. */
function isRefused({ parameters, bodySchema, isBodyOptional }: Operation, plan: RequestPlan): boolean {
  const fits = (schema: Schema, text: string) => {
    const isNumber = contract.requests.resolve(schema)["type"] === "integer" && /^-?\d+$/.test(text);
    return contract.requests.findErrors(schema, isNumber ? Number(text) : text, "").length === 0;
  };
  for (const { name, in: place, required, schema } of parameters) {
    const texts: (string | undefined)[] =
      place === "query"
        ? plan.query.filter(([key]) => key === name).map(([, value]) => value)
        : [place === "path" ? plan.parameters[name] : plan.headers[name]?.trim()].filter((text) => text !== undefined);
    if (texts.length > 1 || (required && texts.length === 0)) return true;
    if (texts.some((text) => !fits(schema, text ?? ""))) return true;
  }
  const known = parameters.filter(({ in: place }) => place === "query").map(({ name }) => name);
  if (known.length > 0 && plan.query.some(([name]) => !known.includes(name))) return true;
  if (!bodySchema || (isBodyOptional && !plan.body)) return false;
  if (plan.contentType?.split(";")[0] !== "application/json" || plan.body === undefined) return true;
  try {
    const body: unknown = JSON.parse(plan.body.replace(/^\ufeff/, ""));
    return contract.requests.findErrors(bodySchema, canonical(bodySchema, body), "body").length > 0;
  } catch {
    return true;
  }
}

/** The sender again, with what a success took from it, or another one where it took the account. */
async function renew(sender: Prepared, operation: Operation, body: any, sent = ""): Promise<Prepared> {
  const { method, path } = operation;
  if (path.endsWith("/refresh")) return { ...sender, person: { ...sender.person, refreshToken: body.refreshToken } };
  if (path.endsWith("/change-password")) {
    const { newPassword } = JSON.parse(sent.replace(/^\ufeff/, ""));
    return { ...sender, person: { ...sender.person, password: newPassword } };
  }
  if (bodyOf(operation, sender.person)?.["token"]) {
    const person = { ...sender.person, mailedTokens: await giveMailedTokens(sender.person.id) };
    return { ...sender, person, ids: { ...sender.ids, ...(await giveAnswerable(person, operation.name)) } };
  }
  if (bodyOf(operation, sender.person)?.["codeVerifier"]) {
    return { ...sender, person: { ...sender.person, flowProofs: await makeProofs(sender.person.id) } };
  }
  if (/\{(receivedInvitation|suggestedOrganization|deletedOrganization)Id\}/.test(path)) {
    return { ...sender, ids: { ...sender.ids, ...(await giveAnswerable(sender.person, operation.name)) } };
  }
  if (path.includes("{identityId}")) {
    return { ...sender, ids: { ...sender.ids, identityId: await giveIdentity(sender.person.id) } };
  }
  if (method !== "GET" && /\/(subscription|invoices)\//.test(path)) return prepare(service, undefined, operation);
  if (path.includes("{reservationId}")) {
    return { ...sender, ids: { ...sender.ids, reservationId: await giveReservation(sender.organization.id) } };
  }
  // All of it can be done again.
  if (takesAdmin(operation.name)) return sender;
  if (takesPasskey(operation.name) || (method !== "GET" && takesColleague(operation.name)))
    return prepare(service, undefined, operation);
  if (method === "DELETE" && path.endsWith("/users/me")) return prepare(service, undefined, operation);
  if (method !== "GET" && path.includes("/mfa/")) return prepare(service, undefined, operation);
  if (method !== "DELETE" && !path.endsWith("/sign-out")) return sender;
  if (path.includes("{invitationId}")) {
    return { ...sender, ids: { ...sender.ids, invitationId: await giveInvitation(sender.organization.id) } };
  }
  if (path.includes("{shareLinkId}")) {
    return { ...sender, ids: { ...sender.ids, shareLinkId: await giveShareLink(sender.organization.id) } };
  }
  if (path.includes("{domainId}")) {
    const { id: domainId } = await giveDomain(sender.organization.id);
    return { ...sender, ids: { ...sender.ids, domainId } };
  }
  if (path.includes("{teamId}")) {
    return { ...sender, ids: { ...sender.ids, teamId: await giveTeam(sender.organization.id) } };
  }
  if (path.includes("{roleId}")) {
    return { ...sender, ids: { ...sender.ids, roleId: await giveRole(sender.organization.id) } };
  }
  if (path.includes("{connectionId}")) {
    const { id: connectionId } = await giveConnection(sender.organization.id);
    return { ...sender, ids: { ...sender.ids, connectionId } };
  }
  if (path.includes("{organizationId}")) {
    const organization = await createOrganization(service, sender.person);
    return { ...sender, organization, ids: { ...sender.ids, organizationId: organization.id } };
  }
  const person = { ...sender.person, ...(await signInPerson(service, sender.person.email)) };
  if (!path.includes("{sessionId}")) return { ...sender, person };
  const { body: sessions } = await service.call("GET", "/v1/auth/sessions?limit=1", { token: person.token });
  return { ...sender, person, ids: { ...sender.ids, sessionId: sessions.data[0].id } };
}

/** Nothing of a GET without parameters can be varied, so a few are as good as many. */
const runsOf = ({ method, parameters }: Operation) =>
  method === "GET" && parameters.length === 0 ? Math.min(20, fuzzSettings.numRuns) : fuzzSettings.numRuns;

describe("Whatever it is sent,", () => {
  it.concurrent.each(operations.all)(
    "%s keeps to its contract, refuses what it says it refuses, and shows nothing of others",
    async (_, operation) => {
      let sender = await prepare(service, undefined, operation);
      const statuses = new Set<number>();
      await fc.assert(
        fc.asyncProperty(requestsTo(operation, contract.requests), async (plan) => {
          const filled = fillInPlan(operation, plan, sender);
          const answer = await send(operation, filled, sender);
          statuses.add(answer.status);
          // A challenge is good for one answer, whatever that is.
          if (answer.status < 300 || /passkey/.test(answer.body?.code))
            sender = await renew(sender, operation, answer.body, filled.body);
          if (answer.body?.code === "too_many_attempts") {
            const { id: userId, email } = sender.person;
            await forgetFactorAttempts({ id: userId });
            for (const attempts of [{ userId }, { email, address }]) await forgetAttempts(attempts);
          }

          expectContract(contract, operation, answer);
          if (isRefused(operation, filled)) expect(answer.status).toBeGreaterThanOrEqual(400);
          if (plan.isUnspoiled) expect([400, 413, 415], JSON.stringify(answer.body)).not.toContain(answer.status);
          const text = JSON.stringify(answer.body ?? null);
          if (!takesAdmin(operation.name)) expect(canaryTexts().filter((secret) => text.includes(secret))).toEqual([]);
        }),
        { ...fuzzSettings, numRuns: runsOf(operation) },
      );
      expect([...statuses].filter((status) => status < 400)).not.toEqual([]);
      if (operation.bodySchema) expect([...statuses]).toEqual(expect.arrayContaining([400, 415]));
    },
    60_000 + fuzzSettings.numRuns * 1_000,
  );

  it("the planted account is as it was", async () => {
    expect(await lookAtCanary()).toEqual(canaryBefore);
  });
});
