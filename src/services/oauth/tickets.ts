import { base64url } from "jose";
import * as z from "zod";
import { randomBytes, sha256, toBytea } from "../../crypto.ts";
import { closeEnvelope, openEnvelope } from "../../envelopes.ts";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";
import { workerKeys } from "../worker-keys.ts";
import type { ProviderProfile } from "./profiles.ts";

/** Seconds that the frontend has to hand it in. */
const TICKET_LIFETIME = 60;

const PURPOSE = "oauth ticket";

const TicketSchema = z.object({
  /** What the database takes once. */
  id: z.string(),
  provider: z.enum(["google", "github", "microsoft", "apple", "sso"]),
  connectionId: z.string().optional(),
  codeChallenge: z.string(),
  subject: z.string(),
  email: z.string().nullable(),
  emailVerified: z.boolean(),
  name: z.string().nullable(),
});

/** What a provider said of somebody, as a frontend hands it in. */
export interface Ticket extends ProviderProfile {
  /** bytea: its own part, and what shows the database that the Worker has made it. */
  key: string;
  provider: z.infer<typeof TicketSchema>["provider"];
  connectionId: string | null;
}

type NewTicket = Omit<z.infer<typeof TicketSchema>, "id">;

export function closeTicket(settings: Settings, ticket: NewTicket, lifetime = TICKET_LIFETIME): Promise<string> {
  return closeEnvelope(settings, PURPOSE, { id: base64url.encode(randomBytes(32)), ...ticket }, lifetime);
}

/**
 * Opens a ticket for who began its flow: whoever is sent another's link has not its verifier (RFC 7636 §4.6), so
 * nobody is signed in to an account that is not theirs.
 *
 * @throws AppError `invalid_oauth_code`
 */
export async function openTicket(
  settings: Settings,
  { code, codeVerifier }: { code: string; codeVerifier: string },
): Promise<Ticket> {
  const opened = TicketSchema.safeParse(await openEnvelope(settings, PURPOSE, code));
  const challenge = base64url.encode(await sha256(new TextEncoder().encode(codeVerifier)));
  if (!opened.success || opened.data.codeChallenge !== challenge) throw new AppError("invalid_oauth_code");
  const { id, connectionId = null, codeChallenge: _, ...rest } = opened.data;
  const own = await sha256(base64url.decode(id));
  return { ...rest, connectionId, key: toBytea(Uint8Array.from([...own, ...(await workerKeys(settings))])) };
}
