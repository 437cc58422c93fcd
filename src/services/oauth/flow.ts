import { sql } from "drizzle-orm";
import { base64url } from "jose";
import * as z from "zod";
import { randomBytes, sha256, toBytea } from "../../crypto.ts";
import type { SystemDatabase } from "../../db/index.ts";
import { closeEnvelope, openEnvelope } from "../../envelopes.ts";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";
import { gitHubAuthorizationEndpoint, readGitHubProfile } from "./github.ts";
import { type AuthorizationAnswer, exchangeForIdToken, findAuthorizationEndpoint } from "./oidc.ts";
import { ProviderError } from "./provider-fetch.ts";
import { cleanName, type ProviderProfile } from "./profiles.ts";
import type { ProviderConfig } from "./providers.ts";
import { closeTicket } from "./tickets.ts";

/** Seconds that somebody has at the provider. */
export const FLOW_LIFETIME = 600;

const PURPOSE = "oauth flow";

/** What a browser carries, encrypted, while it is at the provider. */
const Flow = z.object({
  provider: z.string(),
  connectionId: z.string().optional(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  codeChallenge: z.string(),
  redirectTo: z.string(),
});

/** What the frontend is told when a flow has failed. Nothing of the provider's own text. */
export type FlowError = "access_denied" | "invalid_state" | "provider_failed" | "sso_not_found" | "unavailable";

const newSecret = () => base64url.encode(randomBytes(32));
const challengeOf = async (verifier: string) => base64url.encode(await sha256(new TextEncoder().encode(verifier)));

/**
 * Begins a flow. The frontend's own challenge (RFC 7636) binds what comes out of it to the page that began it.
 *
 * @returns where to send the browser, and with which content of the flow's cookie, if the provider could be reached.
 */
export async function beginFlow(
  settings: Settings,
  provider: ProviderConfig,
  { codeChallenge, redirectTo }: { codeChallenge: string; redirectTo: string },
): Promise<{ location: string; cookie: string | null }> {
  const { key, connectionId } = provider;
  const [state, nonce, verifier] = [newSecret(), newSecret(), newSecret()];
  let endpoint: string;
  try {
    endpoint =
      provider.kind === "github" ? gitHubAuthorizationEndpoint(provider) : await findAuthorizationEndpoint(provider);
  } catch (error) {
    logFailure(provider, error);
    return { location: failureUrl(settings, "provider_failed"), cookie: null };
  }
  const url = new URL(endpoint);
  const parameters = {
    response_type: "code",
    client_id: provider.clientId,
    redirect_uri: provider.redirectUri,
    scope: provider.scopes,
    state,
    code_challenge: await challengeOf(verifier),
    code_challenge_method: "S256",
    ...(provider.kind === "oidc" && { nonce }),
    ...(provider.responseMode && { response_mode: provider.responseMode }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const flow = { provider: key, connectionId, state, nonce, verifier, codeChallenge, redirectTo };
  return { location: url.href, cookie: await closeEnvelope(settings, PURPOSE, flow, FLOW_LIFETIME) };
}

/**
 * Takes the state (bytea) of a flow that has come back, once, and says of which provider it is: for `sso`, that of the
 * connection which it began with.
 */
export type StateTaker = (state: string, connectionId: string | undefined) => Promise<ProviderConfig | FlowError>;

/** For a provider that the settings have. */
export const stateTakerOf =
  (database: SystemDatabase, provider: ProviderConfig): StateTaker =>
  async (state) => {
    const [spent] = await database.run((queries) => [
      queries.execute<{ spent: boolean }>(sql`select app.spend_state(${state}::bytea) as spent`),
    ]);
    return spent.rows[0]?.spent === true ? provider : "invalid_state";
  };

/**
 * Ends a flow: what the provider says of somebody becomes a ticket, which signs them in once within a minute, and
 * only for who holds the frontend's verifier. Nothing is written but that the state was used.
 *
 * @param key whose callback this is
 * @param cookie the content of the flow's cookie
 * @param parameters what the provider sent: the query, or the form
 * @returns where to send the browser, whatever comes of it.
 */
export async function completeFlow(
  settings: Settings,
  key: ProviderConfig["key"],
  takeState: StateTaker,
  { cookie, parameters }: { cookie: string | undefined; parameters: URLSearchParams },
): Promise<string> {
  const flow = Flow.safeParse(cookie === undefined ? undefined : await openEnvelope(settings, PURPOSE, cookie)).data;
  if (!flow || flow.provider !== key || parameters.getAll("state").join() !== flow.state) {
    return failureUrl(settings, "invalid_state");
  }
  const { connectionId, state, nonce, verifier, codeChallenge, redirectTo } = flow;
  if (parameters.has("error")) {
    const isDenied = /^(access_denied|user_cancelled_authorize)$/.test(parameters.get("error") ?? "");
    return failureUrl(settings, isDenied ? "access_denied" : "provider_failed");
  }
  let provider: ProviderConfig | FlowError;
  try {
    provider = await takeState(toBytea(await sha256(base64url.decode(state))), connectionId);
  } catch (error) {
    // The browser is not on a page of ours, so a problem document would be all that it shows.
    if (error instanceof AppError && error.code === "unavailable") return failureUrl(settings, "unavailable");
    throw error;
  }
  if (typeof provider === "string") return failureUrl(settings, provider);
  let profile: ProviderProfile;
  try {
    profile = await readProfile(provider, { parameters, state, nonce, verifier });
  } catch (error) {
    if (error instanceof AppError) throw error;
    logFailure(provider, error);
    return failureUrl(settings, "provider_failed");
  }
  const code = await closeTicket(settings, { provider: key, connectionId, codeChallenge, ...profile });
  return frontendUrl(settings, { code, redirectTo });
}

async function readProfile(provider: ProviderConfig, answer: AuthorizationAnswer): Promise<ProviderProfile> {
  if (provider.kind === "github") return readGitHubProfile(provider, answer);
  const profile = await exchangeForIdToken(provider, answer);
  const name = profile.name ?? readFormName(answer.parameters);
  if (provider.connectionId === undefined) return { ...profile, name };
  // A subject is its issuer's alone (OpenID Connect Core §5.7), and a connection can be given another issuer.
  const subject = new TextEncoder().encode(`${provider.issuer}\n${profile.subject}`);
  return { ...profile, name, subject: base64url.encode(await sha256(subject)) };
}

/** Apple tells the name beside the token, at the first sign-in alone. It is a claim of the browser's: a name, no more. */
function readFormName(parameters: URLSearchParams): string | null {
  try {
    const { name } = JSON.parse(parameters.get("user") ?? "null") as { name: Record<string, unknown> };
    return cleanName([name["firstName"], name["lastName"]].filter((part) => typeof part === "string").join(" "));
  } catch {
    return null;
  }
}

/** In the fragment, which reaches neither a server's log nor a Referer header. */
const frontendUrl = ({ APP_URL = "" }: Settings, values: Record<string, string>): string =>
  `${APP_URL}/oauth/callback#${new URLSearchParams(values).toString()}`;

export const failureUrl = (settings: Settings, error: FlowError): string => frontendUrl(settings, { error });

function logFailure({ key, connectionId }: ProviderConfig, error: unknown): void {
  const { name, message: words, code } = error as { name?: string; message?: string; code?: string };
  // In the library's words or in ours. What the provider wrote is in `cause`, and stays there.
  const message = code !== undefined || error instanceof ProviderError ? words : undefined;
  const entry = {
    level: "error",
    message: "provider failed",
    provider: key,
    connectionId,
    name,
    code,
    reason: message,
  };
  console.error(JSON.stringify(entry));
}
