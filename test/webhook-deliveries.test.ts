import { describe, expect, it } from "vitest";
import { asOwner } from "./support/database.ts";
import { purge } from "./support/deletions.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";
import { newPlace, newWebhookHost, passTime, passTimeOfMessages, runCron, verified } from "./support/webhooks.ts";
import type { Received } from "./support/webhook-scripts.ts";

type Host = Awaited<ReturnType<typeof newWebhookHost>>;

async function waitFor(host: Pick<Host, "place">, count: number): Promise<Received[]> {
  await expect.poll(() => host.place.received()).toHaveLength(count);
  return host.place.received();
}

const statusesOf = async (host: Host, id: string): Promise<string[]> =>
  (await host.messages(id, "?limit=100")).body.data.map(({ status }: { status: string }) => status).toReversed();

/** The messages' ids, oldest first, once each of them has this status. */
async function expectSettled(host: Host, id: string, ...statuses: string[]): Promise<string[]> {
  await expect.poll(() => statusesOf(host, id)).toEqual(statuses);
  return (await host.messages(id, "?limit=100")).body.data.map((message: { id: string }) => message.id).toReversed();
}

const typesOf = (received: Received[]): string[] => received.map(({ body }) => JSON.parse(body).type);

describe("A webhook", () => {
  it("tells of a change at once, as the audit trail has it, verified by the library of Standard Webhooks", async () => {
    const host = await newWebhookHost();
    const { id, secret } = await host.make();
    const teamId = await host.makeTeam("Support");
    const [received] = await waitFor(host, 1);
    if (!received) throw new Error("nothing came");
    const payload = verified(secret, received);
    const { body: trail } = await openService().call("GET", `${host.path}/audit-events?limit=1`, {
      token: host.owner.token,
    });
    const { ipAddress: _, createdAt, action, ...event } = trail.data[0];
    expect(payload).toEqual({
      type: "team.created",
      timestamp: createdAt,
      data: { ...event, organizationId: host.id },
    });
    expect([action, event.subject, event.after]).toEqual([
      "team.created",
      { type: "team", id: teamId },
      { name: "Support" },
    ]);
    expect(received.headers).toMatchObject({
      "content-type": "application/json",
      "webhook-id": (await expectSettled(host, id, "delivered"))[0],
    });
    expect(Math.abs(Number(received.headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(10);
  });

  it("is refused by the library when a byte of it, its id, its time or its secret is another", async () => {
    const host = await newWebhookHost();
    const { secret } = await host.make();
    await host.makeTeam();
    const [received] = await waitFor(host, 1);
    if (!received) throw new Error("nothing came");
    const { headers, body } = received;
    expect(verified(secret, received)).toBeTruthy();
    const other = await host.make({ eventTypes: ["organization.restored"] });
    expect(() => verified(other.secret, received)).toThrow("No matching signature found");
    expect(() => verified(secret, { headers, body: body.replace("team", "t3am") })).toThrow(
      "No matching signature found",
    );
    for (const [name, value] of [
      ["webhook-id", crypto.randomUUID()],
      ["webhook-timestamp", String(Number(headers["webhook-timestamp"]) + 1)],
      ["webhook-signature", "v1,"],
    ] as const) {
      expect(() => verified(secret, { headers: { ...headers, [name]: value }, body }), name).toThrow(
        "No matching signature found",
      );
    }
  });

  it("is sent to each endpoint that asks for its type, and to no other organization's", async () => {
    const [host, other] = [await newWebhookHost(), await newWebhookHost()];
    const [all, none] = [newPlace(), newPlace()];
    await host.make();
    await host.make({ url: all.url, eventTypes: [] });
    await host.make({ url: none.url, eventTypes: ["member.added"] });
    await other.make({ eventTypes: [] });
    const teamId = await host.makeTeam();
    await host.renameTeam(teamId, "Renamed");
    expect(typesOf(await waitFor(host, 2))).toEqual(["team.created", "team.updated"]);
    // Its own making, and that of the endpoint after it, are told of too.
    await expect
      .poll(async () => typesOf(await all.received()))
      .toEqual(expect.arrayContaining(["webhook_endpoint.created", "team.created", "team.updated"]));
    expect(await none.received()).toEqual([]);
    expect((await other.place.received()).filter(({ body }) => body.includes(teamId))).toEqual([]);
  });

  it("has no secret, and nothing that is not committed", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make({ eventTypes: [] });
    const key = await openService().call("POST", `${host.path}/api-keys`, {
      token: host.owner.token,
      body: { name: "Planted", scopes: ["members:read"] },
    });
    expect(key.status).toBe(201);
    expectProblem(
      await openService().call("PATCH", `${host.path}/members/${host.owner.id}`, {
        token: host.owner.token,
        body: { roles: ["viewer"] },
      }),
      "last_owner",
    );
    await host.makeTeam();
    await expect.poll(async () => typesOf(await host.place.received())).toContain("team.created");
    const told = JSON.stringify(await host.place.received());
    expect(told).toContain("api_key.created");
    expect(told).not.toContain(key.body.key);
    expect(told).not.toContain("role_revoked");
    expect((await statusesOf(host, id)).length).toBeGreaterThan(0);
  });

  it("costs the request that causes it one database request, and an organization without webhooks nothing after it", async () => {
    const host = await newWebhookHost();
    await host.make();
    const own = openService();
    const make = () =>
      own.call("POST", `${host.path}/teams`, { token: host.owner.token, body: { name: crypto.randomUUID() } });
    expect((await make()).status).toBe(201);
    expect(await own.databaseRequests()).toHaveLength(1);
    const without = await newWebhookHost();
    expect(
      (await own.call("POST", `${without.path}/teams`, { token: without.owner.token, body: { name: "One" } })).status,
    ).toBe(201);
    expect(await own.allDatabaseRequests()).toHaveLength(1);
  });
});

describe("A receiver", () => {
  it("that is down for an hour gets everything afterwards, once and in order for each subject", async () => {
    const host = await newWebhookHost();
    const { id, secret } = await host.make();
    await host.place.answers({ status: 503 });
    const [first, second] = [await host.makeTeam("First"), await host.makeTeam("Second")];
    await host.renameTeam(first, "First again");
    await host.renameTeam(first, "First at last");
    await host.renameTeam(second, "Second again");
    for (let minutes = 0; minutes < 60; minutes += 10) {
      await passTime(id, "10 minutes");
      await runCron();
    }
    expect(await statusesOf(host, id)).toEqual(Array(5).fill("pending"));
    const before = (await host.place.received()).length;
    expect(before).toBeGreaterThan(2);
    await host.place.answers({ status: 200 });
    await passTime(id, "2 hours");
    for (let run = 0; run < 6; run++) await runCron();
    await expectSettled(host, id, ...Array(5).fill("delivered"));
    const after = (await host.place.received()).slice(before).map((one) => verified(secret, one));
    const namesOf = (teamId: string) =>
      after.filter(({ data }) => data.subject.id === teamId).map(({ data }) => data.after.name);
    expect(namesOf(first)).toEqual(["First", "First again", "First at last"]);
    expect(namesOf(second)).toEqual(["Second", "Second again"]);
    expect((await host.read(host.owner, id)).body.failingSince).toBeNull();
  });

  it("gets the events of one subject one after another, also where the first is slow", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 200, delay: 300 }, { status: 200 });
    const teamId = await host.makeTeam("One");
    await Promise.all(["Two", "Three"].map((name) => host.renameTeam(teamId, name)));
    await runCron();
    await runCron();
    await runCron();
    await expectSettled(host, id, "delivered", "delivered", "delivered");
    expect(typesOf(await host.place.received())).toEqual(["team.created", "team.updated", "team.updated"]);
    const times: string[] = (await host.place.received()).map(({ body }) => JSON.parse(body).timestamp);
    expect(times).toEqual(times.toSorted((one, other) => (one < other ? -1 : 1)));
  });

  it.each([
    [
      "redirects",
      { status: 302, headers: { location: "https://elsewhere.example/" } },
      302,
      "redirects are not followed",
    ],
    ["redirects for good", { status: 308, headers: { location: "/received" } }, 308, "redirects are not followed"],
    ["refuses", { status: 401, body: "who are you?" }, 401, "status 401"],
    ["breaks", { status: 500, body: "x".repeat(100_000) }, 500, "status 500"],
    ["answers garbage", { way: "garbage" as const }, null, "the connection failed"],
  ])("that %s is asked again, and the log says why", async (_, script, status, error) => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers(script);
    await host.makeTeam();
    await waitFor(host, 1);
    const log = async () => {
      const { body } = await host.messages(id);
      return (await host.message(id, body.data[0].id)).body;
    };
    await expect.poll(async () => (await log()).log).toHaveLength(1);
    expect(await log()).toMatchObject({
      status: "pending",
      attempts: 1,
      log: [{ status, error, durationMs: expect.any(Number), attemptedAt: expect.stringMatching(/Z$/) }],
    });
    expect((await host.read(host.owner, id)).body.failingSince).not.toBeNull();
    await host.place.answers({});
    await passTime(id, "1 minute");
    await runCron();
    await expectSettled(host, id, "delivered");
    expect((await log()).log.map((attempt: { status: number | null }) => attempt.status)).toEqual([status, 204]);
    expect((await host.place.received()).map(({ headers }) => headers["webhook-id"])).toEqual([
      (await log()).id,
      (await log()).id,
    ]);
  });

  it.each(["endless", "cut"] as const)("whose answer has an %s body has answered: its status counts", async (way) => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 200, way });
    await host.makeTeam();
    await expectSettled(host, id, "delivered");
  });

  it("that is silent is given up in time, and holds nobody else's up", async () => {
    const [host, other] = [await newWebhookHost(), await newWebhookHost()];
    const [{ id }] = [await host.make(), await other.make()];
    await host.place.answers({ way: "silent" });
    await host.makeTeam();
    await other.makeTeam();
    await waitFor(other, 1);
    await expect
      .poll(async () => (await host.read(host.owner, id)).body.failingSince, { timeout: 20_000 })
      .not.toBeNull();
    const { body } = await host.messages(id);
    expect((await host.message(id, body.data[0].id)).body.log[0]).toMatchObject({
      status: null,
      error: "no answer in time",
    });
  }, 40_000);

  it("is asked when it says, up to six hours later", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 429, headers: { "retry-after": "3600" } });
    await host.makeTeam();
    await waitFor(host, 1);
    const next = async () => (await host.messages(id)).body.data[0].nextAttemptAt;
    await expect.poll(async () => (Date.parse(await next()) - Date.now()) / 1000).toBeGreaterThan(3500);
    await passTime(id, "30 minutes");
    await runCron();
    expect(await host.place.received()).toHaveLength(1);
  });

  it("that never answers with success is given up after ten attempts in three days, and the next of the subject goes", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 500 });
    const teamId = await host.makeTeam("One");
    await host.renameTeam(teamId, "Two");
    await waitFor(host, 1);
    for (let attempt = 1; attempt < 10; attempt++) {
      await expect.poll(async () => (await host.messages(id)).body.data[1].attempts).toBe(attempt);
      await expect.poll(async () => (await host.messages(id)).body.data[1].nextAttemptAt).not.toBeNull();
      await passTimeOfMessages(id, "25 hours");
      await runCron();
    }
    await expect.poll(() => statusesOf(host, id)).toEqual(["dead", "pending"]);
    await host.place.answers({ status: 200 });
    await passTimeOfMessages(id, "25 hours");
    await runCron();
    await expectSettled(host, id, "dead", "delivered");
  }, 60_000);

  it("that says it is gone is disabled at once; what it was not sent is dead", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 503 });
    const teamId = await host.makeTeam();
    await host.renameTeam(teamId, "Again");
    await expectSettled(host, id, "pending", "pending");
    await host.place.answers({ status: 410 });
    await passTime(id, "1 minute");
    await runCron();
    await expectSettled(host, id, "dead", "dead");
    expect((await host.read(host.owner, id)).body).toMatchObject({ enabled: false, disabledReason: "gone" });
    await host.makeTeam();
    expect(await statusesOf(host, id)).toHaveLength(2);
    const { body } = await openService().call("GET", `${host.path}/audit-events?subjectId=${id}&limit=1`, {
      token: host.owner.token,
    });
    expect(body.data[0]).toMatchObject({
      action: "webhook_endpoint.updated",
      actor: { type: "system", id: null, impersonatorId: null },
      after: { disabledReason: "gone" },
    });
  });

  it("that has answered nothing for five days is disabled, and begins anew when it is enabled", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 500 });
    await host.makeTeam();
    await waitFor(host, 1);
    await expect.poll(async () => (await host.read(host.owner, id)).body.failingSince).not.toBeNull();
    await asOwner(["update webhook_messages set attempts = 9 where endpoint_id = $1", [id]]);
    await passTime(id, "6 days");
    await runCron();
    await expectSettled(host, id, "dead");
    expect((await host.read(host.owner, id)).body).toMatchObject({ enabled: false, disabledReason: "failing" });
    await host.place.answers({});
    const { body } = await host.change(host.owner, id, { enabled: true });
    expect(body).toMatchObject({ enabled: true, disabledReason: null });
    // Until it has answered it is asked by one message at a time, however often it is enabled.
    expect(body.failingSince).not.toBeNull();
    await host.makeTeam();
    await expectSettled(host, id, "dead", "delivered");
    expect((await host.read(host.owner, id)).body.failingSince).toBeNull();
  });
});

