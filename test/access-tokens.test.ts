import { generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { disableUser, readMe } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, openService, signUpPerson } from "./support/service.ts";
import { claimsOf, type Forgery, forge, forgeUnsigned, rawNumber } from "./support/tokens.ts";

const service = openService();
const rsa = generateKeyPair("RS256");

const unauthenticated = { status: 401, body: { code: "unauthenticated" } };

const bytes = (text: string) => new TextEncoder().encode(text);
const now = () => Math.floor(Date.now() / 1000);

const newToken = async () => (await signUpPerson(service)).token;

function expectChallenge(answer: Answer): void {
  expectProblem(answer, "unauthenticated");
  expect(answer.headers.get("www-authenticate")).toBe("Bearer");
}

/** The answer to a token of ours with a forgery, and what it cost the database. */
async function present(token: string) {
  const own = openService();
  const answer = await readMe(token, own);
  return { answer, requests: await own.databaseRequests() };
}

describe("an access token", () => {
  it("is taken when it is signed as the service signs it", async () => {
    const { answer, requests } = await present(await forge(await newToken(), {}));
    expect(answer.status).toBe(200);
    expect(requests).toHaveLength(1);
  });

  it("names its type, its issuer, its audience, its person and its session, and nothing else", async () => {
    const { id, token } = await signUpPerson(service);
    expect(JSON.parse(atob(token.split(".")[0] ?? ""))).toEqual({ alg: "HS256", typ: "at+jwt" });
    expect(claimsOf(token)).toEqual({
      iss: "saas-backend-layer",
      aud: "saas-backend-layer/api",
      sub: id,
      sid: expect.stringMatching(/^[\w-]{43}$/),
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
  });

  it("is taken for 5 seconds more than it lasts, since clocks differ", async () => {
    const { answer } = await present(await forge(await newToken(), { claims: { exp: now() - 1 } }));
    expect(answer.status).toBe(200);
  });

  it("speaks for its session's person, whomever it names", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service, "Grace Hopper")];
    const { answer } = await present(await forge(grace.token, { claims: { sub: ada.id } }));
    expect(answer.body.id).toBe(grace.id);
  });
});

