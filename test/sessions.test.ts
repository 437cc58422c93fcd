import { describe, expect, it } from "vitest";
import { readMe, refresh, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { goodPassword, openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const unauthenticated = { status: 401, body: { code: "unauthenticated" } };

const listSessions = (token: string, query = "") => service.call("GET", `/v1/auth/sessions${query}`, { token });
const revoke = (token: string, path = "") => service.call("DELETE", `/v1/auth/sessions${path}`, { token });
const signOut = (token: string) => service.call("POST", "/v1/auth/sign-out", { token });

async function currentSession(token: string): Promise<string> {
  const { body } = await listSessions(token);
  return body.data.find((session: { current: boolean }) => session.current).id;
}

/** A person with several sessions: the one of signing up first. */
async function signInTimes(count: number) {
  const ada = await signUpPerson(service);
  const devices: { token: string; refreshToken: string }[] = [ada];
  while (devices.length < count) devices.push(await signInPerson(service, ada.email));
  const [first = ada, second = ada, third = ada] = devices;
  return { ada, first, second, third };
}

const statusesOf = async (...devices: { token: string }[]) =>
  Promise.all(devices.map(async ({ token }) => (await readMe(token)).status));

describe("GET /v1/auth/sessions", () => {
  it("shows a session with the documented fields and nothing more", async () => {
    const ada = await signUpPerson(service);
    const { status, body } = await listSessions(ada.token);
    expect(status).toBe(200);
    expect(body).toEqual({
      data: [
        {
          id: expect.stringMatching(/^[\da-f-]{36}$/),
          current: true,
          ipAddress: expect.stringMatching(/^2001:db8:/),
          userAgent: null,
          createdAt: instant,
          lastUsedAt: instant,
          idleExpiresAt: instant,
          expiresAt: instant,
          impersonatorId: null,
        },
      ],
      nextCursor: null,
    });
    const { createdAt, expiresAt } = body.data[0];
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(7 * 86_400_000);
  });

  it("shows the newest first, and which one is asking", async () => {
    const { ada, first, second } = await signInTimes(3);
    const newestFirst = (await storedSessions(ada.id)).map(({ id }) => id).toReversed();
    const seen = async (token: string) => {
      const { data } = (await listSessions(token)).body;
      return data.map(({ id, current }: { id: string; current: boolean }) => [id, current]);
    };
    expect(await seen(first.token)).toEqual(newestFirst.map((id, i) => [id, i === 2]));
    expect(await seen(second.token)).toEqual(newestFirst.map((id, i) => [id, i === 1]));
  });

  it("shows the address and the program of the sign-in", async () => {
    const { email } = await signUpPerson(service);
    const { body: tokens } = await service.call("POST", "/v1/auth/sign-in", {
      body: { email, password: goodPassword },
      headers: {
        "cf-connecting-ip": "2001:DB8::7",
        "x-forwarded-for": "198.51.100.1",
        "user-agent": "curl/8.14.1",
      },
    });
    const { body } = await listSessions(tokens.accessToken);
    expect(body.data[0]).toMatchObject({ ipAddress: "2001:db8::7", userAgent: "curl/8.14.1" });
  });

  it("shows no address where Cloudflare has told none", async () => {
    const { email } = await signUpPerson(service);
    const { body: tokens } = await service.call("POST", "/v1/auth/sign-in", {
      body: { email, password: goodPassword },
      headers: { "cf-connecting-ip": "", "x-forwarded-for": "198.51.100.1" },
    });
    const { body } = await listSessions(tokens.accessToken);
    expect(body.data[0].ipAddress).toBeNull();
  });

  it("keeps 512 characters of a longer User-Agent", async () => {
    const { email } = await signUpPerson(service);
    const { status, body: tokens } = await service.call("POST", "/v1/auth/sign-in", {
      body: { email, password: goodPassword },
      headers: { "user-agent": "x".repeat(2_000) },
    });
    expect(status).toBe(200);
    const { body } = await listSessions(tokens.accessToken);
    expect(body.data[0].userAgent).toBe("x".repeat(512));
  });

  it("says when a session was last refreshed", async () => {
    const ada = await signUpPerson(service);
    await asOwner([
      "update sessions set created_at = now() - interval '1 hour', refreshed_at = now() - interval '1 hour' where user_id = $1",
      [ada.id],
    ]);
    await refresh(ada.refreshToken);
    const [session] = (await listSessions(ada.token)).body.data;
    expect(Date.parse(session.lastUsedAt) - Date.parse(session.createdAt)).toBeGreaterThanOrEqual(3_600_000);
  });

  it("pages through all of them, one at a time", async () => {
    const { ada } = await signInTimes(3);
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { status, body } = await listSessions(ada.token, `?limit=1${cursor && `&cursor=${cursor}`}`);
      expect(status).toBe(200);
      expect(body.data).toHaveLength(1);
      seen.push(body.data[0].id);
      cursor = body.nextCursor;
    }
    expect(seen).toEqual((await storedSessions(ada.id)).map(({ id }) => id).toReversed());
  });

  it.each(["cursor=", "cursor=x", "cursor=AAAAAAAAAAAAAAAAAAAAA", "cursor=0%27;drop%20table%20sessions--"])(
    "refuses %s with 400",
    async (query) => {
      const ada = await signUpPerson(service);
      const refused = await listSessions(ada.token, `?${query}`);
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: "query.cursor" }] } });
    },
  );

  it.each(["limit=0", "limit=101", "limit=-1", "limit=1.5", "limit=many", "limit=", "sort=id"])(
    "refuses %s with 400",
    async (query) => {
      const ada = await signUpPerson(service);
      const refused = await listSessions(ada.token, `?${query}`);
      expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    },
  );

  it("never shows somebody else's, not even through their cursor", async () => {
    const { ada } = await signInTimes(3);
    const mallory = await signUpPerson(service);
    const own = [await currentSession(mallory.token)];
    const { body: page } = await listSessions(ada.token, "?limit=1");
    const through = await listSessions(mallory.token, `?cursor=${page.nextCursor}`);
    expect((await listSessions(mallory.token)).body.data.map(({ id }: { id: string }) => id)).toEqual(own);
    expect(through).toMatchObject({ status: 200, body: { data: [] } });
  });

  it("leaves out what is revoked or expired", async () => {
    const { ada, first, second, third } = await signInTimes(3);
    await revoke(first.token, `/${await currentSession(second.token)}`);
    await asOwner(["update sessions set expires_at = now() where id = $1", [await currentSession(third.token)]]);
    expect((await listSessions(ada.token)).body.data).toHaveLength(1);
  });
});

