import { describe, expect, it } from "vitest";
import { giveApiKey } from "./support/api-keys.ts";
import { addMember, asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { giveWebhookEndpoint, newWebhookHost } from "./support/webhooks.ts";

describe("POST /v1/organizations/{organizationId}/webhook-endpoints", () => {
  it("makes an endpoint, and tells its secret this once", async () => {
    const host = await newWebhookHost();
    const { status, body } = await host.create(host.owner, { description: " Ours ", eventTypes: ["member.added"] });
    expect(status).toBe(201);
    const { secret, ...endpoint } = body;
    expect(secret).toMatch(/^whsec_[\w+/]{43}=$/);
    expect(endpoint).toMatchObject({
      url: host.place.url,
      description: "Ours",
      eventTypes: ["member.added"],
      enabled: true,
      disabledAt: null,
      disabledReason: null,
      failingSince: null,
      previousSecretExpiresAt: null,
    });
    expect((await host.read(host.owner, endpoint.id)).body).toEqual(endpoint);
    expect((await host.list(host.owner)).body).toEqual({ data: [endpoint], nextCursor: null });
    const [rows] = await asOwner(["select t::text as row from webhook_endpoints t where id = $1", [endpoint.id]]);
    const bytes = Uint8Array.from(atob(secret.slice(6)), (c) => c.charCodeAt(0));
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    expect(JSON.stringify(rows)).not.toContain(hex);
  });

  it.each([
    "http://hooks.example.com/",
    "https://localhost/",
    "https://hooks.localhost/",
    "https://127.0.0.1/",
    "https://10.0.0.8/hook",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://[::1]/",
    "https://[fd00::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://intranet/",
    "https://user:password@hooks.example.com/",
    "https://hooks.example.com/#part",
    "https://hooks.example.com:443/",
    "HTTPS://hooks.example.com/",
    "https://hooks.example.com",
    "https://hooks.example.com/a/../b",
    "ftp://hooks.example.com/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "not a URL at all",
  ])("refuses %s with 400: none of ours goes there", async (url) => {
    const host = await newWebhookHost();
    const answer = await host.create(host.owner, { url });
    expectProblem(answer, "invalid_request");
    expect(answer.body.errors[0].path).toBe("body.url");
    const { id } = await host.make();
    expectProblem(await host.change(host.owner, id, { url }), "invalid_request");
  });

  it("takes this machine's own addresses outside of production alone", async () => {
    const host = await newWebhookHost();
    const production = openService({ ENVIRONMENT: "production", BCRYPT_WORK_FACTOR: "10" });
    const call = (url: string) =>
      production.call("POST", `${host.path}/webhook-endpoints`, { token: host.owner.token, body: { url } });
    expectProblem(await call(host.place.url), "invalid_request");
    expect((await call("https://hooks.example.com/ours?for=them")).status).toBe(201);
  });

  it.each([
    { eventTypes: ["member.vanished"] },
    { eventTypes: ["member.added", "member.added"] },
    { eventTypes: "member.added" },
    { description: "x".repeat(201) },
    { url: undefined },
    { url: `https://hooks.example.com/${"x".repeat(2048)}` },
    { secret: "whsec_mine" },
    { organizationId: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" },
  ])("refuses %j with 400", async (body) => {
    const host = await newWebhookHost();
    expectProblem(await host.create(host.owner, body), "invalid_request");
  });

  it("makes 20 for an organization at most, also when many are asked for at once", async () => {
    const host = await newWebhookHost();
    const answers = await Promise.all(Array.from({ length: 25 }, () => host.create(host.owner)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    for (const answer of answers.filter(({ status }) => status !== 201))
      expectProblem(answer, "webhook_endpoint_limit");
    expect((await host.list(host.owner, "?limit=100")).body.data).toHaveLength(20);
  });

  it("says which setting is missing where nothing is encrypted", async () => {
    const host = await newWebhookHost();
    const bare = openService({ ENCRYPTION_KEY: undefined });
    const answer = await bare.call("POST", `${host.path}/webhook-endpoints`, {
      token: host.owner.token,
      body: { url: host.place.url },
    });
    expectProblem(answer, "encryption_off");
    expect(answer.body.detail).toContain("ENCRYPTION_KEY");
  });
});

describe("A webhook endpoint", () => {
  it("is changed where something is given, and stays as it is else", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make({ description: "Before" });
    const { body: before } = await host.read(host.owner, id);
    const { status, body } = await host.change(host.owner, id, { eventTypes: [] });
    expect([status, body]).toEqual([200, { ...before, eventTypes: [], updatedAt: body.updatedAt }]);
    expect((await host.change(host.owner, id, { description: "After" })).body).toMatchObject({ description: "After" });
    for (const wrong of [{}, { enabled: "no" }, { id }, { disabledAt: null }]) {
      expectProblem(await host.change(host.owner, id, wrong), "invalid_request");
    }
  });

  it("is disabled and enabled; when, is told of the first time", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    const { body: disabled } = await host.change(host.owner, id, { enabled: false });
    expect(disabled).toMatchObject({ enabled: false, disabledReason: null });
    expect((await host.change(host.owner, id, { enabled: false })).body.disabledAt).toBe(disabled.disabledAt);
    expect((await host.change(host.owner, id, { enabled: true })).body).toMatchObject({
      enabled: true,
      disabledAt: null,
    });
  });

  it("is deleted with its messages, once", async () => {
    const host = await newWebhookHost();
    const { webhookEndpointId, webhookMessageId } = await giveWebhookEndpoint(host.id);
    expect((await host.message(webhookEndpointId, webhookMessageId)).status).toBe(200);
    expect((await host.remove(host.owner, webhookEndpointId)).status).toBe(204);
    expectProblem(await host.remove(host.owner, webhookEndpointId), "not_found");
    expectProblem(await host.message(webhookEndpointId, webhookMessageId), "not_found");
    expectProblem(await host.messages(webhookEndpointId), "not_found");
    expect(await asOwner(["select from webhook_messages where endpoint_id = $1", [webhookEndpointId]])).toEqual([[]]);
  });

  it("is listed page by page, newest first", async () => {
    const host = await newWebhookHost();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await host.make()).id);
    const { body: first } = await host.list(host.owner, "?limit=2");
    const { body: second } = await host.list(host.owner, `?limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids);
    expect(second.nextCursor).toBeNull();
  });

  it("is for those with webhooks:read and webhooks:write, and nobody else's", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    const [admin, member, outsider] = [
      await signUpPerson(openService()),
      await signUpPerson(openService()),
      await signUpPerson(openService()),
    ];
    await addMember(host.id, admin.id, "admin");
    await addMember(host.id, member.id, "member");
    expect((await host.read(admin, id)).status).toBe(200);
    expectProblem(await host.read(member, id), "forbidden");
    expectProblem(await host.create(member), "forbidden");
    expectProblem(await host.read(outsider, id), "not_found");
    const reading = await giveApiKey(host.id, host.owner.id, ["webhooks:read"]);
    expect((await host.read(reading, id)).status).toBe(200);
    expectProblem(await host.rotate(reading, id), "forbidden");
    const other = await newWebhookHost();
    const theirs = await other.make();
    for (const answer of [
      await host.read(host.owner, theirs.id),
      await host.change(host.owner, theirs.id, { description: "Mine" }),
      await host.rotate(host.owner, theirs.id),
      await host.messages(theirs.id),
      await host.recover(theirs.id, "2026-01-01T00:00:00.000Z"),
      await host.remove(host.owner, theirs.id),
    ]) {
      expectProblem(answer, "not_found");
    }
  });
});