describe("What waits", () => {
  it("for one subject is not hurried by what succeeds for another", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 429, headers: { "retry-after": "3600" } }, {});
    await host.makeTeam();
    await waitFor(host, 1);
    for (let i = 0; i < 3; i++) await host.makeTeam();
    await expectSettled(host, id, "pending", "delivered", "delivered", "delivered");
    const { body } = await host.messages(id, "?status=pending");
    expect(body.data[0]).toMatchObject({ attempts: 1 });
    expect((Date.parse(body.data[0].nextAttemptAt) - Date.now()) / 1000).toBeGreaterThan(3500);
  });

  it("for a tenant's receiver is in no other tenant's way", async () => {
    const [host, other] = [await newWebhookHost(), await newWebhookHost()];
    const { id } = await host.make({ url: "http://127.0.0.1:9/deaf" });
    await asOwner([
      `insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, next_attempt_at)
       select organization_id, id, 'team.created', gen_random_uuid(), '{}', now() - interval '1 day' from webhook_endpoints, generate_series(1, 300)
        where id = $1`,
      [id],
    ]);
    const { id: otherId } = await other.make();
    await other.makeTeam();
    await waitFor(other, 1);
    await expectSettled(other, otherId, "delivered");
    await other.place.answers({ status: 500 });
    await other.makeTeam();
    await expectSettled(other, otherId, "delivered", "pending");
    await other.place.answers({});
    await passTime(otherId, "1 minute");
    await runCron();
    expect(await statusesOf(other, otherId)).toEqual(["delivered", "delivered"]);
  });

  it("is dead when its endpoint is disabled while it is queued, and nothing is stuck behind it", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 500 });
    const teamId = await host.makeTeam("One");
    await expectSettled(host, id, "pending");
    const renaming = asOwner(["update teams set name = 'Two' where id = $1", [teamId]], ["select pg_sleep(1)"]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await host.change(host.owner, id, { enabled: false })).status).toBe(200);
    await renaming;
    await expectSettled(host, id, "dead", "dead");
    await host.place.answers({});
    await host.change(host.owner, id, { enabled: true });
    await host.renameTeam(teamId, "Three");
    await expectSettled(host, id, "dead", "dead", "delivered");
  });

  it("is kept by the clean-up for as long as it waits, and for 30 days when it does not", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    const old =
      "(lpad(to_hex((extract(epoch from now() - interval '31 days') * 1000)::bigint), 12, '0') || '7000' || '8' || substr(md5(random()::text), 1, 15))::uuid";
    await asOwner([
      `insert into webhook_messages (organization_id, id, endpoint_id, type, subject_id, payload, status, next_attempt_at, settled_at)
       select organization_id, ${old}, id, 'team.created', gen_random_uuid(), '{}', status, case status when 'pending' then now() + interval '1 day' end,
              case status when 'dead' then now() end
         from webhook_endpoints, unnest('{pending,dead}'::text[]) status where id = $1`,
      [id],
    ]);
    await purge();
    expect(await statusesOf(host, id)).toEqual(["pending"]);
  });

  it("for an endpoint with more than can be buried at once is buried by and by", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    for (let part = 0; part < 3; part++)
      await asOwner([
        `insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, next_attempt_at)
         select organization_id, id, 'team.created', gen_random_uuid(), '{}', now() + interval '1 day' from webhook_endpoints, generate_series(1, 2000)
          where id = $1`,
        [id],
      ]);
    expect((await host.change(host.owner, id, { enabled: false })).status).toBe(200);
    await runCron();
    await runCron();
    const pending = "select from webhook_messages where endpoint_id = $1 and status = 'pending'";
    expect(await asOwner([pending, [id]])).toEqual([[]]);
  });
});