describe("an access token is refused with 401, and the database is not asked,", () => {
  it("when it is unsigned: alg none", async () => {
    const token = await newToken();
    for (const unsigned of [forgeUnsigned(token), forgeUnsigned(token, token.split(".")[2])]) {
      const { answer, requests } = await present(unsigned);
      expectChallenge(answer);
      expect(requests).toEqual([]);
    }
  });

  it("when it is signed with RS256, with the service's claims", async () => {
    const { privateKey } = await rsa;
    const { answer, requests } = await present(
      await forge(await newToken(), { header: { alg: "RS256" }, key: privateKey }),
    );
    expectChallenge(answer);
    expect(requests).toEqual([]);
  });

  it("when its claims were exchanged under the signature", async () => {
    const [token, other] = [await newToken(), await newToken()];
    const [header, , signature] = token.split(".");
    const { answer, requests } = await present([header, other.split(".")[1], signature].join("."));
    expectChallenge(answer);
    expect(requests).toEqual([]);
  });

  const forgeries: [string, () => Forgery][] = [
    ["HS512 under the right secret", () => ({ header: { alg: "HS512" } })],
    ["HS384 under the right secret", () => ({ header: { alg: "HS384" } })],
    ["another secret", () => ({ key: bytes("another-secret-for-tests-alone-Zq8vT3nLw5") })],
    ["the secret's first half", () => ({ key: bytes("a-secret-for-tests-a") })],
    ["an empty secret's nearest, one zero byte", () => ({ key: new Uint8Array(1) })],
    [
      "a secret brought along as jwk",
      () => ({ header: { jwk: { kty: "oct", k: "AA" } }, key: bytes("\0".repeat(32)) }),
    ],
    ["another audience", () => ({ claims: { aud: "somebody-else" } })],
    ["the audience of refresh tokens", () => ({ claims: { aud: "saas-backend-layer/refresh" } })],
    ["no audience", () => ({ claims: { aud: undefined } })],
    ["another issuer", () => ({ claims: { iss: "https://evil.example" } })],
    ["no issuer", () => ({ claims: { iss: undefined } })],
    ["the type of any JWT", () => ({ header: { typ: "JWT" } })],
    ["the type of refresh tokens", () => ({ header: { typ: "refresh+jwt" } })],
    ["no type", () => ({ header: { typ: undefined } })],
    ["no exp", () => ({ claims: { exp: undefined } })],
    ["no iat", () => ({ claims: { iat: undefined } })],
    ["no sub", () => ({ claims: { sub: undefined } })],
    ["no sid", () => ({ claims: { sid: undefined } })],
    ["an exp of 0", () => ({ claims: { exp: 0 } })],
    ["an exp that is text", () => ({ claims: { exp: String(now() + 600) } })],
    ["an exp of 1e400", () => ({ claims: { exp: rawNumber("1e400") } })],
    ["an exp that is null", () => ({ claims: { exp: null } })],
    ["an exp more than 5 seconds ago", () => ({ claims: { exp: now() - 6 } })],
    ["an iat of 15 minutes ago and a later exp", () => ({ claims: { iat: now() - 906, exp: now() + 600 } })],
    ["an iat of tomorrow", () => ({ claims: { iat: now() + 86_400, exp: now() + 86_500 } })],
    ["an iat of -1e400", () => ({ claims: { iat: rawNumber("-1e400") } })],
    ["an nbf of tomorrow", () => ({ claims: { nbf: now() + 86_400 } })],
    ["a sub that is an object", () => ({ claims: { sub: { id: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" } } })],
    ["a sub that is no id", () => ({ claims: { sub: "ada" } })],
    ["a sid that is too short", () => ({ claims: { sid: "a".repeat(42) } })],
    ["a sid that is too long", () => ({ claims: { sid: "a".repeat(44) } })],
    ["an empty sid", () => ({ claims: { sid: "" } })],
    ["a sid of other characters", () => ({ claims: { sid: "+".repeat(43) } })],
    ["a sid that is a list", () => ({ claims: { sid: ["a".repeat(43)] } })],
  ];

  it.each(forgeries)("when it has %s", async (_, forgery) => {
    const { answer, requests } = await present(await forge(await newToken(), forgery()));
    expectChallenge(answer);
    expect(requests).toEqual([]);
  });

  const headers: [string, (token: string) => string][] = [
    ["Basic and a good token", (token) => `Basic ${token}`],
    ["a good token alone", (token) => token],
    ["Bearer twice", (token) => `Bearer Bearer ${token}`],
    ["two spaces", (token) => `Bearer  ${token}`],
    ["a tab", (token) => `Bearer\t${token}`],
    ["a comma", (token) => `Bearer,${token}`],
    ["something after the token", (token) => `Bearer ${token} x`],
    ["two tokens", (token) => `Bearer ${token}, Bearer ${token}`],
    ["a quoted token", (token) => `Bearer "${token}"`],
    ["a token with a part too many", (token) => `Bearer ${token}.`],
    ["a token without its signature", (token) => `Bearer ${token.slice(0, token.lastIndexOf("."))}`],
    ["nothing", () => ""],
    ["Bearer alone", () => "Bearer"],
    ["Bearer and a space", () => "Bearer "],
    ["null", () => "Bearer null"],
    ["dots", () => "Bearer .."],
    ["no base64", () => "Bearer a.b.c"],
    ["JSON that is no object", () => "Bearer bnVsbA.bnVsbA.bnVsbA"],
    ["percent signs", () => "Bearer %00%ff%"],
    ["100,000 characters", () => `Bearer ${"eyJ".repeat(33_333)}`],
    ["100,000 dots", () => `Bearer ${".".repeat(100_000)}`],
  ];

  it.each(headers)("when the Authorization header is %s", async (_, header) => {
    const own = openService();
    const authorization = header(await newToken());
    expectChallenge(await own.call("GET", "/v1/users/me", { headers: { authorization } }));
    expect(await own.databaseRequests()).toEqual([]);
  });

  it("when there is none, wherever else it may be put", async () => {
    const own = openService();
    const token = await newToken();
    expectChallenge(await own.call("GET", "/v1/users/me"));
    expectChallenge(await own.call("GET", `/v1/users/me?access_token=${token}`));
    expectChallenge(await own.call("GET", "/v1/users/me", { headers: { cookie: `token=${token}`, "x-token": token } }));
    expect(await own.databaseRequests()).toEqual([]);
  });
});

describe("the scheme of the Authorization header", () => {
  it.each(["bearer", "BEARER"])("may be written %s (RFC 9110 §11.1)", async (scheme) => {
    const token = await newToken();
    const { status } = await service.call("GET", "/v1/users/me", { headers: { authorization: `${scheme} ${token}` } });
    expect(status).toBe(200);
  });
});

describe("a live access token is refused with 401 on its next request", () => {
  it.each([
    ["the session was deleted", "delete from sessions where user_id = $1"],
    ["the session was revoked", "update sessions set revoked_at = now() where user_id = $1"],
    ["the session has expired", "update sessions set expires_at = now() where user_id = $1"],
    ["the person was deleted", "delete from users where id = $1"],
  ])("once %s", async (_, statement) => {
    const grace = await signUpPerson(service);
    expect((await readMe(grace.token)).status).toBe(200);
    await asOwner([statement, [grace.id]]);
    expectChallenge(await readMe(grace.token));
  });

  it("once the person was disabled, and taken again when that is undone", async () => {
    const grace = await signUpPerson(service);
    await disableUser(grace.id);
    expectChallenge(await readMe(grace.token));
    await asOwner(["update users set suspended_at = null where id = $1", [grace.id]]);
    expect((await readMe(grace.token)).status).toBe(200);
  });

  it("when its session never existed", async () => {
    const forged = await forge(await newToken(), { claims: { sid: "a".repeat(43) } });
    expect(await readMe(forged)).toMatchObject(unauthenticated);
  });

  it("when it was signed under a JWT_SECRET that has been replaced", async () => {
    const rotated = openService({ JWT_SECRET: "the-next-secret-for-tests-Zq8vT3nLw5xY" });
    expect(await readMe(await newToken(), rotated)).toMatchObject(unauthenticated);
  });
});
