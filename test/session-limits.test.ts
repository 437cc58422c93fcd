import { createScheduledController, env } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import worker from "../src/index.ts";
import { readMe, refresh, signIn, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, openService, type Person, signUpPerson } from "./support/service.ts";

const DAY = 86_400_000;

const service = openService({ SESSION_EXPIRATION: "30d/7d" });

const listSessions = (token: string) => service.call("GET", "/v1/auth/sessions", { token });

/** The person's only session, and how far its ends are from its last use and its beginning, in milliseconds. */
async function lifeOf({ id }: Person) {
  const [session] = await storedSessions(id);
  const time = (column: string) => new Date(session?.[column]).getTime();
  return {
    idle: time("idle_expires_at") - time("refreshed_at"),
    absolute: time("expires_at") - time("created_at"),
    isOneEnd: time("idle_expires_at") === time("expires_at"),
    isRevoked: session?.["revoked_at"] !== null,
  };
}

/** Lets time pass: all that is stored of the session is that much older. */
async function pass(interval: string, { id }: Person): Promise<void> {
  const times = ["created_at", "authenticated_at", "refreshed_at", "idle_expires_at", "expires_at"];
  const changes = times.map((column) => `${column} = ${column} - interval '${interval}'`);
  await asOwner([`update sessions set ${changes.join(", ")} where user_id = $1`, [id]]);
}

/** Both ends of the session, each from now. */
async function end({ id }: Person, idle: string, absolute: string): Promise<void> {
  await asOwner([
    "update sessions set idle_expires_at = now() + $2::interval, expires_at = now() + $3::interval where user_id = $1",
    [id, idle, absolute],
  ]);
}

describe("SESSION_EXPIRATION", () => {
  it.each([
    ["30d/7d", 7 * DAY, 30 * DAY],
    ["1h/15m", DAY / 96, DAY / 24],
    ["365d/365d", 365 * DAY, 365 * DAY],
    ["12h", DAY / 2, DAY / 2],
  ])("%s sets when a session ends that is not used, and when it ends in any case", async (setting, idle, absolute) => {
    const ada = await signUpPerson(openService({ SESSION_EXPIRATION: setting }));
    expect(await lifeOf(ada)).toEqual({ idle, absolute, isOneEnd: idle === absolute, isRevoked: false });
  });

  it("counts for sessions that have begun under another, from their next refresh on", async () => {
    const ada = await signUpPerson(service);
    const stricter = openService({ SESSION_EXPIRATION: "30d/1h" });
    const { status, body } = await refresh(ada.refreshToken, stricter);
    expect(status).toBe(200);
    expect((await lifeOf(ada)).idle).toBeLessThanOrEqual(DAY / 24);
    await pass("61 minutes", ada);
    expectProblem(await refresh(body.refreshToken, service), "unauthenticated");
  });
});

describe("A refresh", () => {
  it("begins the idle time anew, and never the lifetime", async () => {
    const ada = await signUpPerson(service);
    await pass("6 days 23 hours", ada);
    const { status, body } = await refresh(ada.refreshToken, service);
    expect(status).toBe(200);
    const { idle, absolute } = await lifeOf(ada);
    expect(Math.abs(idle - 7 * DAY)).toBeLessThan(5_000);
    expect(absolute).toBe(30 * DAY);
    const [session] = await storedSessions(ada.id);
    expect(Date.parse(body.sessionExpiresAt)).toBe(new Date(session?.["expires_at"]).getTime());
  });

  it("leads no further than the session's end", async () => {
    const ada = await signUpPerson(service);
    await end(ada, "1 hour", "2 days");
    expect((await refresh(ada.refreshToken, service)).status).toBe(200);
    expect((await lifeOf(ada)).isOneEnd).toBe(true);
  });

  it("that repeats another within 10 seconds gives no more time", async () => {
    const ada = await signUpPerson(service);
    await refresh(ada.refreshToken, service);
    await end(ada, "1 hour", "2 days");
    const [before] = await storedSessions(ada.id);
    expect((await refresh(ada.refreshToken, service)).status).toBe(200);
    expect(await storedSessions(ada.id)).toEqual([before]);
  });

  it("keeps a session alive that is used, until its end", async () => {
    const ada = await signUpPerson(service);
    let tokens = { accessToken: ada.token, refreshToken: ada.refreshToken };
    for (let week = 1; week <= 4; week++) {
      await pass("6 days 23 hours", ada);
      const { status, body } = await refresh(tokens.refreshToken, service);
      expect(status, `week ${week}`).toBe(200);
      tokens = body;
    }
    expect((await readMe(tokens.accessToken, service)).status).toBe(200);
    await pass("2 days 5 hours", ada);
    expectProblem(await refresh(tokens.refreshToken, service), "unauthenticated");
    expectProblem(await readMe(tokens.accessToken, service), "unauthenticated");
  });

  it("50 at once extend it once, and all of it", async () => {
    const ada = await signUpPerson(service);
    await pass("6 days", ada);
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(ada.refreshToken, service)));
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(Math.abs((await lifeOf(ada)).idle - 7 * DAY)).toBeLessThan(5_000);
    expect((await storedSessions(ada.id)).map((session) => session["refresh_generation"])).toEqual([2]);
  });
});