describe("A host's addresses", () => {
  it.each([
    ["127.0.0.1"],
    ["10.1.2.3"],
    ["172.16.0.1"],
    ["192.168.0.1"],
    ["169.254.169.254"],
    ["100.64.0.1"],
    ["0.0.0.0"],
    ["224.0.0.1"],
    ["::1"],
    ["fd12:3456::1"],
    ["fe80::1"],
    ["::ffff:10.0.0.1"],
    ["64:ff9b::a00:1"],
    ["2002:a00:1::"],
  ])("are looked at before each attempt: nothing is sent to %s, also beside a public one", async (address) => {
    const host = await newWebhookHost();
    const name = `${crypto.randomUUID()}.example.com`;
    await host.resolve(name, ["93.184.216.34", address]);
    const { id } = await host.make({ url: `https://${name}/hook` });
    await host.makeTeam();
    await runCron();
    const log = async () => {
      const { body } = await host.messages(id);
      return (await host.message(id, body.data[0].id)).body.log[0];
    };
    await expect.poll(log).toMatchObject({ status: null, error: "the host has an address that is not public" });
  });

  it("must be there", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make({ url: `https://${crypto.randomUUID()}.example.com/` });
    await host.makeTeam();
    await expect
      .poll(async () => {
        const { body } = await host.messages(id);
        return (await host.message(id, body.data[0].id)).body.log[0];
      })
      .toMatchObject({ status: null, error: "the host has no address" });
  });
});

