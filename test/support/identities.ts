import { env } from "cloudflare:test";
import { readSettings } from "../../src/env.ts";
import { closeTicket } from "../../src/services/oauth/tickets.ts";
import { asOwner } from "./database.ts";
import { challengeOf, codeVerifier } from "./oauth.ts";

/** What a frontend hands in, with its verifier. */
export interface FlowProof {
  code: string;
  codeVerifier: string;
}

/** A proof of the identity that the person has, if `giveIdentity` has made it, and one of another. */
export interface FlowProofs {
  own: FlowProof;
  new: FlowProof;
}

export interface IdentityOptions {
  provider?: "google" | "github" | "microsoft" | "apple";
  subject?: string;
  email?: string | null;
}

const subjectOf = (userId: string) => `subject of ${userId}`;

/** Gives somebody an identity at Google, as linking one does. @returns its id */
export async function giveIdentity(
  userId: string,
  { provider = "google", subject = subjectOf(userId), email = null }: IdentityOptions = {},
): Promise<string> {
  const [rows] = await asOwner([
    `insert into identities (id, user_id, provider, subject, email) values (gen_random_uuid(), $1, $2, $3, $4) returning id`,
    [userId, provider, subject, email],
  ]);
  return String(rows?.[0]?.["id"]);
}

/** A ticket as a flow makes it, for an hour. */
export async function makeProof(ticket: {
  provider?: "google" | "github" | "microsoft" | "apple" | "sso";
  connectionId?: string;
  subject: string;
  email?: string | null;
  emailVerified?: boolean;
  name?: string | null;
}): Promise<FlowProof> {
  const codeChallenge = await challengeOf(codeVerifier);
  const usual = { provider: "google" as const, email: null, emailVerified: false, name: null };
  const code = await closeTicket(readSettings(env), { ...usual, ...ticket, codeChallenge }, 3600);
  return { code, codeVerifier };
}

export const makeProofs = async (userId: string): Promise<FlowProofs> => ({
  own: await makeProof({ subject: subjectOf(userId) }),
  new: await makeProof({ subject: `another ${crypto.randomUUID()}` }),
});
