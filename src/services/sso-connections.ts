import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { toBytea } from "../crypto.ts";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { ssoConnections } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { seal } from "../sealing.ts";
import { canonicalDomain } from "./domain-names.ts";
import { challengeNameOf, newTxtRecord, requireTxtRecord, type TxtRecord } from "./domain-records.ts";
import { checkProvider } from "./oauth/oidc.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import { checkIssuerUrl } from "./sso-input.ts";
import { connectionConfig, requireOrigins, secretOwner, ssoRedirectUri } from "./sso.ts";
import { workerKeys } from "./worker-keys.ts";

export interface SsoConnection {
  id: string;
  domain: string;
  /** The DNS record that proves whose the domain is. */
  txtRecord: TxtRecord;
  domainVerifiedAt: string | null;
  issuer: string;
  clientId: string;
  /** What the provider must know as the client's. */
  redirectUri: string;
  createdAt: string;
  updatedAt: string;
}

export interface SsoConnectionInput {
  domain: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
}

export type SsoConnectionChanges = Partial<Record<"issuer" | "clientId" | "clientSecret", string | undefined>>;

const connectionJson = (settings: Settings): SQL => sql`json_build_object('id', c.id, 'domain', c.domain,
  'txtRecord', json_build_object('name', ${challengeNameOf("")}::text || c.domain, 'value', c.txt_record),
  'domainVerifiedAt', ${isoInstant(sql`c.domain_verified_at`)}, 'issuer', c.issuer, 'clientId', c.client_id,
  'redirectUri', ${ssoRedirectUri(settings)}::text,
  'createdAt', ${isoInstant(sql`c.created_at`)}, 'updatedAt', ${isoInstant(sql`c.updated_at`)})`;

const fields = {
  id: ssoConnections.id,
  domain: ssoConnections.domain,
  txtRecord: ssoConnections.txtRecord,
  domainVerifiedAt: ssoConnections.domainVerifiedAt,
  issuer: ssoConnections.issuer,
  clientId: ssoConnections.clientId,
  createdAt: ssoConnections.createdAt,
  updatedAt: ssoConnections.updatedAt,
};

interface Row extends Omit<SsoConnection, "txtRecord" | "redirectUri"> {
  txtRecord: string;
}

const toConnection = (settings: Settings, { txtRecord, ...row }: Row): SsoConnection => ({
  ...row,
  txtRecord: { name: challengeNameOf(row.domain), value: txtRecord },
  redirectUri: ssoRedirectUri(settings),
});

const one = (database: TenantDatabase, connectionId: string) =>
  and(eq(ssoConnections.organizationId, database.organizationId), eq(ssoConnections.id, connectionId));

/**
 * Adds a provider for the people of a domain, which signs nobody in before the domain is verified. Asks the database
 * twice: first whether the caller may at all, since then the provider's server is asked for its metadata.
 *
 * @throws AppError `domain_taken`; `invalid_request` for a provider that does not answer as one; `encryption_off`;
 * `provider_off`.
 */
export async function createSsoConnection(
  database: TenantDatabase,
  settings: Settings,
  { domain, issuer, clientId, clientSecret }: SsoConnectionInput,
): Promise<SsoConnection> {
  requireOrigins(settings);
  const canonical = canonicalDomain(domain);
  checkIssuerUrl(settings, issuer);
  const id = uuidv7();
  const secret = await seal(settings, secretOwner(id), new TextEncoder().encode(clientSecret));
  await database.run(() => []);
  await checkIssuer(settings, { id, issuer, clientId });
  return database.create<SsoConnection>(
    sql`select ${connectionJson(settings)} as body
          from app.create_sso_connection(${database.organizationId}::uuid, ${id}::uuid, ${canonical}, ${newTxtRecord()}, ${issuer}, ${clientId}, ${secret}::bytea) c`,
  );
}

/** @throws AppError `invalid_request`, in our own words: what the server said is nobody's here. */
async function checkIssuer(
  settings: Settings,
  client: { id: string; issuer: string; clientId: string },
): Promise<void> {
  try {
    await checkProvider(connectionConfig(settings, { ...client, clientSecret: () => "" }));
  } catch (error) {
    const message = "does not answer as an OpenID provider of this issuer, at /.well-known/openid-configuration";
    throw new AppError("invalid_request", { errors: [{ path: "body.issuer", message }], cause: error });
  }
}

