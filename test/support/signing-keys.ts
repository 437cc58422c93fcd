import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";

export interface SigningKey {
  kty: string;
  crv: string;
  x: string;
  d: string;
  kid: string;
}

/** A new private key, as JWT_SIGNING_KEYS holds it. */
export async function newSigningKey(): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const { x = "", d = "" } = await exportJWK(privateKey);
  const key = { kty: "OKP", crv: "Ed25519", x, d };
  return { ...key, kid: await calculateJwkThumbprint(key) };
}

/** What JWT_SIGNING_KEYS is set to. */
export const keySet = (...keys: object[]): string => JSON.stringify({ keys });
