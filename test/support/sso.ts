import { env } from "cloudflare:test";
import { expect, inject } from "vitest";
import { readSettings } from "../../src/env.ts";
import { seal } from "../../src/sealing.ts";
import { secretOwner } from "../../src/services/sso.ts";
import { asOwner } from "./database.ts";
import { challengeOf, codeVerifier, type Flow, readFragment, type Script, scriptAnswer } from "./oauth.ts";
import { type Answer, createOrganization, openService, type Service, signUpPerson } from "./service.ts";

/** Nobody else's. */
export const newDomain = () => `d${crypto.randomUUID()}.example`;

/** An issuer that nobody else has, at the scripted provider. */
export const newIssuer = () => `${inject("scriptedProviderUrl")}/company-${crypto.randomUUID()}`;

export const scriptedSecret = "a-client-secret-of-the-scripted-provider";

export interface Connection {
  id: string;
  organizationId: string;
  domain: string;
  issuer: string;
  txtRecord: string;
}

/** Gives an organization a connection, as the routes do. */
export async function giveConnection(
  organizationId: string,
  {
    domain = newDomain(),
    issuer = newIssuer(),
    clientSecret = scriptedSecret,
    verified = true,
  }: { domain?: string; issuer?: string; clientSecret?: string; verified?: boolean } = {},
): Promise<Connection> {
  const id = crypto.randomUUID();
  const txtRecord = `saas-verification=${id}`;
  const secret = await seal(readSettings(env), secretOwner(id), new TextEncoder().encode(clientSecret));
  await asOwner([
    `insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret, domain_verified_at)
     values ($1, $2, $3, $4, $5, 'a-client', $6, case when $7 then now() end)`,
    [organizationId, id, domain, txtRecord, issuer, secret, verified],
  ]);
  return { id, organizationId, domain, issuer, txtRecord };
}

/** Gives an organization a domain, whose people may join, as an owner of it would; not verified, without a verified one. */
export async function giveDomain(
  organizationId: string,
  { domain = newDomain(), verified = false }: { domain?: string; verified?: boolean } = {},
): Promise<{ id: string; domain: string; txtRecord: string }> {
  const id = crypto.randomUUID();
  const txtRecord = `saas-verification=${id}`;
  await asOwner([
    `insert into organization_domains (organization_id, id, domain, txt_record, verified_at, enrollment, enrollment_set_by)
     select $1, $2, $3, $4, case when $5 then now() end, 'suggest', user_id
       from membership_roles where organization_id = $1 and role = 'owner' limit 1`,
    [organizationId, id, domain, txtRecord, verified],
  ]);
  return { id, domain, txtRecord };
}

export async function setTxtRecords(domain: string, values: string[]): Promise<void> {
  const url = `${inject("dnsUrl")}/records/_saas-challenge.${domain}`;
  await fetch(url, { method: "PUT", body: JSON.stringify(values) });
}

/** As if none of an organization's domains had been verified, though each has its record. */
export async function makeVerifiable(organizationId: string): Promise<void> {
  const changed = await asOwner(
    ["update organization_domains set verified_at = null where organization_id = $1 returning *", [organizationId]],
    ["update sso_connections set domain_verified_at = null where organization_id = $1 returning *", [organizationId]],
  );
  for (const row of changed.flat()) await setTxtRecords(row["domain"], [row["txt_record"]]);
}

export async function beginSso(service: Service, email: string): Promise<Answer> {
  const query = new URLSearchParams({ email, codeChallenge: await challengeOf(codeVerifier) });
  return service.call("GET", `/v1/auth/sso?${query.toString()}`);
}

/** A flow that has begun at a company's provider. */
export async function beginSsoFlow(service: Service, email: string): Promise<Flow> {
  const answer = await beginSso(service, email);
  expect(answer.status, JSON.stringify(answer.body)).toBe(302);
  const url = new URL(answer.headers.get("location") ?? "");
  const [cookie = ""] = answer.headers.getSetCookie();
  return { provider: "sso", url, cookie: cookie.split(";")[0] ?? "", state: url.searchParams.get("state") ?? "" };
}

export const comeBackFromSso = (service: Service, { cookie }: Flow, parameters: URLSearchParams): Promise<Answer> =>
  service.call("GET", `/v1/auth/sso/callback?${parameters.toString()}`, { headers: { cookie } });

/** A whole flow at the scripted provider of this domain, which says these claims. */
export async function getSsoCode(
  service: Service,
  { domain, issuer }: { domain: string; issuer: string },
  claims: Record<string, unknown>,
  script: Script = {},
): Promise<string> {
  const flow = await beginSsoFlow(service, `anybody@${domain}`);
  const answer = scriptAnswer(flow, { ...script, claims: { iss: issuer, ...claims } });
  const { code, error } = readFragment(await comeBackFromSso(service, flow, answer));
  if (!code) throw new Error(`the flow gave no code but ${error}`);
  return code;
}

export const connectionsPath = (organizationId: string, connectionId?: string) =>
  `/v1/organizations/${organizationId}/sso-connections${connectionId === undefined ? "" : `/${connectionId}`}`;

/** Somebody whose organization has no connection yet, and where its connections are. */
export async function newConnectionOwner() {
  const service = openService();
  const owner = await signUpPerson(service);
  const organizationId = (await createOrganization(service, owner)).id;
  const pathOf = (connectionId?: string, organization = organizationId) => connectionsPath(organization, connectionId);
  return { owner, organizationId, pathOf };
}

/** The body of a request for another connection. */
export const connectionInput = (changes: Record<string, unknown> = {}) => ({
  domain: newDomain(),
  issuer: newIssuer(),
  clientId: "a-client",
  clientSecret: "a-secret-of-the-company",
  ...changes,
});
