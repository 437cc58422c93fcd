import { describe, expect, it } from "vitest";
import { disableUser, refresh, storedSessions } from "./support/accounts.ts";
import {
  browserHeaders,
  cookieOf,
  expectCleared,
  expectUntouched,
  openForBrowsers,
  readCookie,
  refreshByCookie,
  signInBrowserAlone,
} from "./support/cookies.ts";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { type Person, signUpPerson } from "./support/service.ts";
import { claimsOf, forge } from "./support/tokens.ts";

const service = openForBrowsers();
const other = new TextEncoder().encode("another-secret-for-tests-alone-Zq8vT3nLw5");

const generationOf = async ({ id }: Person) => (await storedSessions(id)).map((session) => session.refresh_generation);

describe("A token of the cookie", () => {
  it("is no token for the body, nor one of the body for the cookie", async () => {
    const { ada, cookie } = await signInBrowserAlone(service);
    const grace = await signUpPerson(service);
    expectProblem(await refresh(cookie, service), "unauthenticated");
    const moved = await refreshByCookie(service, grace.refreshToken);
    expectProblem(moved, "unauthenticated");
    expectCleared(moved);
    expect([await generationOf(ada), await generationOf(grace)]).toEqual([[1], [1]]);
    expect((await refreshByCookie(service, cookie)).status).toBe(200);
  });

  it("is refused under another name, and nothing is taken back", async () => {
    const { ada, cookie } = await signInBrowserAlone(service);
    for (const name of ["refresh", "__Secure-refresh", "__host-refresh", "__Host-Refresh", "\u2000__Host-refresh"]) {
      const answer = await refreshByCookie(service, "", { ...browserHeaders(), cookie: `${name}=${cookie}` });
      expectProblem(answer, "unauthenticated");
      expectUntouched(answer);
    }
    expect(await generationOf(ada)).toEqual([1]);
  });

  it("is refused beside another of its name, in either order", async () => {
    const [mine, theirs] = [await signInBrowserAlone(service), await signInBrowserAlone(service)];
    for (const pair of [
      [mine, theirs],
      [theirs, mine],
    ]) {
      const cookie = pair.map((browser) => cookieOf(browser.cookie)).join("; ");
      const answer = await refreshByCookie(service, "", { ...browserHeaders(), cookie });
      expectProblem(answer, "unauthenticated");
      expectCleared(answer);
    }
    expect([await generationOf(mine.ada), await generationOf(theirs.ada)]).toEqual([[1], [1]]);
  });

  it.each<[string, (token: string) => string | Promise<string>]>([
    ["empty", () => ""],
    ["garbage", () => "garbage"],
    ["of three parts", () => "eyJh.eyJz.c2ln"],
    ["too long", (token) => token + "x".repeat(10_000)],
    ["in quotes", (token) => `"${token}"`],
    ["an altered one", (token) => `${token.slice(0, -1)}${token.endsWith("A") ? "w" : "A"}`],
    ["an expired one", (token) => forge(token, { claims: { exp: Math.floor(Date.now() / 1000) - 6 } })],
    ["of another generation, signed by somebody else", (token) => forge(token, { claims: { gen: 9 }, key: other })],
  ])("that is %s is refused with 401 before the database is asked, and taken back", async (_, change) => {
    const { ada, cookie } = await signInBrowserAlone(service);
    const counted = openForBrowsers();
    const answer = await refreshByCookie(counted, await change(cookie));
    expectProblem(answer, "unauthenticated");
    expectCleared(answer);
    expect(await counted.databaseRequests()).toEqual([]);
    expect(await generationOf(ada)).toEqual([1]);
  });

  it.each([
    ["has ended", "update sessions set expires_at = now() where user_id = $1"],
    ["was not used", "update sessions set idle_expires_at = now() where user_id = $1"],
    ["is revoked", "update sessions set revoked_at = now() where user_id = $1"],
    ["is gone", "delete from sessions where user_id = $1"],
  ])("whose session %s is refused, and taken back", async (_, change) => {
    const { ada, cookie } = await signInBrowserAlone(service);
    await asOwner([change, [ada.id]]);
    const answer = await refreshByCookie(service, cookie);
    expectProblem(answer, "unauthenticated");
    expectCleared(answer);
  });

  it("of a disabled person is refused, and taken back", async () => {
    const { ada, cookie } = await signInBrowserAlone(service);
    await disableUser(ada.id);
    expectCleared(await refreshByCookie(service, cookie));
  });

  it("stays in the browser while the service cannot answer, and is good afterwards", async () => {
    const { cookie } = await signInBrowserAlone(service);
    const broken = openForBrowsers();
    await broken.injectFault({ fault: "drop-after" });
    const failed = await refreshByCookie(broken, cookie);
    expectProblem(failed, "unavailable");
    expectUntouched(failed);
    expect((await refreshByCookie(service, cookie)).status).toBe(200);

    const limited = openForBrowsers({ RATE_LIMIT_PER_MINUTE: "1" });
    const headers = { ...browserHeaders(cookie), "cf-connecting-ip": "2001:db8:c00c:1e::1" };
    await refreshByCookie(limited, cookie, headers);
    const refused = await refreshByCookie(limited, cookie, headers);
    expectProblem(refused, "rate_limited");
    expectUntouched(refused);
  });

  it("is nowhere in the database", async () => {
    const { ada, cookie } = await signInBrowserAlone(service);
    const headers = { ...browserHeaders(cookie), "idempotency-key": crypto.randomUUID() };
    const answer = await refreshByCookie(service, cookie, headers);
    expect(answer.status).toBe(200);
    const [rows = [], keys = []] = await asOwner(
      ["select s::text as row from sessions s where user_id = $1", [ada.id]],
      ["select k::text as row from idempotency_keys k where key = $1", [headers["idempotency-key"]]],
    );
    expect([rows.length, keys.length]).toEqual([1, 0]);
    const { sid } = claimsOf(cookie);
    for (const secret of [cookie, readCookie(answer).value, sid]) expect(rows[0]?.["row"]).not.toContain(secret);
  });
});
