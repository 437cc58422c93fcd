import { and, desc, eq, lt, sql } from "drizzle-orm";
import { base64url } from "jose";
import { v7 as uuidv7 } from "uuid";
import { fromBytea, toBytea } from "../crypto.ts";
import type { PersonDatabase } from "../db/index.ts";
import { passkeys } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { newNotice } from "./outbox.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import { CHALLENGE_LIFETIME, newChallenge, readChallenge } from "./passkey-challenges.ts";
import { newRecoveryCodes } from "./recovery-codes.ts";
import { algorithms, type Attestation, challengeOf, relyingPartyOf } from "./relying-party.ts";
import type { ClientInfo } from "./session-starts.ts";
import { workerKeys } from "./worker-keys.ts";

export interface Passkey {
  id: string;
  name: string;
  /** Whether its authenticator keeps a copy elsewhere, as those do that synchronise. */
  backedUp: boolean;
  createdAt: string;
  lastUsedAt: string | null;
}

/** A credential as browsers are told of it, so that they ask the right authenticator. */
export interface CredentialDescriptor {
  type: "public-key";
  /** base64url. */
  id: string;
  transports: string[];
}

/** As `PublicKeyCredential.parseCreationOptionsFromJSON()` takes them. */
export interface RegistrationOptions {
  rp: { id: string; name: string };
  user: { id: string; name: string; displayName: string };
  challenge: string;
  pubKeyCredParams: { type: "public-key"; alg: number }[];
  /** Milliseconds. */
  timeout: number;
  excludeCredentials: CredentialDescriptor[];
  authenticatorSelection: { residentKey: "required"; requireResidentKey: true; userVerification: "required" };
  attestation: "none";
}

/** As the database writes them. */
export type DescriptorRow = { id: string; transports: string };

export const passkeyFields = {
  id: passkeys.id,
  name: passkeys.name,
  backedUp: passkeys.backedUp,
  createdAt: passkeys.createdAt,
  lastUsedAt: passkeys.lastUsedAt,
};

const mine = eq(passkeys.userId, sql`(select app.user_id())`);

export const describeCredentials = (rows: DescriptorRow[]): CredentialDescriptor[] =>
  rows.map(({ id, transports }) => ({
    type: "public-key",
    id: base64url.encode(fromBytea(`\\x${id}`)),
    transports: transports.split(",").filter(Boolean),
  }));

/** How an authenticator knows a person: the 16 bytes of their id, which say nothing of them. */
export const userHandleOf = (userId: string): string => base64url.encode(fromBytea(`\\x${userId.replaceAll("-", "")}`));

/**
 * What a browser needs to make a passkey for the signed-in person; good in this session, and for five minutes.
 *
 * @throws AppError `passkeys_off`
 */
export async function beginRegistration(database: PersonDatabase, settings: Settings): Promise<RegistrationOptions> {
  const { id } = relyingPartyOf(settings);
  const [found] = await database.run((queries) => [
    queries.execute<{ user_id: string; email: string; name: string; passkeys: DescriptorRow[] }>(
      sql`select user_id, email, name, passkeys from app.begin_passkey_registration()`,
    ),
  ]);
  const person = found.rows[0];
  if (!person) throw new AppError("unauthenticated");
  return {
    rp: { id, name: id },
    user: { id: userHandleOf(person.user_id), name: person.email, displayName: person.name },
    challenge: await newChallenge(settings, { purpose: "registration", session: database.session }),
    pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
    timeout: CHALLENGE_LIFETIME * 1000,
    excludeCredentials: describeCredentials(person.passkeys),
    authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
    attestation: "none",
  };
}

/**
 * Keeps a passkey of the signed-in person, 20 at most. With their first factor they get recovery codes, and their
 * other sessions end.
 *
 * @throws AppError `passkey_refused` for one that was not made for these options, or not now, or by nobody verified;
 *   `passkey_taken`, `passkey_limit`, `passkeys_off`.
 */
export async function addPasskey(
  database: PersonDatabase,
  settings: Settings,
  { name, credential, ...client }: { name: string; credential: Attestation } & ClientInfo,
): Promise<Passkey & { recoveryCodes?: string[] }> {
  const relyingParty = relyingPartyOf(settings);
  const challenge = challengeOf(credential);
  const spent = await readChallenge(settings, { purpose: "registration", session: database.session }, challenge);
  if (!spent) throw new AppError("passkey_refused");
  const { verifyAttestation } = await import("./webauthn.ts");
  const made = await verifyAttestation(relyingParty, challenge, credential);
  if (!made) throw new AppError("passkey_refused");
  const [id, notice, recovery] = [uuidv7(), await newNotice(settings, database), await newRecoveryCodes()];
  const worker = toBytea(await workerKeys(settings));
  const transports = credential.response.transports.join();
  const [added, stored] = await database.run((queries) => [
    queries.execute<{ codes: boolean }>(
      sql`select app.add_passkey(${worker}::bytea, ${spent}::bytea, ${id}::uuid, ${name}, ${toBytea(base64url.decode(made.id))}::bytea,
        ${toBytea(made.publicKey)}::bytea, ${made.signCount}::bigint, ${transports}, ${made.backedUp}::boolean,
        ${sql.param(recovery.keys)}::bytea[], ${client.ipAddress}::text, ${client.userAgent}::text,
        ${notice.id}::uuid, ${notice.key}::bytea) as codes`,
    ),
    queries
      .select(passkeyFields)
      .from(passkeys)
      .where(and(mine, eq(passkeys.id, id))),
  ]);
  const passkey = stored[0];
  if (!passkey) throw new Error("app.add_passkey has added none");
  return { ...passkey, ...(added.rows[0]?.codes && { recoveryCodes: recovery.codes }) };
}

/** The signed-in person's passkeys, newest first. */
export async function listPasskeys(database: PersonDatabase, { limit, cursor }: PageInput): Promise<Page<Passkey>> {
  const before = readCursor(cursor);
  const [rows] = await database.run((queries) => [
    queries
      .select(passkeyFields)
      .from(passkeys)
      .where(and(mine, before ? lt(passkeys.id, before) : undefined))
      .orderBy(desc(passkeys.id))
      .limit(limit + 1),
  ]);
  return toPage(rows, limit, (passkey) => passkey.id);
}

/** @throws AppError `not_found` for one that is not the caller's. */
export async function renamePasskey(database: PersonDatabase, passkeyId: string, name: string): Promise<Passkey> {
  const [[passkey]] = await database.run((queries) => [
    queries
      .update(passkeys)
      .set({ name })
      .where(and(mine, eq(passkeys.id, passkeyId)))
      .returning(passkeyFields),
  ]);
  if (!passkey) throw new AppError("not_found");
  return passkey;
}

/**
 * Removes a passkey of the caller's; with their last factor, their recovery codes go as well.
 *
 * @throws AppError `not_found` for one that is not the caller's.
 */
export async function removePasskey(
  database: PersonDatabase,
  settings: Settings,
  { passkeyId, ...client }: { passkeyId: string } & ClientInfo,
): Promise<void> {
  const notice = await newNotice(settings, database);
  await database.run((queries) => [
    queries.execute(
      sql`select app.remove_passkey(${passkeyId}::uuid, ${client.ipAddress}::text, ${client.userAgent}::text,
        ${notice.id}::uuid, ${notice.key}::bytea)`,
    ),
  ]);
}
