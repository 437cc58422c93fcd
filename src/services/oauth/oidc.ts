import { decodeJwt } from "jose";
import type { AuthorizationServer, IDToken, JWKSCacheInput } from "oauth4webapi";
import type { ProviderConfig } from "./providers.ts";
import { checkAddress, isLoopback, openConversation, ProviderError, type ProviderFetch } from "./provider-fetch.ts";
import { newProfile, type ProviderProfile } from "./profiles.ts";

/** Milliseconds that a provider's metadata is kept. */
const METADATA_LIFETIME = 10 * 60_000;

/** Providers whose metadata is kept; organizations may bring many. */
const MAX_KEPT = 100;

interface Metadata {
  server: AuthorizationServer;
  keys: JWKSCacheInput;
  readAt: number;
}

const known = new Map<string, Metadata>();

export const loadLibrary = () => import("oauth4webapi");

/** Of the isolate, or from the provider (OpenID Connect Discovery 1.0 §4). @throws ProviderError, among others. */
async function readMetadata(provider: ProviderConfig, fetchProvider: ProviderFetch): Promise<Metadata> {
  const url = provider.metadataUrl ?? `${provider.issuer}/.well-known/openid-configuration`;
  const kept = known.get(url);
  if (kept && Date.now() - kept.readAt < METADATA_LIFETIME) return kept;
  const oauth = await loadLibrary();
  const response = await fetchProvider(url, { headers: { accept: "application/json" } });
  const server = await oauth.processDiscoveryResponse(new URL(provider.issuer), response);
  const metadata = { server, keys: {}, readAt: Date.now() };
  known.delete(url);
  for (const oldest of known.keys()) {
    if (known.size < MAX_KEPT) break;
    known.delete(oldest);
  }
  known.set(url, metadata);
  return metadata;
}

/**
 * Whether a provider can be signed in with, as far as its metadata says.
 *
 * @throws ProviderError, among others.
 */
export async function checkProvider(provider: ProviderConfig): Promise<void> {
  const { server } = await readMetadata(provider, openConversation(provider));
  // To the letter, as its ID tokens will say it.
  if (server.issuer !== provider.issuer) throw new ProviderError("the provider has another issuer");
  await findAuthorizationEndpoint(provider);
  for (const endpoint of [server.token_endpoint, server.jwks_uri]) {
    if (!endpoint) throw new ProviderError("the provider lacks an endpoint");
    checkAddress(provider, endpoint);
  }
}

/** @throws whatever is wrong with the provider. */
export async function findAuthorizationEndpoint(provider: ProviderConfig): Promise<string> {
  const { server } = await readMetadata(provider, openConversation(provider));
  const endpoint = server.authorization_endpoint;
  if (!endpoint || !(URL.parse(endpoint)?.protocol === "https:" || isLoopback(endpoint))) {
    throw new ProviderError("the provider has no authorization endpoint");
  }
  return endpoint;
}

/** What the provider sent back, and what the flow's cookie kept. */
export interface AuthorizationAnswer {
  parameters: URLSearchParams;
  state: string;
  nonce: string;
  verifier: string;
}

/**
 * Exchanges the code for an ID token, and verifies it: issuer, audience, times, nonce, and its signature by the
 * provider's own keys (OpenID Connect Core §3.1.3.7).
 *
 * @throws whatever is wrong with the provider, or with its answer.
 */
export async function exchangeForIdToken(
  provider: ProviderConfig,
  { parameters, state, nonce, verifier }: AuthorizationAnswer,
): Promise<ProviderProfile> {
  const oauth = await loadLibrary();
  const fetchProvider = openConversation(provider);
  const { server, keys } = await readMetadata(provider, fetchProvider);
  const client = { client_id: provider.clientId };
  const secret = await provider.clientSecret();
  const authentication = server.token_endpoint_auth_methods_supported?.includes("client_secret_post")
    ? oauth.ClientSecretPost(secret)
    : oauth.ClientSecretBasic(secret);
  const options = {
    // The library's fetch has a body that is null or a string, as ours.
    [oauth.customFetch]: (url: string, init: object) => fetchProvider(url, init),
    [oauth.allowInsecureRequests]: isLoopback(provider.issuer),
    [oauth.jwksCache]: keys,
  };
  const answer = oauth.validateAuthResponse(server, client, parameters, state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authentication,
    answer,
    provider.redirectUri,
    verifier,
    options,
  );
  const issuer = await issuerFor(provider, response);
  const verifying = { ...server, issuer };
  const tokens = await oauth.processAuthorizationCodeResponse(verifying, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(verifying, response, options);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  if (!claims) throw new ProviderError("the provider sent no ID token");
  return toProfile(provider, claims);
}

/** That of the tenant which the ID token names, where the provider's issuer is one for all of them. */
async function issuerFor({ issuer }: ProviderConfig, response: Response): Promise<string> {
  if (!issuer.includes("{tenantid}")) return issuer;
  const { id_token: token } = await response.clone().json<{ id_token?: unknown }>();
  // Not verified yet: it only chooses which issuer the token must then be of, signed by the keys of all of them.
  const { tid } = typeof token === "string" ? decodeJwt(token) : {};
  if (typeof tid !== "string" || !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(tid)) {
    throw new ProviderError("the ID token names no tenant");
  }
  return issuer.replace("{tenantid}", tid);
}

function toProfile(provider: ProviderConfig, claims: IDToken): ProviderProfile {
  const { sub: subject, email, name } = claims;
  return newProfile({ subject, email, name, emailVerified: provider.isEmailVerified(claims) });
}
