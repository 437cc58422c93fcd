import { deriveKeyFor, randomBytes, toBytea } from "./crypto.ts";
import type { Settings } from "./env.ts";
import { AppError } from "./errors.ts";

const IV_LENGTH = 12;

const encoder = new TextEncoder();

const keyFor = (secret: string) => deriveKeyFor(secret, "sealed secret", { name: "AES-GCM", length: 256 });

/**
 * Encrypts what the database must keep and not know: AES-256-GCM (NIST SP 800-38D) under a key derived from
 * `ENCRYPTION_KEY`, with a random IV in front, as bytea.
 *
 * @param owner what it belongs to, such as a table and an id: it can be opened for the same alone
 * @throws AppError `encryption_off` where the setting is missing.
 */
export async function seal(settings: Settings, owner: string, plaintext: Uint8Array): Promise<string> {
  const { ENCRYPTION_KEY } = settings;
  if (!ENCRYPTION_KEY) {
    throw new AppError("encryption_off", { detail: "This is not set up here: the setting ENCRYPTION_KEY is missing." });
  }
  const iv = randomBytes(IV_LENGTH);
  const parameters = { name: "AES-GCM", iv, additionalData: encoder.encode(owner) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(parameters, await keyFor(ENCRYPTION_KEY), plaintext));
  const bytes = new Uint8Array(IV_LENGTH + sealed.length);
  bytes.set(iv);
  bytes.set(sealed, IV_LENGTH);
  return toBytea(bytes);
}

/**
 * @param sealed as `seal` returned it
 * @throws AppError `encryption_off` where neither `ENCRYPTION_KEY` nor `ENCRYPTION_KEY_PREVIOUS` opens it.
 */
export async function unseal(settings: Settings, owner: string, sealed: string): Promise<Uint8Array> {
  const bytes = Uint8Array.from(sealed.slice(2).match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  const parameters = { name: "AES-GCM", iv: bytes.slice(0, IV_LENGTH), additionalData: encoder.encode(owner) };
  for (const secret of [settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEY_PREVIOUS]) {
    if (!secret) continue;
    try {
      return new Uint8Array(await crypto.subtle.decrypt(parameters, await keyFor(secret), bytes.slice(IV_LENGTH)));
    } catch {
      // The other one, perhaps.
    }
  }
  throw new AppError("encryption_off", { detail: "No key of this deployment opens what was encrypted by another." });
}
