import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { readMe, signIn, signUp } from "./support/accounts.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, goodPassword, newEmail, openService, type Service, signUpPerson } from "./support/service.ts";

afterEach(() => vi.restoreAllMocks());

const leaked = "correct horse battery staple";

/** A service that asks the local model of the range API, which fails as it is told, and what it was asked. */
function openChecking(failure = "ok", overrides: Record<string, string> = {}) {
  const tag = crypto.randomUUID();
  const service = openService({
    PASSWORD_BREACH_CHECK_URL: `${inject("rangesUrl")}/${failure}/${tag}/range/`,
    ...overrides,
  });
  const asked = async () => {
    const response = await fetch(`${inject("rangesUrl")}/requests/${tag}`);
    return response.json<{ path: string; headers: Record<string, string> }[]>();
  };
  return { service, asked, tag };
}

const signUpWith = (service: Service, password: string, email = newEmail()) =>
  signUp({ email, password, name: "Ada Lovelace" }, undefined, service);

function expectBreached(answer: Answer, path: string): void {
  expectProblem(answer, "invalid_request");
  expect(answer.body.errors).toEqual([{ path, message: expect.stringContaining("has appeared in a data breach") }]);
}

async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe("A password that has leaked", () => {
  it("is refused by a sign-up, and the database is not asked", async () => {
    const { service } = openChecking();
    expectBreached(await signUpWith(service, leaked), "body.password");
    expect(await service.databaseRequests()).toEqual([]);
  });

  it("is refused by a reset, and the token stays good", async () => {
    const { service } = openChecking();
    const ada = await signUpPerson(service);
    const token = await giveResetToken(ada.id);
    const reset = (password: string) => service.call("POST", "/v1/auth/reset-password", { body: { token, password } });
    await service.databaseRequests();
    expectBreached(await reset(leaked), "body.password");
    expect(await service.databaseRequests()).toEqual([]);
    expect((await reset("another harbour at dusk")).status).toBe(204);
  });

  it("is refused by a change, whatever the current password, and nothing is changed", async () => {
    const { service } = openChecking();
    const ada = await signUpPerson(service);
    await service.databaseRequests();
    for (const currentPassword of [goodPassword, "not the password"]) {
      const body = { currentPassword, newPassword: leaked };
      expectBreached(
        await service.call("POST", "/v1/auth/change-password", { body, token: ada.token }),
        "body.newPassword",
      );
    }
    expect(await service.databaseRequests()).toEqual([]);
    expect((await signIn(ada.email, goodPassword)).status).toBe(200);
  });

  it("is refused when it leaked once, and in any Unicode spelling (NFKC)", async () => {
    const { service } = openChecking();
    for (const password of ["leaked once at sea", "leaked once at \uff53ea", "cre\u0300me bru\u0302le\u0301e at dawn"])
      expectBreached(await signUpWith(service, password), "body.password");
  });

  it("is found in a range of lower case with plain line ends", async () => {
    expectBreached(await signUpWith(openChecking("lower").service, leaked), "body.password");
  });

  it("still signs in whoever has it already, and is asked about by nobody", async () => {
    const ada = newEmail();
    expect((await signUpWith(openService(), leaked, ada)).status).toBe(201);
    const { service, asked } = openChecking();
    const { status, body } = await signIn(ada, leaked, service);
    expect(status).toBe(200);
    const again = await service.call("POST", "/v1/auth/reauthenticate", {
      body: { password: leaked },
      token: body.accessToken,
    });
    expect(again.status).toBe(204);
    expect(await asked()).toEqual([]);
  });
});

describe("A password that has not leaked", () => {
  it("is taken, also one whose entry only pads", async () => {
    const { service } = openChecking();
    for (const password of [goodPassword, "only padding here"])
      expect((await signUpWith(service, password)).status).toBe(201);
  });

  it("costs no further request to the database", async () => {
    const { service } = openChecking();
    await signUpWith(service, goodPassword);
    expect(await service.databaseRequests()).toHaveLength(1);
  });
});

describe("What leaves the service", () => {
  it("is 5 of the 40 digits of a SHA-1, with padding asked for, and nothing of whom it is about", async () => {
    const { service, asked, tag } = openChecking();
    const email = newEmail();
    await signUpWith(service, goodPassword, email);
    const [{ path, headers } = expect.fail("nothing was asked"), ...others] = await asked();
    expect(others).toEqual([]);
    const hash = await sha1(goodPassword);
    expect(path).toBe(`/ok/${tag}/range/${hash.slice(0, 5).toUpperCase()}`);
    expect(headers).toMatchObject({ "add-padding": "true", "user-agent": "saas-backend-layer" });
    const sent = JSON.stringify([path, headers]).toLowerCase();
    for (const secret of [goodPassword, hash.slice(0, 6), hash.slice(5), email, "lovelace"])
      expect(sent).not.toContain(secret.toLowerCase());
    for (const name of ["cookie", "authorization", "referer", "cf-connecting-ip"])
      expect(headers[name]).toBeUndefined();
  });

  it("is nothing for a password that is refused anyway", async () => {
    const { service, asked } = openChecking();
    const email = newEmail();
    for (const password of ["short", "password123", "aaaaaaaaaaaa", "x".repeat(257), email, "ada lovelace"])
      expectProblem(await signUpWith(service, password, email), "invalid_request");
    const ada = await signUpPerson(openService());
    const body = { currentPassword: goodPassword, newPassword: goodPassword };
    expectProblem(
      await service.call("POST", "/v1/auth/change-password", { body, token: ada.token }),
      "invalid_request",
    );
    expect(await asked()).toEqual([]);
  });

  it("is nothing where PASSWORD_BREACH_CHECK_URL is not set", async () => {
    expect((await signUpWith(openService(), leaked)).status).toBe(201);
  });
});

describe("A range API that fails", () => {
  it.each([
    ["answers 500", "error", "status 500"],
    ["answers 429", "limited", "status 429"],
    ["redirects", "moved", "status 302"],
    ["answers with a page", "garbage", "not a range"],
    ["answers with a range that ends in a page", "partly", "not a range"],
    ["answers nothing", "empty", "not a range"],
    ["does not answer", "silent", "timeout"],
    ["stops in the middle", "stalled", "timeout"],
    ["breaks off", "cut", "no connection"],
    ["never stops", "huge", "too large"],
  ])("and %s refuses nobody, and is told of in the log without a trace of the password", async (_, failure, reason) => {
    const { service, asked } = openChecking(failure);
    const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const email = newEmail();
    const started = Date.now();
    expect((await signUpWith(service, leaked, email)).status).toBe(201);
    expect(Date.now() - started).toBeLessThan(3_000);
    expect(await asked()).toHaveLength(1);
    expect((await signIn(email, leaked)).status).toBe(200);
    const lines = warned.mock.calls.map(([line]) => JSON.parse(String(line)));
    expect(lines).toEqual([{ level: "warn", message: "breach check failed", reason }]);
  });

  it("refuses nobody when there is no such server, and logs neither address nor digits", async () => {
    const { service } = openChecking("ok", { PASSWORD_BREACH_CHECK_URL: "http://127.0.0.1:9/range/" });
    const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const { status, body } = await signUpWith(service, leaked);
    expect(status).toBe(201);
    expect(warned.mock.calls).toEqual([['{"level":"warn","message":"breach check failed","reason":"no connection"}']]);
    const hash = (await sha1(leaked)).toUpperCase();
    expect(warned.mock.calls.flat().join()).not.toContain(hash.slice(0, 5));
    expect((await readMe((await signIn(body.email, leaked)).body.accessToken)).status).toBe(200);
  });
});
