import { base64url } from "jose";
import { deriveKeyFor, randomBytes } from "./crypto.ts";
import { secretsOf, type Settings } from "./env.ts";

const IV_LENGTH = 12;

const encoder = new TextEncoder();

const keyFor = (secret: string, purpose: string) => deriveKeyFor(secret, purpose, { name: "AES-GCM", length: 256 });

/**
 * Encrypts what somebody carries for us and must neither read nor change: AES-256-GCM (NIST SP 800-38D) under a key
 * derived from `JWT_SECRET` for this purpose alone, as base64url.
 *
 * @param lifetime seconds
 */
export async function closeEnvelope(
  settings: Settings,
  purpose: string,
  content: object,
  lifetime: number,
): Promise<string> {
  const iv = randomBytes(IV_LENGTH);
  const plaintext = encoder.encode(JSON.stringify({ ...content, exp: Date.now() + lifetime * 1000 }));
  const key = await keyFor(settings.JWT_SECRET, purpose);
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plaintext));
  const bytes = new Uint8Array(IV_LENGTH + sealed.length);
  bytes.set(iv);
  bytes.set(sealed, IV_LENGTH);
  return base64url.encode(bytes);
}

/** The content of one that is ours, of this purpose, and has not expired; else undefined. */
export async function openEnvelope(settings: Settings, purpose: string, envelope: string): Promise<unknown> {
  let bytes: Uint8Array;
  try {
    bytes = base64url.decode(envelope);
  } catch {
    return undefined;
  }
  for (const secret of secretsOf(settings)) {
    try {
      const key = await keyFor(secret, purpose);
      const parameters = { name: "AES-GCM", iv: bytes.slice(0, IV_LENGTH) };
      const plaintext = await crypto.subtle.decrypt(parameters, key, bytes.slice(IV_LENGTH));
      const content: { exp: number } = JSON.parse(new TextDecoder().decode(plaintext));
      return content.exp > Date.now() ? content : undefined;
    } catch {
      // Of the other secret, perhaps.
    }
  }
  return undefined;
}
