import { CompactSign, compactVerify, type CryptoKey, importJWK, type JWK } from "jose";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";

const ALGORITHM = "EdDSA";

interface NamedKey {
  kid: string;
  key: CryptoKey;
}

interface SigningKeys {
  /** Undefined where access tokens are signed with `JWT_SECRET`. */
  signing: NamedKey | undefined;
  verifying: NamedKey[];
  published: PublicKey[];
}

/** What others need to verify access tokens (RFC 7517 §4, RFC 8037 §2). */
export interface PublicKey {
  kty: "OKP";
  crv: "Ed25519";
  x: string;
  kid: string;
  alg: "EdDSA";
  use: "sig";
}

const imported = new WeakMap<Settings, Promise<SigningKeys>>();

/**
 * The keys of `JWT_SIGNING_KEYS`, imported once for each settings object.
 *
 * @throws AppError `misconfigured` for a key whose two halves do not belong together.
 */
export function importSigningKeys(settings: Settings): Promise<SigningKeys> {
  let keys = imported.get(settings);
  if (!keys) {
    keys = importAll(settings.JWT_SIGNING_KEYS ?? []);
    imported.set(settings, keys);
  }
  return keys;
}

/** The public halves of all of them, of those that do not sign yet or any more too. */
export async function readPublicKeys(settings: Settings): Promise<PublicKey[]> {
  return (await importSigningKeys(settings)).published;
}

async function importAll(keys: NonNullable<Settings["JWT_SIGNING_KEYS"]>): Promise<SigningKeys> {
  const pairs = await Promise.all(
    keys.map(async ({ kty, crv, x, d, kid }) => {
      const published: PublicKey = { kty, crv, x, kid, alg: ALGORITHM, use: "sig" };
      return { published, kid, ...(await importPair(published, d)) };
    }),
  );
  const [first] = pairs;
  return {
    signing: first && { kid: first.kid, key: first.privateKey },
    verifying: pairs.map(({ kid, publicKey }) => ({ kid, key: publicKey })),
    published: pairs.map(({ published }) => published),
  };
}

async function importPair({ kty, crv, x }: PublicKey, d: string) {
  try {
    const [privateKey, publicKey] = await Promise.all([importKey({ kty, crv, x, d }), importKey({ kty, crv, x })]);
    // Nothing else says whether d is that of x: runtimes import whatever has the right length.
    const probe = await new CompactSign(new Uint8Array(1)).setProtectedHeader({ alg: ALGORITHM }).sign(privateKey);
    await compactVerify(probe, publicKey);
    return { privateKey, publicKey };
  } catch {
    throw new AppError("misconfigured", {
      detail: "Settings: JWT_SIGNING_KEYS has a key whose private half (d) is not that of its public half (x).",
    });
  }
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, ALGORITHM);
  if (key instanceof Uint8Array) throw new Error("the key is symmetric");
  return key;
}