describe("The secret of a webhook endpoint", () => {
  it("is rotated: for a day both sign, then the new one alone", async () => {
    const host = await newWebhookHost();
    const { id, secret: old } = await host.make();
    const { status, body } = await host.rotate(host.owner, id);
    expect([status, body.secret === old]).toEqual([200, false]);
    expect(Math.round((Date.parse(body.previousSecretExpiresAt) - Date.now()) / 3_600_000)).toBe(24);
    await host.makeTeam();
    const [both] = await waitFor(host, 1);
    if (!both) throw new Error("nothing came");
    for (const secret of [old, body.secret]) expect(verified(secret, both)).toBeTruthy();
    await passTime(id, "25 hours");
    await host.makeTeam();
    const [, alone] = await waitFor(host, 2);
    if (!alone) throw new Error("nothing came");
    expect(verified(body.secret, alone)).toBeTruthy();
    expect(() => verified(old, alone)).toThrow("No matching signature found");
  });

  it("goes at once where it is asked for", async () => {
    const host = await newWebhookHost();
    const { id, secret: old } = await host.make();
    const { body } = await host.rotate(host.owner, id, { overlapSeconds: 0 });
    await host.makeTeam();
    const [received] = await waitFor(host, 1);
    if (!received) throw new Error("nothing came");
    expect(verified(body.secret, received)).toBeTruthy();
    expect(() => verified(old, received)).toThrow("No matching signature found");
    expectProblem(await host.rotate(host.owner, id, { overlapSeconds: 604_801 }), "invalid_request");
  });
});

