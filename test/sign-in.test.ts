import { base64url } from "jose";
import { describe, expect, it } from "vitest";
import { disableUser, readMe, signIn, signUp, storedSessions } from "./support/accounts.ts";
import { goodPassword, newEmail, openService, type Service } from "./support/service.ts";
import { claimsOf } from "./support/tokens.ts";

const service = openService();
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const jwt = expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/);

async function newAccount(by: Service = service) {
  const email = newEmail();
  const { status, body } = await signUp({ email, password: goodPassword, name: "Ada Lovelace" }, undefined, by);
  expect(status).toBe(201);
  return { id: body.id as string, email };
}

async function newDisabledAccount() {
  const account = await newAccount();
  await disableUser(account.id);
  return account;
}

/** All of an answer but what is of this one request. */
function comparable({ status, body, headers }: Awaited<ReturnType<typeof signIn>>) {
  const names = [...headers.keys()].filter((name) => !["x-request-id", "server-timing", "ratelimit"].includes(name));
  return { status, body: { ...body, requestId: null }, headers: names.map((name) => [name, headers.get(name)]) };
}

describe("POST /v1/auth/sign-in", () => {
  it("answers 200 with tokens and the account", async () => {
    const { id, email } = await newAccount();
    const { status, body, headers } = await signIn(email, goodPassword);
    expect(status).toBe(200);
    expect(body).toEqual({
      accessToken: jwt,
      tokenType: "Bearer",
      expiresIn: 900,
      refreshToken: jwt,
      sessionExpiresAt: instant,
      user: { id, email, emailVerified: false, name: "Ada Lovelace", createdAt: instant, updatedAt: instant },
    });
    expect(headers.get("cache-control")).toBe("no-store");
  });

  it("gives an access token of 15 minutes that is good at once", async () => {
    const { id, email } = await newAccount();
    const { body } = await signIn(email, goodPassword);
    const { sub, iat, exp } = claimsOf(body.accessToken);
    expect(sub).toBe(id);
    expect(Number(exp) - Number(iat)).toBeGreaterThanOrEqual(899);
    expect(Number(exp) - Number(iat)).toBeLessThanOrEqual(900);
    expect(await readMe(body.accessToken)).toMatchObject({ status: 200, body: { id } });
  });

  it("starts a session that ends when SESSION_EXPIRATION says", async () => {
    const { email } = await newAccount();
    const { body } = await signIn(email, goodPassword, openService({ SESSION_EXPIRATION: "90m" }));
    const minutes = (Date.parse(body.sessionExpiresAt) - Date.now()) / 60_000;
    expect(minutes).toBeGreaterThan(89);
    expect(minutes).toBeLessThanOrEqual(90.1);
    expect(claimsOf(body.refreshToken).exp).toBe(Math.floor(Date.parse(body.sessionExpiresAt) / 1000));
  });

  it("starts a session of its own each time", async () => {
    const { id, email } = await newAccount();
    const [one, two] = [await signIn(email, goodPassword), await signIn(email, goodPassword)];
    expect(claimsOf(one.body.accessToken).sid).not.toBe(claimsOf(two.body.accessToken).sid);
    expect(await storedSessions(id)).toHaveLength(2);
  });

  it("takes the address in any spelling", async () => {
    const { email } = await newAccount();
    expect((await signIn(` ${email.toUpperCase()}`, goodPassword)).status).toBe(200);
    expect((await signIn(email.replace("@", "＠"), goodPassword)).status).toBe(200);
  });

  it("gives a wrong password, an unknown address and a disabled account the same answer", async () => {
    const wrong = await signIn((await newAccount()).email, "not the password");
    const unknown = await signIn(newEmail(), goodPassword);
    const disabled = await signIn((await newDisabledAccount()).email, goodPassword);
    expect(wrong).toMatchObject({ status: 401, body: { code: "invalid_credentials" } });
    expect(comparable(unknown)).toEqual(comparable(wrong));
    expect(comparable(disabled)).toEqual(comparable(wrong));
  });

  it("starts no session when it refuses", async () => {
    const [known, disabled] = [await newAccount(), await newDisabledAccount()];
    await signIn(known.email, "not the password");
    await signIn(disabled.email, goodPassword);
    expect(await storedSessions(known.id)).toEqual([]);
    expect(await storedSessions(disabled.id)).toEqual([]);
  });

  it.each([
    ["no password", { password: undefined }, "body.password"],
    ["a password that is a list", { password: [goodPassword] }, "body.password"],
    ["an address that is an object", { email: { like: "%" } }, "body.email"],
    ["an unknown field", { role: "owner" }, "body"],
  ])("refuses %s with 400", async (_, change, path) => {
    const body = { email: newEmail(), password: goodPassword, ...change };
    const refused = await service.call("POST", "/v1/auth/sign-in", { body });
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request", errors: [{ path }] } });
  });

  it("takes a hostile address or password for text", async () => {
    const { email } = await newAccount();
    for (const password of ["' or 1=1 --", "$2b$04$", "\\", "%", "☠".repeat(100)]) {
      expect((await signIn(email, password)).status).toBe(401);
    }
    for (const address of ["'or(1=1)--@example.com", "%@example.com", "__proto__@example.com"]) {
      expect([400, 401]).toContain((await signIn(address, goodPassword)).status);
    }
  });
});

describe("what sign-in asks of the database", () => {
  it("is two requests for a known address, and the same two for an unknown one", async () => {
    const own = openService();
    const known = await newAccount();
    const queries = async (email: string, password: string) => {
      await signIn(email, password, own);
      const requests = await own.databaseRequests();
      return requests.map(({ statements }) => statements.map(({ query }) => query));
    };
    const right = await queries(known.email, goodPassword);
    expect(right).toHaveLength(2);
    expect(await queries(known.email, "not the password")).toEqual(right);
    expect(await queries(newEmail(), goodPassword)).toEqual(right);
    expect(await queries((await newDisabledAccount()).email, goodPassword)).toEqual(right);
  });

  it("never holds a password or what a token proves itself with", async () => {
    const own = openService();
    const { email } = await newAccount(own);
    const { body: tokens } = await signIn(email, goodPassword, own);
    await own.call("POST", "/v1/auth/refresh", { body: { refreshToken: tokens.refreshToken } });
    await readMe(tokens.accessToken, own);

    const requests = await own.databaseRequests();
    expect(requests).toHaveLength(5);
    const sent = JSON.stringify(requests);
    expect(sent).toContain(email);
    const { sid } = claimsOf(tokens.accessToken);
    const sidInHex = Array.from(base64url.decode(sid), (byte) => byte.toString(16).padStart(2, "0")).join("");
    for (const secret of [goodPassword, tokens.accessToken, tokens.refreshToken, sid, sidInHex]) {
      expect(sent).not.toContain(secret);
    }
  });

  it("shows no stored hash to the Worker", async () => {
    const own = openService();
    const { email } = await newAccount();
    await signIn(email, goodPassword, own);
    const [first] = await own.databaseRequests();
    expect(first?.statements.slice(1).map(({ query }) => query.replaceAll(/\s+/g, " "))).toEqual([
      "select scheme, salt from app.password_parameters($1)",
      "select account_scope::text as account, wait_seconds from app.take_sign_in_attempt($1::bytea, $2::bytea, $3::bytea)",
    ]);
  });
});