/** The organization's, newest first. */
export async function listSsoConnections(
  database: TenantDatabase,
  settings: Settings,
  { limit, cursor }: PageInput,
): Promise<Page<SsoConnection>> {
  const before = readCursor(cursor);
  const ours = eq(ssoConnections.organizationId, database.organizationId);
  const [rows] = await database.run((queries) => [
    queries
      .select(fields)
      .from(ssoConnections)
      .where(and(ours, before ? lt(ssoConnections.id, before) : undefined))
      .orderBy(desc(ssoConnections.id))
      .limit(limit + 1),
  ]);
  const { data, nextCursor } = toPage(rows, limit, ({ id }) => id);
  return { data: data.map((row) => toConnection(settings, row)), nextCursor };
}

async function readRow(database: TenantDatabase, connectionId: string): Promise<Row> {
  const [[row]] = await database.run((queries) => [
    queries.select(fields).from(ssoConnections).where(one(database, connectionId)),
  ]);
  if (!row) throw new AppError("not_found");
  return row;
}

/** @throws AppError `not_found` */
export async function readSsoConnection(
  database: TenantDatabase,
  settings: Settings,
  connectionId: string,
): Promise<SsoConnection> {
  return toConnection(settings, await readRow(database, connectionId));
}

/**
 * With another issuer, those who signed in with the one before are linked again, by their addresses. That asks the
 * database twice, since the new issuer's server is asked in between; all else once.
 *
 * @throws AppError `not_found`; `invalid_request` as for a new one; `encryption_off`.
 */
export async function updateSsoConnection(
  database: TenantDatabase,
  settings: Settings,
  connectionId: string,
  { issuer, clientId, clientSecret }: SsoConnectionChanges,
): Promise<SsoConnection> {
  if (issuer !== undefined) checkIssuerUrl(settings, issuer);
  const sealed =
    clientSecret === undefined
      ? undefined
      : await seal(settings, secretOwner(connectionId), new TextEncoder().encode(clientSecret));
  if (issuer !== undefined) {
    const { clientId: current } = await readRow(database, connectionId);
    await checkIssuer(settings, { id: connectionId, issuer, clientId: clientId ?? current });
  }
  const sealedClientSecret = sealed === undefined ? undefined : sql`${sealed}::bytea`;
  const [[row]] = await database.run((queries) => [
    queries
      .update(ssoConnections)
      .set({ issuer, clientId, sealedClientSecret })
      .where(one(database, connectionId))
      .returning(fields),
  ]);
  if (!row) throw new AppError("not_found");
  return toConnection(settings, row);
}

/** With the identities of it: its people keep their accounts, and their memberships. */
export async function deleteSsoConnection(database: TenantDatabase, connectionId: string): Promise<void> {
  const [result] = await database.run((queries) => [queries.delete(ssoConnections).where(one(database, connectionId))]);
  if (result.rowCount === 0) throw new AppError("not_found");
}

/**
 * Looks for the TXT record of the domain. Asks the database twice, since the DNS is asked in between; of one that is
 * verified already nothing is asked.
 *
 * @throws AppError `domain_unverified` without the record; `domain_taken` when another organization has verified the
 * domain; `not_found`; `unavailable`.
 */
export async function verifyDomain(
  database: TenantDatabase,
  settings: Settings,
  connectionId: string,
): Promise<SsoConnection> {
  const known = await readSsoConnection(database, settings, connectionId);
  if (known.domainVerifiedAt) return known;
  await requireTxtRecord(settings, known.txtRecord);
  const keys = toBytea(await workerKeys(settings));
  const [, [row]] = await database.run((queries) => [
    queries.execute(sql`select app.verify_domain(${keys}::bytea, ${connectionId}::uuid)`),
    queries.select(fields).from(ssoConnections).where(one(database, connectionId)),
  ]);
  if (!row) throw new AppError("not_found");
  return toConnection(settings, row);
}
