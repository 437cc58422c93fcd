/** What a limiter counts for one subject, and remembers as the subject's own limit. */
export interface LimitKeeper {
  setOwnLimit(perMinute: number | null): Promise<void> | void;
}

/** The limiters of all subjects, by name. */
export type KeyLimits = (subject: string) => LimitKeeper;

/** What an API key is counted as: by its hash, which nobody can name without the key. */
export const subjectOfKey = (hash: string): string => `key:${hash}`;

/**
 * Tells the limiter what a key's own limit is, before its first request. What fails here is mended by that request,
 * which learns the limit from the database.
 */
export async function rememberLimit(limits: KeyLimits, hash: string, perMinute: number | null): Promise<void> {
  try {
    await limits(subjectOfKey(hash)).setOwnLimit(perMinute);
  } catch {
    console.error(JSON.stringify({ level: "error", message: "rate limiter did not take a key's limit" }));
  }
}