describe("DELETE /v1/auth/sessions/{sessionId}", () => {
  it("revokes one of one's own: its tokens are refused, the others' are not", async () => {
    const { first, second, third } = await signInTimes(3);
    const { status, body } = await revoke(first.token, `/${await currentSession(second.token)}`);
    expect([status, body]).toEqual([204, undefined]);
    expect(await readMe(second.token)).toMatchObject(unauthenticated);
    expect(await refresh(second.refreshToken)).toMatchObject(unauthenticated);
    expect(await statusesOf(first, third)).toEqual([200, 200]);
  });

  it("may revoke the session of the request itself", async () => {
    const ada = await signUpPerson(service);
    expect((await revoke(ada.token, `/${await currentSession(ada.token)}`)).status).toBe(204);
    expect(await readMe(ada.token)).toMatchObject(unauthenticated);
  });

  it("answers 404 for somebody else's, and leaves it alone", async () => {
    const [ada, mallory] = [await signUpPerson(service), await signUpPerson(service)];
    const refused = await revoke(mallory.token, `/${await currentSession(ada.token)}`);
    expect(refused).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect(await statusesOf(ada)).toEqual([200]);
    expect((await refresh(ada.refreshToken)).status).toBe(200);
  });

  it("answers 404 for one that never was, that is revoked or that has expired", async () => {
    const { ada, second, third } = await signInTimes(3);
    const [revoked, expired] = [await currentSession(second.token), await currentSession(third.token)];
    await revoke(ada.token, `/${revoked}`);
    await asOwner(["update sessions set expires_at = now() where id = $1", [expired]]);
    for (const id of [crypto.randomUUID(), revoked, expired]) {
      expect(await revoke(ada.token, `/${id}`)).toMatchObject({ status: 404, body: { code: "not_found" } });
    }
  });

  it.each([
    "1",
    "me",
    "019ab0de8f6c7cc49e6f6f2b7f0f1a03",
    "%27%20or%201=1--",
    "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a03%00",
  ])("answers 400 for the malformed id %s", async (id) => {
    const ada = await signUpPerson(service);
    const refused = await revoke(ada.token, `/${id}`);
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: "path.sessionId" }] } });
    expect(await statusesOf(ada)).toEqual([200]);
  });
});

describe("DELETE /v1/auth/sessions", () => {
  it.each(["", "?scope=others"])("with %j revokes all but the session of the request", async (query) => {
    const { first, second, third } = await signInTimes(3);
    expect((await revoke(second.token, query)).status).toBe(204);
    expect(await statusesOf(first, second, third)).toEqual([401, 200, 401]);
    expect(await refresh(third.refreshToken)).toMatchObject(unauthenticated);
    expect((await refresh(second.refreshToken)).status).toBe(200);
  });

  it("with ?scope=all revokes every one", async () => {
    const { first, second, third } = await signInTimes(3);
    expect((await revoke(second.token, "?scope=all")).status).toBe(204);
    expect(await statusesOf(first, second, third)).toEqual([401, 401, 401]);
  });

  it("leaves other people's alone", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    await revoke(grace.token, "?scope=all");
    expect(await statusesOf(ada, grace)).toEqual([200, 401]);
  });

  it.each(["?scope=everyone", "?scope=", "?user=1"])("refuses %s with 400 and revokes nothing", async (query) => {
    const { first, second } = await signInTimes(2);
    expect(await revoke(first.token, query)).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(await statusesOf(first, second)).toEqual([200, 200]);
  });
});

describe("POST /v1/auth/sign-out", () => {
  it("answers 204 and ends the session of the request: both its tokens are refused at once", async () => {
    const { first, second } = await signInTimes(2);
    const { status, body } = await signOut(first.token);
    expect([status, body]).toEqual([204, undefined]);
    expect(await readMe(first.token)).toMatchObject(unauthenticated);
    expect(await refresh(first.refreshToken)).toMatchObject(unauthenticated);
    expect(await statusesOf(second)).toEqual([200]);
  });

  it("answers 401 the second time", async () => {
    const ada: Person = await signUpPerson(service);
    await signOut(ada.token);
    expect(await signOut(ada.token)).toMatchObject(unauthenticated);
  });

  it("answers 401 without a token", async () => {
    expect(await service.call("POST", "/v1/auth/sign-out")).toMatchObject(unauthenticated);
  });
});
