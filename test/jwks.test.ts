import { createLocalJWKSet, createRemoteJWKSet, customFetch, decodeProtectedHeader, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import { readMe, refresh } from "./support/accounts.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Service, signUpPerson } from "./support/service.ts";
import { keySet, newSigningKey } from "./support/signing-keys.ts";

const path = "/.well-known/jwks.json";
const [current, next] = [await newSigningKey(), await newSigningKey()];
const signing = openService({ JWT_SIGNING_KEYS: keySet(current, next) });

/** What another service asks of a token, by the README. */
const expected = {
  issuer: "saas-backend-layer",
  audience: "saas-backend-layer/api",
  typ: "at+jwt",
  algorithms: ["EdDSA"],
};

/** As a service elsewhere reads the keys: by the address, over HTTP. */
const remoteKeys = (service: Service) =>
  createRemoteJWKSet(new URL(`https://api.example.com${path}`), {
    [customFetch]: (url, { headers, method }) => service.fetch(new Request(url, { headers, method })),
  });

describe("GET /.well-known/jwks.json", () => {
  it("has the public half of every key, in their order, and asks no database", async () => {
    const service = openService({ JWT_SIGNING_KEYS: keySet(current, { ...next, alg: "EdDSA", use: "sig" }) });
    const { status, headers, body } = await service.call("GET", path);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/jwk-set+json");
    expect(headers.get("cache-control")).toBe("public, max-age=300");
    const publicHalf = ({ x, kid }: typeof current) => ({
      kty: "OKP",
      crv: "Ed25519",
      x,
      kid,
      alg: "EdDSA",
      use: "sig",
    });
    expect(body).toEqual({ keys: [publicHalf(current), publicHalf(next)] });
    expect(await service.databaseRequests()).toEqual([]);
  });

  it("is empty where access tokens are signed with JWT_SECRET", async () => {
    expect((await openService().call("GET", path)).body).toEqual({ keys: [] });
  });

  it("answers HEAD without a body, and no other method", async () => {
    const head = await signing.fetch(new Request(`https://api.example.com${path}`, { method: "HEAD" }));
    expect([head.status, head.headers.get("cache-control"), await head.text()]).toEqual([
      200,
      "public, max-age=300",
      "",
    ]);
    const refused = await signing.call("POST", path, { body: {} });
    expectProblem(refused, "method_not_allowed");
    expect(refused.headers.get("allow")?.split(", ").sort()).toEqual(["GET", "HEAD"]);
  });

  it("is counted by the rate limit, and a refusal is not to be stored", async () => {
    const limited = openService({ JWT_SIGNING_KEYS: keySet(current), RATE_LIMIT_PER_MINUTE: "1" });
    expect((await limited.call("GET", path)).headers.get("ratelimit")).toMatch(/^"default";r=0;/);
    const refused = await limited.call("GET", path);
    expectProblem(refused, "rate_limited");
    expect(refused.headers.get("cache-control")).toBe("no-store");
  });

  it("is for pages of the listed origins, as every route, and a cache keeps them apart", async () => {
    const service = openService({ JWT_SIGNING_KEYS: keySet(current), CORS_ORIGINS: "https://app.example.com" });
    const allowedFor = async (origin?: string) => {
      const { headers } = await service.call("GET", path, { headers: origin ? { origin } : {} });
      expect(headers.get("vary")).toMatch(/origin/i);
      return headers.get("access-control-allow-origin");
    };
    expect(await allowedFor("https://app.example.com")).toBe("https://app.example.com");
    expect(await allowedFor("https://evil.example")).toBeNull();
    expect(await allowedFor()).toBeNull();
  });
});

describe("an access token, where JWT_SIGNING_KEYS is set,", () => {
  it("is verified by another service with what the route answers", async () => {
    const { id, token } = await signUpPerson(signing);
    const { body } = await signing.call("GET", path);
    for (const keys of [createLocalJWKSet(body), remoteKeys(signing)]) {
      const { payload, protectedHeader } = await jwtVerify(token, keys, expected);
      expect(payload.sub).toBe(id);
      expect(protectedHeader).toEqual({ alg: "EdDSA", typ: "at+jwt", kid: current.kid });
    }
  });

  it("is signed by the first key, and taken by this service too", async () => {
    const { id, token, refreshToken } = await signUpPerson(signing);
    expect((await readMe(token, signing)).body.id).toBe(id);
    const { body } = await refresh(refreshToken, signing);
    expect(decodeProtectedHeader(body.accessToken).kid).toBe(current.kid);
    expect((await readMe(body.accessToken, signing)).body.id).toBe(id);
  });

  it("is nothing that another service takes when somebody else has signed it", async () => {
    const stranger = openService({ JWT_SIGNING_KEYS: keySet({ ...(await newSigningKey()), kid: current.kid }) });
    const { token } = await signUpPerson(stranger);
    await expect(jwtVerify(token, remoteKeys(signing), expected)).rejects.toThrow("signature verification failed");
  });

  it("comes with a refresh token that other services have no key for", async () => {
    const { refreshToken } = await signUpPerson(signing);
    expect(decodeProtectedHeader(refreshToken)).toEqual({ alg: "HS256", typ: "refresh+jwt" });
    await expect(jwtVerify(refreshToken, remoteKeys(signing))).rejects.toThrow('Unsupported "alg" value');
  });
});

describe("JWT_SIGNING_KEYS with halves of two keys", () => {
  it("lets only /health answer, and is named by every other answer without its value", async () => {
    const service = openService({ JWT_SIGNING_KEYS: keySet(current, { ...next, d: current.d }) });
    expect((await service.call("GET", "/health")).status).toBe(200);
    for (const anyPath of [path, "/v1/users/me", "/ready", "/docs", "/nowhere"]) {
      const answer = await service.call("GET", anyPath);
      expectProblem(answer, "misconfigured");
      expect(answer.body.detail).toMatch(/^Settings: JWT_SIGNING_KEYS has a key whose private half/);
      expect(JSON.stringify(answer.body)).not.toMatch(new RegExp(`${current.d}|${next.x}|${next.kid}`));
    }
  });
});
