const encoder = new TextEncoder();

const derivedKeys = new Map<string, Promise<CryptoKey>>();

/** A key of its own for each purpose out of one secret (HKDF-SHA-256, RFC 5869), kept for the isolate's life. */
function deriveKey(secret: string, purpose: string): Promise<CryptoKey> {
  const name = `${purpose}\n${secret}`;
  let key = derivedKeys.get(name);
  if (!key) {
    key = crypto.subtle
      .importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"])
      .then((base) =>
        crypto.subtle.deriveKey(
          { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode(purpose) },
          base,
          { name: "HMAC", hash: "SHA-256", length: 256 },
          false,
          ["sign"],
        ),
      );
    derivedKeys.set(name, key);
  }
  return key;
}

/** HMAC-SHA-256 (RFC 2104) of a message under a key derived from `secret` for `purpose`; 32 bytes. */
export async function hmac(secret: string, purpose: string, message: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", await deriveKey(secret, purpose), encoder.encode(message)));
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
