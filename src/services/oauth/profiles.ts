import * as z from "zod";
import { ProviderError } from "./provider-fetch.ts";

/** Somebody, as a provider knows them. */
export interface ProviderProfile {
  /** Theirs at this provider for good, and nobody else's. */
  subject: string;
  /** As addresses are here: in lower case. */
  email: string | null;
  emailVerified: boolean;
  /** 1 to 100 characters. */
  name: string | null;
}

const Email = z.email().max(254);

interface Claims {
  subject: string;
  email: unknown;
  emailVerified: boolean;
  name: unknown;
}

/**
 * An address that is not ASCII counts as none: two mailboxes that differ at the provider could be one here, where
 * addresses are folded.
 *
 * @throws ProviderError for a subject that is none (OpenID Connect Core §2).
 */
export function newProfile({ subject, email, emailVerified, name }: Claims): ProviderProfile {
  if (!/^[!-~][ -~]{0,254}$/.test(subject)) throw new ProviderError("the provider's subject is none");
  const address = Email.safeParse(typeof email === "string" ? email.toLowerCase() : undefined);
  const isAscii = typeof email === "string" && /^[!-~]+$/.test(email);
  const known = address.success && isAscii ? address.data : null;
  return { subject, email: known, emailVerified: known !== null && emailVerified, name: cleanName(name) };
}

/** As text that a person wrote: without control characters, and no longer than a name may be. */
export function cleanName(name: unknown): string | null {
  if (typeof name !== "string") return null;
  const clean = name
    .toWellFormed()
    .replace(/\p{Cc}+/gu, " ")
    .trim();
  return Array.from(clean).slice(0, 100).join("").trim() || null;
}
