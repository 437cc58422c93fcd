const encoder = new TextEncoder();

const derivedKeys = new Map<string, Promise<CryptoKey>>();

type KeyAlgorithm = { name: "HMAC"; hash: "SHA-256"; length: 256 } | { name: "AES-GCM"; length: 256 };

/** A key of its own for each purpose out of one secret (HKDF-SHA-256, RFC 5869), kept for the isolate's life. */
export function deriveKeyFor(secret: string, purpose: string, algorithm: KeyAlgorithm): Promise<CryptoKey> {
  const name = `${algorithm.name}\n${purpose}\n${secret}`;
  let key = derivedKeys.get(name);
  if (!key) {
    key = crypto.subtle
      .importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"])
      .then((base) =>
        crypto.subtle.deriveKey(
          { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode(purpose) },
          base,
          algorithm,
          false,
          algorithm.name === "HMAC" ? ["sign"] : ["encrypt", "decrypt"],
        ),
      );
    derivedKeys.set(name, key);
  }
  return key;
}

/** HMAC-SHA-256 (RFC 2104) of a message under a key derived from `secret` for `purpose`; 32 bytes. */
export async function hmac(secret: string, purpose: string, message: string): Promise<Uint8Array> {
  const key = await deriveKeyFor(secret, purpose, { name: "HMAC", hash: "SHA-256", length: 256 });
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(message)));
}

export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Bytes as Postgres writes them: `\x` and hexadecimal digits. */
export function toBytea(bytes: Uint8Array): string {
  return `\\x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** What `toBytea` has made. */
export function fromBytea(text: string): Uint8Array {
  return Uint8Array.from(text.slice(2).match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}
