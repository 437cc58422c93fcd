import { base64url, CompactSign, type CryptoKey, exportSPKI, importJWK, type JWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { readMe, refresh } from "./support/accounts.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person, signUpPerson } from "./support/service.ts";
import { keySet, newSigningKey, type SigningKey } from "./support/signing-keys.ts";
import { claimsOf, forge, forgeUnsigned } from "./support/tokens.ts";

const [current, other, mine] = [await newSigningKey(), await newSigningKey(), await newSigningKey()];
const settings = { JWT_SIGNING_KEYS: keySet(current, other) };
const publicHalf = ({ kty, crv, x, kid }: SigningKey): JWK => ({ kty, crv, x, kid });

const bytes = (text: string) => new TextEncoder().encode(text);
// An Ed25519 key is never the bytes of a symmetric one.
const privateKey = (key: SigningKey) => importJWK({ ...key }, "EdDSA") as Promise<CryptoKey>;
const spki = async (key: SigningKey) =>
  exportSPKI((await importJWK(publicHalf(key), "EdDSA", { extractable: true })) as CryptoKey);

let ada: Person;

beforeAll(async () => {
  ada = await signUpPerson(openService(settings));
});

const hs256 = { header: { alg: "HS256" } };
const withoutKid = { header: { alg: "HS256", kid: undefined } };

/** Made from a token that is taken, whose header names the current key. */
const forgeries: Record<string, (token: string) => string | Promise<string>> = {
  "alg none": (token) => forgeUnsigned(token),
  "alg none and the right signature": (token) => forgeUnsigned(token, token.split(".")[2]),
  "HS256 with the public key as secret, as text": (token) => forge(token, { ...hs256, key: bytes(current.x) }),
  "HS256 with the public key as secret, as bytes": (token) =>
    forge(token, { ...hs256, key: base64url.decode(current.x) }),
  "HS256 with the public key as secret, as JWK": (token) =>
    forge(token, { ...hs256, key: bytes(JSON.stringify(publicHalf(current))) }),
  "HS256 with the public key as secret, as PEM": async (token) =>
    forge(token, { ...hs256, key: bytes(await spki(current)) }),
  "HS256 with the public key as secret, and no kid": (token) =>
    forge(token, { ...withoutKid, key: base64url.decode(current.x) }),
  "HS256 with JWT_SECRET and a kid": (token) => forge(token, hs256),
  "HS256 with the published set as secret": (token) =>
    forge(token, { ...withoutKid, key: bytes(JSON.stringify({ keys: [publicHalf(current)] })) }),
  "an unknown kid": async (token) => forge(token, { header: { kid: mine.kid }, key: await privateKey(mine) }),
  "an unknown kid and the right signature": async (token) =>
    forge(token, { header: { kid: "unknown" }, key: await privateKey(current) }),
  "the kid of another key": async (token) =>
    forge(token, { header: { kid: other.kid }, key: await privateKey(current) }),
  "a known kid and a stranger's signature": async (token) => forge(token, { key: await privateKey(mine) }),
  "no kid": async (token) => forge(token, { header: { kid: undefined }, key: await privateKey(current) }),
  "an empty kid": async (token) => forge(token, { header: { kid: "" }, key: await privateKey(current) }),
  "a kid that is a list": async (token) =>
    forge(token, { header: { kid: [current.kid] }, key: await privateKey(current) }),
  "a kid of every object": async (token) =>
    forge(token, { header: { kid: "__proto__" }, key: await privateKey(current) }),
  "a crit that nobody knows": async (token) => {
    const [header = "", payload = ""] = (await forge(token, { key: await privateKey(current) })).split(".");
    const critical = { ...JSON.parse(atob(header)), crit: ["exp"], exp: 0 };
    const input = `${base64url.encode(JSON.stringify(critical))}.${payload}`;
    const signature = await crypto.subtle.sign("Ed25519", await privateKey(current), bytes(input));
    return `${input}.${base64url.encode(new Uint8Array(signature))}`;
  },
  "a payload that is not encoded (b64)": async (token) =>
    new CompactSign(bytes(JSON.stringify(claimsOf(token))))
      .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: current.kid, crit: ["b64"], b64: true })
      .sign(await privateKey(current)),
  "the type of refresh tokens": async (token) =>
    forge(token, { header: { typ: "refresh+jwt" }, key: await privateKey(current) }),
  "the audience of refresh tokens": async (token) =>
    forge(token, { claims: { aud: "saas-backend-layer/refresh" }, key: await privateKey(current) }),
  "an exp in the past": async (token) =>
    forge(token, { claims: { exp: Math.floor(Date.now() / 1000) - 6 }, key: await privateKey(current) }),
  "another's claims under its signature": (token) => {
    const [header, , signature] = token.split(".");
    return [header, base64url.encode(JSON.stringify({ ...claimsOf(token), sid: "a".repeat(43) })), signature].join(".");
  },
};

/** Where a token says that its key is to be found. */
const locations: Record<string, (key: JWK) => Record<string, unknown>> = {
  jwk: (key) => ({ jwk: key }),
  jku: () => ({ jku: "https://evil.example/jwks.json" }),
  x5u: () => ({ x5u: "https://evil.example/cert.pem" }),
  x5c: ({ x }) => ({ x5c: [x] }),
};

for (const [name, locate] of Object.entries(locations)) {
  forgeries[`${name} with a stranger's key`] = async (token) =>
    forge(token, { header: locate(publicHalf(mine)), key: await privateKey(mine) });
  forgeries[`${name} with a stranger's key, and no kid`] = async (token) =>
    forge(token, { header: { ...locate(publicHalf(mine)), kid: undefined }, key: await privateKey(mine) });
  forgeries[`${name} and the right signature`] = async (token) =>
    forge(token, { header: locate(publicHalf(current)), key: await privateKey(current) });
}

describe("an access token, where JWT_SIGNING_KEYS is set, is refused with 401 and asks no database", () => {
  it.each(Object.entries(forgeries))("when it has %s", async (_, make) => {
    const service = openService(settings);
    expectProblem(await readMe(await make(ada.token), service), "unauthenticated");
    expect(await service.databaseRequests()).toEqual([]);
  });

  it("but not when any of its keys has signed it, under its own kid", async () => {
    const service = openService(settings);
    for (const key of [current, other]) {
      const token = await forge(ada.token, { header: { kid: key.kid }, key: await privateKey(key) });
      expect((await readMe(token, service)).body.id).toBe(ada.id);
    }
  });
});

describe("a refresh token", () => {
  it("is refused when a signing key has signed it, since these are for access tokens alone", async () => {
    const service = openService(settings);
    for (const kid of [current.kid, undefined]) {
      const header = { alg: "EdDSA", kid };
      const forged = await forge(ada.refreshToken, { header, key: await privateKey(current) });
      expectProblem(await refresh(forged, service), "unauthenticated");
    }
    expect(await service.databaseRequests()).toEqual([]);
  });
});
