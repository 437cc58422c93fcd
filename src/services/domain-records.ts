import { base64url } from "jose";
import * as z from "zod";
import { randomBytes } from "../crypto.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { readText } from "../response-text.ts";

const TIMEOUT_MS = 5_000;

/** Bytes; a name with hundreds of records has less. */
const MAX_BYTES = 65_536;

const TXT = 16;
const NO_ERROR = 0;
const NXDOMAIN = 3;

const Answer = z.object({
  Status: z.int(),
  Answer: z.array(z.object({ type: z.int(), data: z.string() })).optional(),
});

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

/**
 * The TXT records of a name, as the resolver of `DNS_OVER_HTTPS_URL` has them
 * (https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json/).
 *
 * @throws AppError `unavailable` when it does not say, which is another thing than that there is none.
 */
async function readTxtRecords({ DNS_OVER_HTTPS_URL }: Settings, name: string): Promise<string[]> {
  try {
    const response = await fetch(`${DNS_OVER_HTTPS_URL}?name=${encodeURIComponent(name)}&type=TXT`, {
      headers: { accept: "application/dns-json" },
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await readText(response, MAX_BYTES);
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    const { Status: status, Answer: records = [] } = Answer.parse(JSON.parse(text));
    if (status !== NO_ERROR && status !== NXDOMAIN) throw new Error(`DNS status ${status}`);
    return records.filter(({ type }) => type === TXT).map(({ data }) => joinStrings(data));
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
