import { sql } from "drizzle-orm";
import type { SystemDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { unseal } from "../sealing.ts";
import { beginFlow, failureUrl, type StateTaker } from "./oauth/flow.ts";
import type { ProviderConfig } from "./oauth/providers.ts";

/** One for all connections, so that a company registers it before it has one. */
export const ssoRedirectUri = ({ PUBLIC_ORIGIN }: Settings): string => `${PUBLIC_ORIGIN}/v1/auth/sso/callback`;

/** What a connection's secret is sealed for. */
export const secretOwner = (connectionId: string): string => `sso_connections/${connectionId}`;

/** @throws AppError `provider_off` where a provider could send nobody back. */
export function requireOrigins(settings: Settings): void {
  for (const name of ["PUBLIC_ORIGIN", "APP_URL"] as const) {
    if (!settings[name]) {
      throw new AppError("provider_off", {
        detail: `Identity providers of companies are not set up here: the setting ${name} is missing.`,
      });
    }
  }
}

/**
 * Their word counts for an address unless it is that the address is not verified: the domain is proven, and sign-in
 * takes no address of another one.
 */
const isEmailVerified = ({ email_verified: verified }: Record<string, unknown>): boolean =>
  verified !== false && verified !== "false";

export function connectionConfig(
  settings: Settings,
  { id, ...client }: { id: string } & Pick<ProviderConfig, "issuer" | "clientId" | "clientSecret">,
): ProviderConfig {
  return {
    key: "sso",
    connectionId: id,
    kind: "oidc",
    metadataUrl: `${client.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`,
    ...client,
    scopes: "openid email profile",
    redirectUri: ssoRedirectUri(settings),
    isEmailVerified,
  };
}

interface ConnectionRow extends Record<string, unknown> {
  id: string;
  issuer: string;
  clientId: string;
  sealedClientSecret: string;
}

const connectionColumns = sql`c.id, c.issuer, c.client_id as "clientId", c.sealed_client_secret::text as "sealedClientSecret"`;

const toConfig = (settings: Settings, { id, issuer, clientId, sealedClientSecret }: ConnectionRow): ProviderConfig =>
  connectionConfig(settings, {
    id,
    issuer,
    clientId,
    clientSecret: async () => new TextDecoder().decode(await unseal(settings, secretOwner(id), sealedClientSecret)),
  });

/**
 * Begins a flow at the provider of the address's domain; of a domain without one, the frontend is told no more.
 *
 * @returns as `beginFlow`
 * @throws AppError `provider_off`
 */
export async function beginSso(
  database: SystemDatabase,
  settings: Settings,
  { email, ...input }: { email: string; codeChallenge: string; redirectTo: string },
): Promise<{ location: string; cookie: string | null }> {
  requireOrigins(settings);
  const domain = email.slice(email.lastIndexOf("@") + 1);
  const [found] = await database.run((queries) => [
    queries.execute<ConnectionRow>(sql`select ${connectionColumns} from app.verified_connection(${domain}, null) c`),
  ]);
  const row = found.rows[0];
  if (!row) return { location: failureUrl(settings, "sso_not_found"), cookie: null };
  return beginFlow(settings, toConfig(settings, row), input);
}

/** Takes the state, and reads the connection as it is now. */
export const ssoStateTaker =
  (database: SystemDatabase, settings: Settings): StateTaker =>
  async (state, connectionId) => {
    const [spent, found] = await database.run((queries) => [
      queries.execute<{ spent: boolean }>(sql`select app.spend_state(${state}::bytea) as spent`),
      queries.execute<ConnectionRow>(
        sql`select ${connectionColumns} from app.verified_connection(null, ${connectionId}::uuid) c`,
      ),
    ]);
    if (spent.rows[0]?.spent !== true) return "invalid_state";
    const row = found.rows[0];
    return row ? toConfig(settings, row) : "sso_not_found";
  };
