import { env } from "cloudflare:test";
import { base64url, CompactSign, type CryptoKey, decodeJwt, decodeProtectedHeader } from "jose";

const encoder = new TextEncoder();

const secret = encoder.encode((env as unknown as { JWT_SECRET: string }).JWT_SECRET);

/** What is to be different from a token of ours; a member that is undefined is left out. */
export interface Forgery {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  /** Instead of the service's own secret. */
  key?: Uint8Array | CryptoKey;
}

export const claimsOf = (token: string) => decodeJwt<Record<string, any>>(token);

/** A token as the service would sign it, but for the forgery. */
export async function forge(token: string, { claims, header, key = secret }: Forgery): Promise<string> {
  const payload = JSON.stringify({ ...claimsOf(token), ...claims });
  const protectedHeader = { ...decodeProtectedHeader(token), ...header };
  return new CompactSign(encoder.encode(payload)).setProtectedHeader(protectedHeader as { alg: string }).sign(key);
}

/** The same claims under `alg: none`, which no library signs. */
export function forgeUnsigned(token: string, signature = ""): string {
  const header = base64url.encode(JSON.stringify({ ...decodeProtectedHeader(token), alg: "none" }));
  return `${header}.${token.split(".")[1]}.${signature}`;
}

/** A number that only JSON text can write: `1e400` is read as Infinity. */
export function rawNumber(text: string): unknown {
  // Known to V8, not yet to TypeScript's es2024.
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
