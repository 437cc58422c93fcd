import { describe, expect, it } from "vitest";
import { readMe, storedSessions } from "./support/accounts.ts";
import {
  browserHeaders,
  expectCleared,
  expectUntouched,
  openForBrowsers,
  refreshByCookie,
  signInBrowser,
  startBrowserSession,
} from "./support/cookies.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { bodyOf, operations, optionsOf, targetOf } from "./support/operations.ts";
import { prepare } from "./support/prepare.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, type Person } from "./support/service.ts";

const service = openForBrowsers();

describe("A session that ends takes its cookie back", () => {
  const ends: [string, (token: string, headers: Record<string, string>, ada: Person) => Promise<Answer>][] = [
    ["POST /v1/auth/sign-out", (token, headers) => service.call("POST", "/v1/auth/sign-out", { token, headers })],
    [
      "DELETE /v1/auth/sessions?scope=all",
      (token, headers) => service.call("DELETE", "/v1/auth/sessions?scope=all", { token, headers }),
    ],
    [
      "DELETE /v1/auth/sessions/{sessionId}",
      async (token, headers) =>
        service.call("DELETE", `/v1/auth/sessions/${await idOf(token, true)}`, { token, headers }),
    ],
    ["DELETE /v1/users/me", (token, headers) => service.call("DELETE", "/v1/users/me", { token, headers })],
    [
      "POST /v1/auth/reset-password",
      async (_, headers, ada) =>
        service.call("POST", "/v1/auth/reset-password", {
          body: { token: await giveResetToken(ada.id), password: "another harbour at dusk" },
          headers,
        }),
    ],
  ];

  it.each(ends)("with %s, and of a browser that sent none takes nothing", async (_, end) => {
    const first = await signInBrowser(service);
    const answer = await end(first.token, browserHeaders(first.cookie), first.ada);
    expect(answer.status).toBe(204);
    expectCleared(answer);
    expectProblem(await readMe(first.token), "unauthenticated");
    expectProblem(await refreshByCookie(service, first.cookie), "unauthenticated");
    const second = await signInBrowser(service);
    const without = await end(second.token, browserHeaders(), second.ada);
    expect(without.status).toBe(204);
    expectUntouched(without);
  });

  it("not with the end of others", async () => {
    const { ada, token, cookie } = await signInBrowser(service);
    const headers = browserHeaders(cookie);
    const one = await service.call("DELETE", `/v1/auth/sessions/${await idOf(token, false)}`, { token, headers });
    await startBrowserSession(service, ada);
    const others = await service.call("DELETE", "/v1/auth/sessions", { token, headers });
    for (const answer of [one, others]) {
      expect(answer.status).toBe(204);
      expectUntouched(answer);
    }
    expect((await refreshByCookie(service, cookie)).status).toBe(200);
  });

  it("not where it was refused", async () => {
    const { cookie } = await signInBrowser(service);
    const stranger = await signInBrowser(service);
    const path = `/v1/auth/sessions/${await idOf(stranger.token, true)}`;
    const { token } = await signInBrowser(service);
    const answers = [
      await service.call("DELETE", path, { token, headers: browserHeaders(cookie) }),
      await service.call("POST", "/v1/auth/sign-out", { headers: browserHeaders(cookie) }),
      await service.call("POST", "/v1/auth/reset-password", {
        body: { token: "x".repeat(43), password: "another harbour at dusk" },
        headers: browserHeaders(cookie),
      }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([404, 401, 400]);
    for (const answer of answers) expectUntouched(answer);
  });

  async function idOf(token: string, current: boolean): Promise<string> {
    const { body } = await service.call("GET", "/v1/auth/sessions", { token });
    return body.data.find((session: { current: boolean }) => session.current === current).id;
  }
});

describe("The cookie alone", () => {
  it.each(operations.guarded)("reaches nothing at %s, and asks no database", async (_, operation) => {
    const counted = openForBrowsers();
    const { person, ids } = await prepare(counted, undefined, operation);
    // Of somebody without a second factor, which this person may have.
    const { cookie } = await signInBrowser(counted);
    await counted.databaseRequests();
    const path = targetOf(operation, ids);
    const body = bodyOf(operation, person);
    for (const authorization of [undefined, "", "Bearer", `Bearer ${cookie}`, `Cookie ${cookie}`]) {
      const headers = { ...browserHeaders(cookie), ...(authorization !== undefined && { authorization }) };
      const answer = await counted.call(operation.method, path, { body, headers });
      expectProblem(answer, "unauthenticated");
      expectUntouched(answer);
    }
    expect(await counted.databaseRequests()).toEqual([]);
  });

  it.each(operations.guarded)("adds nothing to a token at %s: whose token it is, is served", async (_, operation) => {
    const { person, ids } = await prepare(service, undefined, operation);
    const stranger = await signInBrowser(service);
    const options = optionsOf(operation, person);
    const headers = browserHeaders(stranger.cookie);
    const answer = await service.call(operation.method, targetOf(operation, ids), { ...options, headers });
    expect(answer.status).toBeLessThan(300);
    expect(JSON.stringify(answer.body ?? null)).not.toContain(stranger.ada.id);
    expect((await storedSessions(stranger.ada.id)).map((session) => session["revoked_at"])).toEqual([null, null]);
  });
});
