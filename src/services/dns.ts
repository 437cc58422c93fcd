import * as z from "zod";
import type { Settings } from "../env.ts";
import { readText } from "../response-text.ts";

const TIMEOUT_MS = 5_000;

/** Bytes; a name with hundreds of records has less. */
const MAX_BYTES = 65_536;

/** Types of records (RFC 1035 §3.2.2, RFC 3596 §2.1). */
const types = { A: 1, TXT: 16, AAAA: 28 } as const;
const NO_ERROR = 0;
const NXDOMAIN = 3;

const Answer = z.object({
  Status: z.int(),
  Answer: z.array(z.object({ type: z.int(), data: z.string() })).optional(),
});

/**
 * The records of a name, as the resolver of `DNS_OVER_HTTPS_URL` has them
 * (https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json/).
 *
 * @throws Error when it does not say, which is another thing than that there is none.
 */
export async function readRecords(
  { DNS_OVER_HTTPS_URL }: Settings,
  name: string,
  type: keyof typeof types,
): Promise<string[]> {
  const response = await fetch(`${DNS_OVER_HTTPS_URL}?name=${encodeURIComponent(name)}&type=${type}`, {
    headers: { accept: "application/dns-json" },
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await readText(response, MAX_BYTES);
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  const { Status: status, Answer: records = [] } = Answer.parse(JSON.parse(text));
  if (status !== NO_ERROR && status !== NXDOMAIN) throw new Error(`DNS status ${status}`);
  return records.filter((record) => record.type === types[type]).map(({ data }) => data);
}
