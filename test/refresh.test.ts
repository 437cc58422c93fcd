import { describe, expect, it } from "vitest";
import { disableUser, readMe, refresh, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";
import { claimsOf, forge } from "./support/tokens.ts";

const service = openService();
const otherSecret = new TextEncoder().encode("another-secret-for-tests-alone-Zq8vT3nLw5");

const unauthenticated = { status: 401, body: { code: "unauthenticated" } };
const reused = { status: 401, body: { code: "refresh_token_reused" } };

async function refreshed(refreshToken: string): Promise<{ accessToken: string; refreshToken: string }> {
  const { status, body } = await refresh(refreshToken);
  expect(status).toBe(200);
  return body;
}

/** Lets the 10 seconds pass in which the token before the current one is still good. */
async function passGrace({ id }: Person): Promise<void> {
  await asOwner(["update sessions set refreshed_at = refreshed_at - interval '11 seconds' where user_id = $1", [id]]);
}

async function expectAlive(ada: Person, accessToken = ada.token): Promise<void> {
  expect((await readMe(accessToken)).status).toBe(200);
  expect((await storedSessions(ada.id)).map((session) => session.revoked_at)).toEqual([null]);
}

async function expectRevoked(ada: Person, newest: { accessToken: string; refreshToken: string }): Promise<void> {
  const [session] = await storedSessions(ada.id);
  expect(session?.revoked_at).not.toBeNull();
  expect(await readMe(newest.accessToken)).toMatchObject(unauthenticated);
  expect(await readMe(ada.token)).toMatchObject(unauthenticated);
  expect(await refresh(newest.refreshToken)).toMatchObject(unauthenticated);
}

describe("POST /v1/auth/refresh", () => {
  it("answers 200 with new tokens of the same session", async () => {
    const ada = await signUpPerson(service);
    const { status, body, headers } = await refresh(ada.refreshToken);
    expect(status).toBe(200);
    expect(body).toEqual({
      accessToken: expect.any(String),
      tokenType: "Bearer",
      expiresIn: 900,
      refreshToken: expect.any(String),
      sessionExpiresAt: expect.stringMatching(/\.\d{3}Z$/),
    });
    expect(headers.get("cache-control")).toBe("no-store");
    expect(claimsOf(body.accessToken)).toMatchObject({ sub: ada.id, sid: claimsOf(ada.token).sid });
    await expectAlive(ada, body.accessToken);
  });

  it("asks the database once", async () => {
    const own = openService();
    const ada = await signUpPerson(service);
    await refresh(ada.refreshToken, own);
    expect(await own.databaseRequests()).toHaveLength(1);
  });

  it("does not lengthen the session", async () => {
    const ada = await signUpPerson(service);
    const [before] = await storedSessions(ada.id);
    const { body } = await refresh(ada.refreshToken);
    expect(Date.parse(body.sessionExpiresAt)).toBe(new Date(before?.expires_at).getTime());
  });

  it("rotates: each token leads to the next, however late it is used", async () => {
    const ada = await signUpPerson(service);
    let tokens: { accessToken: string; refreshToken: string } = { accessToken: ada.token, ...ada };
    for (let generation = 2; generation <= 4; generation++) {
      await passGrace(ada);
      tokens = await refreshed(tokens.refreshToken);
      const [session] = await storedSessions(ada.id);
      expect(session?.refresh_generation).toBe(generation);
    }
    await expectAlive(ada, tokens.accessToken);
  });
});

describe("a refresh token used twice", () => {
  it("within 10 seconds gets a successor that works the same", async () => {
    const ada = await signUpPerson(service);
    const first = await refreshed(ada.refreshToken);
    const second = await refreshed(ada.refreshToken);
    expect(claimsOf(second.refreshToken).gen).toBe(claimsOf(first.refreshToken).gen);
    expect((await readMe(second.accessToken)).status).toBe(200);
    const third = await refreshed(second.refreshToken);
    await expectAlive(ada, third.accessToken);
  });

  it("later revokes the session for good, although the request fails", async () => {
    const ada = await signUpPerson(service);
    const newest = await refreshed(ada.refreshToken);
    await passGrace(ada);
    expect(await refresh(ada.refreshToken)).toMatchObject(reused);
    await expectRevoked(ada, newest);
  });

  it("revokes that session and no other of the person's", async () => {
    const ada = await signUpPerson(service);
    const other = await signInPerson(service, ada.email);
    await refreshed(ada.refreshToken);
    await asOwner([
      "update sessions set refreshed_at = now() - interval '11 seconds' where user_id = $1 and refresh_generation = 2",
      [ada.id],
    ]);
    expect(await refresh(ada.refreshToken)).toMatchObject(reused);
    expect(await readMe(ada.token)).toMatchObject(unauthenticated);
    expect((await readMe(other.token)).status).toBe(200);
    expect((await refresh(other.refreshToken)).status).toBe(200);
  });

  it("from two generations back revokes the session at once", async () => {
    const ada = await signUpPerson(service);
    const second = await refreshed(ada.refreshToken);
    const newest = await refreshed(second.refreshToken);
    expect(await refresh(ada.refreshToken)).toMatchObject(reused);
    await expectRevoked(ada, newest);
  });

  it("does not have its 10 seconds begin anew with each repetition", async () => {
    const ada = await signUpPerson(service);
    const newest = await refreshed(ada.refreshToken);
    await asOwner([
      "update sessions set refreshed_at = refreshed_at - interval '9 seconds' where user_id = $1",
      [ada.id],
    ]);
    await refresh(ada.refreshToken);
    await asOwner([
      "update sessions set refreshed_at = refreshed_at - interval '2 seconds' where user_id = $1",
      [ada.id],
    ]);
    expect(await refresh(ada.refreshToken)).toMatchObject(reused);
    await expectRevoked(ada, newest);
  });

  it("50 times at once advances one generation, and all successors are one lineage", async () => {
    const ada = await signUpPerson(service);
    // The row is held for a moment, so that they meet at it.
    const held = asOwner(["select id from sessions where user_id = $1 for update", [ada.id]], ["select pg_sleep(0.3)"]);
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(ada.refreshToken)));
    await held;
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(answers.map(({ body }) => claimsOf(body.refreshToken).gen)).toEqual(Array(50).fill(2));
    expect((await storedSessions(ada.id)).map((session) => session.refresh_generation)).toEqual([2]);

    const [one, two] = answers.map(({ body }) => body);
    await refreshed(one.refreshToken);
    const newest = await refreshed(two.refreshToken);
    expect(claimsOf(newest.refreshToken).gen).toBe(3);
    expect(await refresh(ada.refreshToken)).toMatchObject(reused);
    await expectRevoked(ada, newest);
  });
});

