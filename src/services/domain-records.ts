import { base64url } from "jose";
import { randomBytes } from "../crypto.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { readRecords } from "./dns.ts";

export interface TxtRecord {
  name: string;
  value: string;
}

/** A label of its own, so that the record stands beside whatever else the domain's TXT records say. */
export const challengeNameOf = (domain: string): string => `_saas-challenge.${domain}`;

/** What a domain's record has to say, and nobody says by chance. */
export const newTxtRecord = (): string => `saas-verification=${base64url.encode(randomBytes(32))}`;

/** @throws AppError `domain_unverified` while the DNS has no such record; `unavailable`. */
export async function requireTxtRecord(settings: Settings, { name, value }: TxtRecord): Promise<void> {
  if ((await readTxtRecords(settings, name)).includes(value)) return;
  throw new AppError("domain_unverified", {
    detail: `${name} has no TXT record with this value yet. It can take a while until everybody sees a new one.`,
  });
}

/** @throws AppError `unavailable` when the resolver does not say, which is another thing than that there is none. */
async function readTxtRecords(settings: Settings, name: string): Promise<string[]> {
  try {
    return (await readRecords(settings, name, "TXT")).map(joinStrings);
  } catch (error) {
    throw new AppError("unavailable", {
      detail: "The DNS did not say which records the domain has. Try again in a moment.",
      cause: error,
    });
  }
}

/** A record is one string of 255 bytes or several, which some resolvers show in quotes. */
function joinStrings(data: string): string {
  const strings = [...data.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = ""]) => text);
  return strings.length > 0 ? strings.join("") : data;
}
