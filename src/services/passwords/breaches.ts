import type { Settings } from "../../env.ts";
import { readText } from "../../response-text.ts";

const timeoutMs = 1_000;

/** Some five times of what the largest range has. */
const maxBytes = 262_144;

/**
 * Whether a password has leaked, as far as the range API of `PASSWORD_BREACH_CHECK_URL` knows
 * (https://haveibeenpwned.com/API/v3#PwnedPasswords). It learns 5 of the 40 digits of a SHA-1, which a thousand
 * leaked passwords share. Without an answer in a second none has: a sign-up must not depend on it.
 */
export async function isBreached(settings: Settings, password: string): Promise<boolean> {
  const url = settings.PASSWORD_BREACH_CHECK_URL;
  if (!url) return false;
  const hash = await sha1(password);
  try {
    const response = await fetch(url + hash.slice(0, 5), {
      // Padding: else the answer's size would tell an eavesdropper the range.
      headers: { "add-padding": "true", "user-agent": "saas-backend-layer" },
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new BreachCheckError(`status ${response.status}`);
    }
    return findCount(await readText(response, maxBytes), hash.slice(5)) > 0;
  } catch (error) {
    console.warn(JSON.stringify({ level: "warn", message: "breach check failed", reason: reasonOf(error) }));
    return false;
  }
}

/** A reason that may stand in the log. */
class BreachCheckError extends Error {}

/** Texts that are not ours may quote the URL, and with it the hash's digits. */
function reasonOf(error: unknown): string {
  if (error instanceof BreachCheckError) return error.message;
  if (error instanceof RangeError) return "too large";
  return error instanceof Error && error.name === "TimeoutError" ? "timeout" : "no connection";
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"))
    .join("")
    .toUpperCase();
}

/** How often a hash's suffix has leaked; 0 where it is missing, and in entries that only pad. */
function findCount(range: string, suffix: string): number {
  let count = 0;
  for (const line of range.trim().split(/\r?\n/)) {
    const [, entry, times] = /^([\dA-F]{35}):(\d{1,15})$/i.exec(line) ?? [];
    if (!entry) throw new BreachCheckError("not a range");
    if (entry.toUpperCase() === suffix) count = Number(times);
  }
  return count;
}