describe("a refresh token is refused with 401", () => {
  it("when the session has expired", async () => {
    const ada = await signUpPerson(service);
    await asOwner(["update sessions set expires_at = now() where user_id = $1", [ada.id]]);
    expect(await refresh(ada.refreshToken)).toMatchObject(unauthenticated);
  });

  it("when the session is revoked", async () => {
    const ada = await signUpPerson(service);
    await asOwner(["update sessions set revoked_at = now() where user_id = $1", [ada.id]]);
    expect(await refresh(ada.refreshToken)).toMatchObject(unauthenticated);
  });

  it("when the session is deleted", async () => {
    const ada = await signUpPerson(service);
    await asOwner(["delete from sessions where user_id = $1", [ada.id]]);
    expect(await refresh(ada.refreshToken)).toMatchObject(unauthenticated);
  });

  it("when the person is disabled", async () => {
    const ada = await signUpPerson(service);
    await disableUser(ada.id);
    expect(await refresh(ada.refreshToken)).toMatchObject(unauthenticated);
  });

  it("when it is an access token, and the other way round", async () => {
    const ada = await signUpPerson(service);
    expect(await refresh(ada.token)).toMatchObject(unauthenticated);
    expect(await readMe(ada.refreshToken)).toMatchObject(unauthenticated);
    await expectAlive(ada);
  });

  const now = () => Math.floor(Date.now() / 1000);

  it.each([
    ["signed by somebody else", () => ({ key: otherSecret })],
    ["of a made-up generation, signed by somebody else", () => ({ claims: { gen: 99 }, key: otherSecret })],
    ["of the generation 0", () => ({ claims: { gen: 0 } })],
    ["of the generation -1", () => ({ claims: { gen: -1 } })],
    ["of the generation 1.5", () => ({ claims: { gen: 1.5 } })],
    ['of the generation "1"', () => ({ claims: { gen: "1" } })],
    ["without a generation", () => ({ claims: { gen: undefined } })],
    ["an expired one", () => ({ claims: { exp: now() - 6 } })],
    ["older than a session may be", () => ({ claims: { iat: now() - 7 * 86_400 - 6 } })],
    ["for the audience of access tokens", () => ({ claims: { aud: "saas-backend-layer/api" } })],
    ["of the type of access tokens", () => ({ header: { typ: "at+jwt" } })],
  ])("when it is %s, without asking the database or revoking anything", async (_, forgery) => {
    const own = openService();
    const ada = await signUpPerson(service);
    const forged = await forge(ada.refreshToken, forgery());
    expect(await refresh(forged, own)).toMatchObject(unauthenticated);
    expect(await own.databaseRequests()).toEqual([]);
    await expectAlive(ada);
    expect((await refresh(ada.refreshToken)).status).toBe(200);
  });

  it.each(["", "null", "a.b.c", "....", "eyJ".repeat(1000)])("when it is garbage: %s", async (garbage) => {
    expect(await refresh(garbage)).toMatchObject(unauthenticated);
  });

  it.each([[null], [1], [["a.b.c"]], ["x".repeat(4097)]])(
    "or with 400 when it is not a token at all",
    async (value) => {
      expect(await refresh(value)).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    },
  );
});
