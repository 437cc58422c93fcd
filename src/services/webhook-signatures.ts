import { randomBytes } from "../crypto.ts";

const encoder = new TextEncoder();

/** Bytes of a secret; Standard Webhooks asks for 24 to 64. */
const SECRET_LENGTH = 32;

export const newWebhookSecret = (): Uint8Array => randomBytes(SECRET_LENGTH);

/** As the receiver's library takes it. */
export const showSecret = (secret: Uint8Array): string => `whsec_${toBase64(secret)}`;

/**
 * The headers of a message after Standard Webhooks 1.0 ("Webhook Metadata", "Signature scheme"), with one signature for
 * each secret.
 *
 * @param timestamp seconds since 1970.
 */
export async function webhookHeaders(
  secrets: readonly Uint8Array[],
  { id, timestamp, body }: { id: string; timestamp: number; body: string },
): Promise<Record<string, string>> {
  const signatures = await Promise.all(
    secrets.map(async (secret) => {
      const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(`${id}.${timestamp}.${body}`));
      return `v1,${toBase64(new Uint8Array(signature))}`;
    }),
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signatures.join(" "),
  };
}

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
