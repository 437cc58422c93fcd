import { describe, expect, it } from "vitest";
import { readMe, refresh, storedSessions } from "../support/accounts.ts";
import { asOwner } from "../support/database.ts";
import { type Answer, openService, type Person, signInPerson, signUpPerson } from "../support/service.ts";
import { claimsOf } from "../support/tokens.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

const service = openService();

interface Tokens {
  accessToken: string;
  refreshToken: string;
}

const tokensOf = (answers: Answer[]): Tokens[] =>
  answers.filter(({ status }) => status === 200).map(({ body }) => body);

async function passGrace({ id }: Person): Promise<void> {
  await asOwner(["update sessions set refreshed_at = refreshed_at - interval '11 seconds' where user_id = $1", [id]]);
}

async function expectDead(tokens: Tokens[]): Promise<void> {
  for (const { accessToken, refreshToken } of tokens) {
    expectTally([await readMe(accessToken), await refresh(refreshToken)], { "401 unauthenticated": 2 });
  }
}

describe("one refresh token used 50 times at once", tenRounds, () => {
  it("advances one generation; what all were given is one lineage, which a later reuse ends", async () => {
    const ada = await signUpPerson(service);
    const first = await atOnce(() => refresh(ada.refreshToken));
    expectTally(first, { 200: crowd });
    expect(new Set(first.map(({ body }) => claimsOf(body.refreshToken).gen))).toEqual(new Set([2]));
    expect(await storedSessions(ada.id)).toMatchObject([{ refresh_generation: 2, revoked_at: null }]);

    const second = await atOnce((i) => refresh(first[i]?.body.refreshToken));
    expectTally(second, { 200: crowd });
    expect(new Set(second.map(({ body }) => claimsOf(body.refreshToken).gen))).toEqual(new Set([3]));
    expectTally(await atOnce((i) => readMe(second[i]?.body.accessToken)), { 200: crowd });
    expect(await storedSessions(ada.id)).toMatchObject([{ refresh_generation: 3, revoked_at: null }]);

    await passGrace(ada);
    expect(await refresh(first[0]?.body.refreshToken)).toMatchObject({ body: { code: "refresh_token_reused" } });
    await expectDead([ada, first[1]?.body, second[0]?.body].map((tokens) => ({ accessToken: ada.token, ...tokens })));
  });

  it("beside its successor either renews or revokes the session, and never forks it", async () => {
    const ada = await signUpPerson(service);
    const { body: newer } = await refresh(ada.refreshToken);
    const answers = await atOnce((i) => refresh(i % 2 ? ada.refreshToken : newer.refreshToken));
    const { 200: renewed = 0, "401 refresh_token_reused": reused = 0, ...rest } = tally(answers);
    // Who comes after the one that revoked the session finds none.
    expect(Object.keys(rest).filter((outcome) => outcome !== "401 unauthenticated")).toEqual([]);
    // One of generation 1 comes after one of generation 2 at some time, and then is two behind.
    expect([reused, renewed > 0]).toEqual([1, true]);
    expect(await storedSessions(ada.id)).toMatchObject([{ refresh_generation: 3, revoked_at: expect.anything() }]);
    await expectDead(tokensOf(answers));
  });

  it("once it is stale, is reported once, and the session is gone for all", async () => {
    const ada = await signUpPerson(service);
    const { body: newest } = await refresh(ada.refreshToken);
    await passGrace(ada);
    const answers = await atOnce(() => refresh(ada.refreshToken));
    expectTally(answers, { "401 refresh_token_reused": 1, "401 unauthenticated": crowd - 1 });
    await expectDead([newest]);
  });
});

describe("a session ended while 50 requests use it", tenRounds, () => {
  const endings: Record<string, (ada: Person, other: { token: string }) => Promise<Answer>> = {
    "its own sign-out": (ada) => service.call("POST", "/v1/auth/sign-out", ada),
    "another session of the person's": async (_, { token }) => {
      const { body } = await service.call("GET", "/v1/auth/sessions", { token });
      const { id } = body.data.find(({ current }: { current: boolean }) => !current);
      return service.call("DELETE", `/v1/auth/sessions/${id}`, { token });
    },
    "another that ends all others": (_, other) => service.call("DELETE", "/v1/auth/sessions", other),
    "its own ending of all sessions": (ada) => service.call("DELETE", "/v1/auth/sessions?scope=all", ada),
  };

  it.each(Object.entries(endings))("by %s lets nothing of it succeed from the 204 on", async (_, end) => {
    const ada = await signUpPerson(service);
    const other = await signInPerson(service, ada.email);
    const use = (i: number) => (i % 2 ? refresh(ada.refreshToken) : readMe(ada.token));
    const endAndUse = async () => {
      const ended = await end(ada, other);
      return { ended, later: await atOnce(use, 10) };
    };
    const [before, { ended, later }, after] = await Promise.all([
      atOnce(use, crowd / 2),
      endAndUse(),
      atOnce(use, crowd / 2),
    ]);
    expect(ended.status).toBe(204);
    expectTally(later, { "401 unauthenticated": 10 });
    for (const { status, body } of [...before, ...after]) expect([200, 401], JSON.stringify(body)).toContain(status);
    const [session] = await storedSessions(ada.id);
    expect(session?.["revoked_at"]).not.toBeNull();
    await expectDead(
      tokensOf([...before, ...after])
        .filter(({ refreshToken }) => refreshToken)
        .slice(0, 5),
    );
  });
});

describe("50 sign-outs of one session at once", tenRounds, () => {
  it("are answered with 204 or 401, and end it", async () => {
    const ada = await signUpPerson(service);
    const answers = await atOnce(() => service.call("POST", "/v1/auth/sign-out", ada));
    const { 204: done = 0, "401 unauthenticated": late = 0 } = tally(answers);
    expect([done > 0, done + late]).toEqual([true, crowd]);
    await expectDead([{ accessToken: ada.token, refreshToken: ada.refreshToken }]);
  });
});
