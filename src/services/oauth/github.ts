import * as z from "zod";
import { type AuthorizationAnswer, loadLibrary } from "./oidc.ts";
import { newProfile, type ProviderProfile } from "./profiles.ts";
import { isLoopback, openConversation, ProviderError, type ProviderFetch } from "./provider-fetch.ts";
import type { ProviderConfig } from "./providers.ts";

const GitHubUser = z.object({ id: z.int().positive(), login: z.string(), name: z.string().nullish() });
const GitHubEmails = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }));

/** GitHub's OAuth has no metadata: docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps. */
const serverOf = ({ issuer }: ProviderConfig) => ({
  issuer: `${issuer}/login/oauth`,
  authorization_endpoint: `${issuer}/login/oauth/authorize`,
  token_endpoint: `${issuer}/login/oauth/access_token`,
});

export const gitHubAuthorizationEndpoint = (provider: ProviderConfig): string =>
  serverOf(provider).authorization_endpoint;

/**
 * Exchanges the code for an access token, and asks GitHub's API whose it is. Their number is the subject, since a
 * login can be given up and taken by somebody else; the address is the primary one, if that is verified.
 *
 * @throws whatever is wrong with the provider, or with its answer.
 */
export async function readGitHubProfile(
  provider: ProviderConfig,
  { parameters, state, verifier }: Omit<AuthorizationAnswer, "nonce">,
): Promise<ProviderProfile> {
  const oauth = await loadLibrary();
  const fetchProvider = openConversation(provider);
  const client = { client_id: provider.clientId };
  const server = serverOf(provider);
  const answer = oauth.validateAuthResponse(server, client, parameters, state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.ClientSecretPost(await provider.clientSecret()),
    answer,
    provider.redirectUri,
    verifier,
    {
      [oauth.customFetch]: (url: string, init: object) => fetchProvider(url, init),
      [oauth.allowInsecureRequests]: isLoopback(provider.issuer),
    },
  );
  const { access_token: token } = await oauth.processAuthorizationCodeResponse(server, client, response);
  const [user, emails] = await Promise.all([
    ask(fetchProvider, `${provider.apiUrl}/user`, token, GitHubUser),
    ask(fetchProvider, `${provider.apiUrl}/user/emails`, token, GitHubEmails),
  ]);
  const primary = emails.find(({ primary }) => primary);
  return newProfile({
    subject: String(user.id),
    email: primary?.email,
    emailVerified: primary?.verified === true,
    name: user.name ?? user.login,
  });
}

async function ask<T>(fetchProvider: ProviderFetch, url: string, token: string, schema: z.ZodType<T>): Promise<T> {
  const response = await fetchProvider(url, {
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "user-agent": "saas-backend-layer",
      "x-github-api-version": "2022-11-28",
    },
  });
  if (response.status !== 200) throw new ProviderError(`GitHub's API answered ${response.status}`);
  return schema.parse(await response.json());
}
