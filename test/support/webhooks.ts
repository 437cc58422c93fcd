import { createScheduledController, env } from "cloudflare:test";
import { inject } from "vitest";
import { Webhook } from "standardwebhooks";
import worker from "../../src/index.ts";
import { readSettings } from "../../src/env.ts";
import { seal } from "../../src/sealing.ts";
import { secretOwner } from "../../src/services/webhook-endpoints.ts";
import { asOwner } from "./database.ts";
import { newHost } from "./invitations.ts";
import { openService, type Person } from "./service.ts";
import type { Received, Script } from "./webhook-scripts.ts";

const service = openService();

/** Nobody listens there. */
export const deafUrl = "http://127.0.0.1:9/hook";

/** An endpoint of an organization, without asking who may make it, and a message of its that is dead. */
export async function giveWebhookEndpoint(
  organizationId: string,
  { url = deafUrl, enabled = true }: { url?: string; enabled?: boolean } = {},
): Promise<{ webhookEndpointId: string; webhookMessageId: string }> {
  const webhookEndpointId = crypto.randomUUID();
  const secret = await seal(readSettings(env), secretOwner(webhookEndpointId), new TextEncoder().encode("a secret"));
  const [, rows = []] = await asOwner(
    [
      `insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret, disabled_at)
       values ($1, $2, $3, 'Given', '{}', $4, case when not $5::boolean then now() end)`,
      [organizationId, webhookEndpointId, url, secret, enabled],
    ],
    [
      `insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, status, settled_at)
       values ($1, $2, 'team.created', gen_random_uuid(), '{"type": "team.created", "timestamp": "2026-01-01T09:30:00.000Z", "data": {}}', 'dead', now())
       returning id`,
      [organizationId, webhookEndpointId],
    ],
  );
  return { webhookEndpointId, webhookMessageId: String(rows[0]?.["id"]) };
}

/** A receiver's place of its own, at the running server. */
export function newPlace() {
  const place = crypto.randomUUID();
  const at = (what: string) => `${inject("webhookReceiverUrl")}/${what}/${place}`;
  return {
    url: at("hook"),
    /** In turn, the last one again and again. */
    async answers(...script: Script[]): Promise<void> {
      await fetch(at("script"), { method: "PUT", body: JSON.stringify(script) });
    },
    received: async (): Promise<Received[]> => (await fetch(at("received"))).json(),
  };
}

/** What came, once its signature was verified by the library of Standard Webhooks. @throws Error for a wrong one */
export const verified = (secret: string, { headers, body }: Received): any => new Webhook(secret).verify(body, headers);

type Caller = Pick<Person, "token">;

/** An organization whose webhooks a test receives, and what can be done with them. */
export async function newWebhookHost() {
  const host = await newHost();
  const at = `${host.path}/webhook-endpoints`;
  const ask = (method: string, path: string, by: Caller, body?: unknown) =>
    service.call(method, `${at}${path}`, { token: by.token, ...(body !== undefined && { body }) });
  const place = newPlace();
  return {
    ...host,
    place,
    create: (by: Caller, body: Record<string, unknown> = {}) => ask("POST", "", by, { url: place.url, ...body }),
    /** Made, with its secret. */
    async make(body: Record<string, unknown> = {}): Promise<{ id: string; secret: string }> {
      const answer = await ask("POST", "", host.owner, {
        url: place.url,
        eventTypes: ["team.created", "team.updated"],
        ...body,
      });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return answer.body;
    },
    list: (by: Caller, query = "") => ask("GET", query, by),
    read: (by: Caller, id: string) => ask("GET", `/${id}`, by),
    change: (by: Caller, id: string, body: unknown) => ask("PATCH", `/${id}`, by, body),
    remove: (by: Caller, id: string) => ask("DELETE", `/${id}`, by),
    rotate: (by: Caller, id: string, body?: unknown) => ask("POST", `/${id}/rotate-secret`, by, body),
    messages: (id: string, query = "", by: Caller = host.owner) => ask("GET", `/${id}/messages${query}`, by),
    message: (id: string, messageId: string, by: Caller = host.owner) => ask("GET", `/${id}/messages/${messageId}`, by),
    replay: (id: string, messageId: string, by: Caller = host.owner) =>
      ask("POST", `/${id}/messages/${messageId}/replay`, by),
    recover: (id: string, since: string, by: Caller = host.owner) => ask("POST", `/${id}/recover`, by, { since }),
    /** Gives a host's name these addresses, in the DNS of the tests. */
    async resolve(name: string, addresses: string[]): Promise<void> {
      await fetch(`${inject("dnsUrl")}/records/${name}`, { method: "PUT", body: JSON.stringify(addresses) });
    },
    async makeTeam(name = `Team ${crypto.randomUUID()}`): Promise<string> {
      const { body } = await service.call("POST", `${host.path}/teams`, { token: host.owner.token, body: { name } });
      return body.id;
    },
    renameTeam: (id: string, name: string) =>
      service.call("PATCH", `${host.path}/teams/${id}`, { token: host.owner.token, body: { name } }),
  };
}

/** As the Cron Trigger does each minute. */
export async function runCron(): Promise<void> {
  await worker.scheduled(createScheduledController({ cron: "* * * * *" }), env as never);
}

/** As if this time had passed for an endpoint's messages and the endpoint itself: the clock of these tests. */
export async function passTime(webhookEndpointId: string, interval: string): Promise<void> {
  await passTimeOfMessages(webhookEndpointId, interval);
  await asOwner([
    `update webhook_endpoints set failing_since = failing_since - $2::interval, previous_expires_at = previous_expires_at - $2::interval
      where id = $1`,
    [webhookEndpointId, interval],
  ]);
}

/** The same for its messages alone. */
export async function passTimeOfMessages(webhookEndpointId: string, interval: string): Promise<void> {
  await asOwner([
    `update webhook_messages set next_attempt_at = next_attempt_at - $2::interval, leased_until = leased_until - $2::interval
      where endpoint_id = $1`,
    [webhookEndpointId, interval],
  ]);
}
