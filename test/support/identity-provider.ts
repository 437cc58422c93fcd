import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import { closeServer, listenOnLoopback } from "../../scripts/local/listen.ts";

/** A client of the provider, as it is registered there. */
export interface ProviderClient {
  id: string;
  secret: string;
  redirectUris: string[];
}

export interface IdentityProvider {
  issuer: string;
  close(): Promise<void>;
}

/**
 * Starts a real OpenID provider (the package oidc-provider) with pages to sign in on and to consent. Anybody may sign
 * in there: the name is the subject, and the local part of an address that is verified unless it begins so.
 */
export async function startIdentityProvider(clients: ProviderClient[]): Promise<IdentityProvider> {
  const server = createServer();
  const issuer = `http://127.0.0.1:${await listenOnLoopback(server)}`;
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const provider = new Provider(issuer, {
    clients: clients.map(({ id, secret, redirectUris }) => ({
      client_id: id,
      client_secret: secret,
      redirect_uris: redirectUris,
      token_endpoint_auth_method: "client_secret_post",
    })),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: "RS256", use: "sig", kid: "first" }] },
    cookies: { keys: [randomBytes(32).toString("base64url")] },
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    // As Google's, its ID tokens say who somebody is, without another request.
    conformIdTokenClaims: false,
    findAccount: (_: unknown, login: string) => ({ accountId: login, claims: () => claimsOf(login) }),
  });
  const answer = provider.callback();
  server.on("request", (request, response) => void answer(request, response));
  return { issuer, close: () => closeServer(server) };
}

const claimsOf = (login: string) => ({
  sub: login,
  email: login.includes("@") ? login : `${login}@example.com`,
  email_verified: !login.startsWith("unverified-"),
  name: `Person ${login}`.slice(0, 60),
});
