import { keySet, newSigningKey } from "./signing-keys.ts";

const [signingKey, otherKey] = [await newSigningKey(), await newSigningKey()];

/** A set of one key that differs in this. */
const withKey = (change: object) => keySet({ ...signingKey, ...change });

const copies = (count: number) =>
  keySet(...Array.from({ length: count }, (_, index) => ({ ...signingKey, kid: String(index) })));

/** What JWT_SIGNING_KEYS may be. */
export const goodKeySets = [
  keySet(signingKey),
  keySet(signingKey, otherKey),
  withKey({ alg: "EdDSA", use: "sig" }),
  withKey({ kid: "2026-11" }),
  copies(5),
];

/** What it may not be. */
export const badKeySets = [
  "",
  "null",
  "[]",
  "{",
  JSON.stringify(signingKey),
  keySet(),
  copies(6),
  keySet(signingKey, { ...otherKey, kid: signingKey.kid }),
  JSON.stringify({ keys: [signingKey], canary: 1 }),
  withKey({ d: undefined }),
  withKey({ x: undefined }),
  withKey({ kid: undefined }),
  withKey({ kid: "" }),
  withKey({ kid: "a b" }),
  withKey({ kid: "a".repeat(65) }),
  withKey({ kid: 1 }),
  withKey({ kty: "EC" }),
  withKey({ kty: "oct", k: "AA" }),
  withKey({ crv: "X25519" }),
  withKey({ alg: "HS256" }),
  withKey({ use: "enc" }),
  withKey({ canary: 1 }),
  withKey({ d: signingKey.d.slice(1) }),
  withKey({ d: `${signingKey.d}=` }),
  withKey({ d: signingKey.d.replace(/.$/, "B") }),
  withKey({ d: otherKey.d }),
  withKey({ x: otherKey.x }),
];