describe("A message", () => {
  it("that was delivered is sent again under its own id, as often as it is asked for", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.makeTeam();
    const [messageId = ""] = await expectSettled(host, id, "delivered");
    expect((await host.replay(id, messageId)).status).toBe(202);
    const [one, again] = await waitFor(host, 2);
    expect(again?.headers["webhook-id"]).toBe(messageId);
    expect(again?.body).toBe(one?.body);
    await expectSettled(host, id, "delivered");
  });

  it("that is pending is sent by itself, and one of a disabled endpoint is not", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 500 });
    await host.makeTeam();
    const [messageId = ""] = await expectSettled(host, id, "pending");
    expectProblem(await host.replay(id, messageId), "webhook_message_pending");
    await host.change(host.owner, id, { enabled: false });
    await expectSettled(host, id, "dead");
    expectProblem(await host.replay(id, messageId), "webhook_endpoint_disabled");
    expectProblem(await host.recover(id, "2026-01-01T00:00:00.000Z"), "webhook_endpoint_disabled");
    expectProblem(await host.replay(id, crypto.randomUUID()), "webhook_endpoint_disabled");
    await host.change(host.owner, id, { enabled: true });
    expectProblem(await host.replay(id, crypto.randomUUID()), "not_found");
  });

  it("that is dead is recovered with the others since a time, in their order", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 500 });
    const teamId = await host.makeTeam("One");
    await host.renameTeam(teamId, "Two");
    await host.renameTeam(teamId, "Three");
    await host.change(host.owner, id, { enabled: false });
    await expectSettled(host, id, "dead", "dead", "dead");
    const before = (await host.place.received()).length;
    await host.place.answers({});
    await host.change(host.owner, id, { enabled: true });
    expect((await host.recover(id, "2100-01-01T00:00:00.000Z")).body).toEqual({ messages: 0 });
    // Of before 1970, as of any time.
    const { status, body } = await host.recover(id, "0001-01-01T00:00:00.000Z");
    expect([status, body]).toEqual([202, { messages: 3 }]);
    for (let run = 0; run < 3; run++) await runCron();
    await expectSettled(host, id, "delivered", "delivered", "delivered");
    const names = (await host.place.received()).slice(before).map((one) => JSON.parse(one.body).data.after.name);
    expect(names).toEqual(["One", "Two", "Three"]);
  });

  it("is found by its status, page by page", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await host.place.answers({ status: 410 });
    await host.makeTeam();
    await expectSettled(host, id, "dead");
    await host.place.answers({});
    await host.change(host.owner, id, { enabled: true });
    for (let i = 0; i < 3; i++) await host.makeTeam();
    await expectSettled(host, id, "dead", "delivered", "delivered", "delivered");
    expect((await host.messages(id, "?status=dead")).body.data).toHaveLength(1);
    const { body: first } = await host.messages(id, "?status=delivered&limit=2");
    const { body: second } = await host.messages(id, `?status=delivered&limit=2&cursor=${first.nextCursor}`);
    expect([first.data.length, second.data.length, second.nextCursor]).toEqual([2, 1, null]);
    expectProblem(await host.messages(id, "?status=lost"), "invalid_request");
  });
});

describe("Deliverers", () => {
  it("that run at once send each message once", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await asOwner([
      `insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, next_attempt_at)
       select organization_id, id, 'team.created', gen_random_uuid(), '{"type": "team.created"}', now() from webhook_endpoints, generate_series(1, 30)
        where id = $1`,
      [id],
    ]);
    await Promise.all(Array.from({ length: 5 }, runCron));
    await expectSettled(host, id, ...Array(30).fill("delivered"));
    const ids = (await host.place.received()).map(({ headers }) => headers["webhook-id"]);
    expect([ids.length, new Set(ids).size]).toEqual([30, 30]);
  });

  it("that die leave a message to the next, after five minutes", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await asOwner([
      `insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, next_attempt_at, attempts, leased_until)
       select organization_id, id, 'team.created', gen_random_uuid(), '{"type": "team.created"}', now(), 1, now() + interval '5 minutes'
         from webhook_endpoints where id = $1`,
      [id],
    ]);
    await runCron();
    expect(await host.place.received()).toEqual([]);
    await passTime(id, "6 minutes");
    await runCron();
    await expectSettled(host, id, "delivered");
  });
});