describe.each([
  ["was not used for its idle time", "-1 second", "20 days"],
  ["has come to its end", "20 days", "-1 second"],
])("A session that %s", (_, idle, absolute) => {
  it("is refused, by its refresh token as by its access token", async () => {
    const ada = await signUpPerson(service);
    await end(ada, idle, absolute);
    expectProblem(await refresh(ada.refreshToken, service), "unauthenticated");
    expectProblem(await readMe(ada.token, service), "unauthenticated");
    expectProblem(await listSessions(ada.token), "unauthenticated");
    expect((await lifeOf(ada)).isRevoked).toBe(false);
  });

  it("is not listed any more, nor to be revoked", async () => {
    const ada = await signUpPerson(service);
    const [session] = await storedSessions(ada.id);
    await end(ada, idle, absolute);
    const { body: newer } = await signIn(ada.email, goodPassword, service);
    const { body } = await listSessions(newer.accessToken);
    expect(body.data.map(({ current }: { current: boolean }) => current)).toEqual([true]);
    const path = `/v1/auth/sessions/${session?.["id"]}`;
    expectProblem(await service.call("DELETE", path, { token: newer.accessToken }), "not_found");
  });

  it("does not come back when the other end is still far", async () => {
    const ada = await signUpPerson(service);
    await end(ada, idle, absolute);
    for (const setting of ["30d/7d", "365d"]) {
      const lenient = openService({ SESSION_EXPIRATION: setting });
      expectProblem(await refresh(ada.refreshToken, lenient), "unauthenticated");
    }
  });

  it("is forgotten 30 days later, and not before", async () => {
    const [old, recent] = [await signUpPerson(service), await signUpPerson(service)];
    await end(old, idle, absolute);
    await end(recent, idle, absolute);
    await pass("30 days 1 hour", old);
    await pass("29 days 23 hours", recent);
    await worker.scheduled(createScheduledController({ cron: "17 * * * *" }), env as never);
    expect([(await storedSessions(old.id)).length, (await storedSessions(recent.id)).length]).toEqual([0, 1]);
  });
});

describe("A session that was revoked", () => {
  it("is forgotten 30 days later, and not before", async () => {
    const [old, recent] = [await signUpPerson(service), await signUpPerson(service)];
    for (const [{ id, token }, age] of [
      [old, "30 days 1 hour"],
      [recent, "29 days 23 hours"],
    ] as const) {
      expect((await service.call("POST", "/v1/auth/sign-out", { token })).status).toBe(204);
      await asOwner(["update sessions set revoked_at = revoked_at - $2::interval where user_id = $1", [id, age]]);
    }
    await worker.scheduled(createScheduledController({ cron: "17 * * * *" }), env as never);
    expect([(await storedSessions(old.id)).length, (await storedSessions(recent.id)).length]).toEqual([0, 1]);
  });
});

describe("An account", () => {
  it("has 100 sessions at most, so that all can be ended at once: another sign-in ends the oldest", async () => {
    const ada = await signUpPerson(service);
    await asOwner([
      `insert into sessions (id, user_id, handle_hash, idle_expires_at, expires_at)
       select ('019ab0de' || substr(gen_random_uuid()::text, 9))::uuid, $1, sha256(gen_random_uuid()::text::bytea), now() + interval '1 day', now() + interval '1 day'
         from generate_series(1, 98) n`,
      [ada.id],
    ]);
    const isLive = async () => (await storedSessions(ada.id)).filter(({ revoked_at }) => revoked_at === null).length;
    await signIn(ada.email, goodPassword, service);
    expect(await isLive()).toBe(100);
    expect((await signIn(ada.email, goodPassword, service)).status).toBe(200);
    expect(await isLive()).toBe(100);
    expect((await storedSessions(ada.id))[0]?.["revoked_at"]).not.toBeNull();
    expect((await readMe(ada.token, service)).status).toBe(200);
  });

  it("loses none to sign-ins that wait for its second factor: the password alone ends nobody's session", async () => {
    const ada = await signUpPerson(service);
    await asOwner(
      [
        `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
         values (gen_random_uuid(), $1::uuid, 'key', sha256($1::text::bytea), 'key', 0, '', false)`,
        [ada.id],
      ],
      ["update sessions set second_factor = 'given' where user_id = $1", [ada.id]],
      [
        `insert into sessions (id, user_id, handle_hash, second_factor, idle_expires_at, expires_at)
         select ('019ab0de' || substr(gen_random_uuid()::text, 9))::uuid, $1, sha256(gen_random_uuid()::text::bytea), 'pending', now() + interval '1 day', now() + interval '1 day'
           from generate_series(1, 105) n`,
        [ada.id],
      ],
    );
    expect((await signIn(ada.email, goodPassword, service)).status).toBe(202);
    const live = (await storedSessions(ada.id)).filter(({ revoked_at }) => revoked_at === null);
    expect(live.map(({ second_factor }) => second_factor).filter((state) => state === "given")).toHaveLength(1);
    expect(live).toHaveLength(11);
    expect((await readMe(ada.token, service)).status).toBe(200);
  });
});

describe("GET /v1/auth/sessions", () => {
  it("tells both ends of a session, and of its last use", async () => {
    const ada = await signUpPerson(service);
    const headers = { "cf-connecting-ip": "203.0.113.7", "user-agent": "curl/8.14.1" };
    const body = { email: ada.email, password: goodPassword };
    const { body: tokens } = await service.call("POST", "/v1/auth/sign-in", { body, headers });
    await pass("3 days", ada);
    await refresh(tokens.refreshToken, service);
    const { data } = (await listSessions(tokens.accessToken)).body;
    const [session] = data;
    expect(session).toMatchObject({ current: true, ipAddress: "203.0.113.7", userAgent: "curl/8.14.1" });
    const [created, used, idle, absolute] = ["createdAt", "lastUsedAt", "idleExpiresAt", "expiresAt"].map((name) =>
      Date.parse(session[name]),
    ) as [number, number, number, number];
    expect(absolute - created).toBe(30 * DAY);
    expect(Math.abs(used - created - 3 * DAY)).toBeLessThan(5_000);
    expect(Math.abs(idle - used - 7 * DAY)).toBeLessThan(5_000);
  });
});
