import { importPKCS8, SignJWT } from "jose";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";
import { isProviderOn, type SocialProvider, socialProviders } from "../../provider-settings.ts";

/** An identity provider, and our client there: all that the flow needs to know of either. */
export interface ProviderConfig {
  /** As `identities.provider` has it. */
  key: SocialProvider | "sso";
  /** Of an organization's own provider (`sso`). */
  connectionId?: string;
  kind: "oidc" | "github";
  /** As its metadata has it; with `{tenantid}` where each ID token's is that of its `tid` (Microsoft). */
  issuer: string;
  /** Where its metadata is, when that is not below the issuer. */
  metadataUrl?: string;
  /** For `github`: where its API is. */
  apiUrl?: string;
  clientId: string;
  clientSecret: () => string | Promise<string>;
  scopes: string;
  /** Where the provider sends people back to: registered there, to the letter. */
  redirectUri: string;
  /** `form_post`: it comes back with a POST from its own pages (Apple, when a scope is asked for). */
  responseMode?: "form_post";
  /** Whether the claims say that the provider has verified the address, which not all of them do alike. */
  isEmailVerified(claims: Record<string, unknown>): boolean;
}

/** The tenant of personal accounts, whose metadata is below its id alone. */
const CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad";

/** OpenID Connect Core §5.1. */
export const claimsEmailVerified = (claims: Record<string, unknown>): boolean => claims["email_verified"] === true;

export const redirectUriOf = (settings: Settings, path: string): string =>
  `${settings.PUBLIC_ORIGIN}/v1/auth/oauth/${path}/callback`;

export const listProviders = (settings: Settings): SocialProvider[] =>
  socialProviders.filter((key) => isProviderOn(settings, key));

/** @throws AppError `provider_off` where it is not set up. */
export function findProvider(settings: Settings, key: SocialProvider): ProviderConfig {
  if (!isProviderOn(settings, key)) {
    throw new AppError("provider_off", {
      detail: `The provider is not set up here: the setting ${key.toUpperCase()}_CLIENT_ID is missing.`,
    });
  }
  return { key, redirectUri: redirectUriOf(settings, key), ...configs[key](settings) };
}

type Config = Omit<ProviderConfig, "key" | "connectionId" | "redirectUri">;

const configs: Record<SocialProvider, (settings: Settings) => Config> = {
  google: (settings) => ({
    kind: "oidc",
    issuer: settings.GOOGLE_ISSUER,
    clientId: settings.GOOGLE_CLIENT_ID ?? "",
    clientSecret: () => settings.GOOGLE_CLIENT_SECRET ?? "",
    scopes: "openid email profile",
    isEmailVerified: claimsEmailVerified,
  }),
  github: (settings) => ({
    kind: "github",
    issuer: settings.GITHUB_URL,
    apiUrl: settings.GITHUB_API_URL,
    clientId: settings.GITHUB_CLIENT_ID ?? "",
    clientSecret: () => settings.GITHUB_CLIENT_SECRET ?? "",
    scopes: "read:user user:email",
    // The API's answer, which has no other address: see github.ts.
    isEmailVerified: claimsEmailVerified,
  }),
  microsoft: (settings) => ({
    kind: "oidc",
    ...microsoftIssuer(settings),
    clientId: settings.MICROSOFT_CLIENT_ID ?? "",
    clientSecret: () => settings.MICROSOFT_CLIENT_SECRET ?? "",
    scopes: "openid email profile",
    // A tenant's administrator writes any address into `email` ("nOAuth"); this claim says whose domain it is.
    isEmailVerified: ({ xms_edov: edov }) => edov === true || edov === 1 || edov === "1" || edov === "true",
  }),
  apple: (settings) => ({
    kind: "oidc",
    issuer: settings.APPLE_ISSUER,
    clientId: settings.APPLE_CLIENT_ID ?? "",
    clientSecret: () => signAppleSecret(settings),
    scopes: "openid email name",
    responseMode: "form_post",
    isEmailVerified: ({ email_verified: verified }) => verified === true || verified === "true",
  }),
};

function microsoftIssuer({ MICROSOFT_ISSUER, MICROSOFT_TENANT }: Settings): Pick<Config, "issuer" | "metadataUrl"> {
  const base = MICROSOFT_ISSUER ?? "https://login.microsoftonline.com";
  const tenant = MICROSOFT_TENANT === "consumers" ? CONSUMERS : MICROSOFT_TENANT;
  const isShared = tenant === "common" || tenant === "organizations";
  return {
    issuer: `${base}/${isShared ? "{tenantid}" : tenant}/v2.0`,
    metadataUrl: `${base}/${tenant}/v2.0/.well-known/openid-configuration`,
  };
}

/** Apple's client secret is a JWT of the developer's own, good for some minutes. */
async function signAppleSecret(settings: Settings): Promise<string> {
  const { APPLE_PRIVATE_KEY = "", APPLE_KEY_ID = "", APPLE_TEAM_ID = "", APPLE_CLIENT_ID = "" } = settings;
  try {
    return await new SignJWT()
      .setProtectedHeader({ alg: "ES256", kid: APPLE_KEY_ID })
      .setIssuer(APPLE_TEAM_ID)
      .setSubject(APPLE_CLIENT_ID)
      .setAudience(settings.APPLE_ISSUER)
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(await importPKCS8(APPLE_PRIVATE_KEY, "ES256"));
  } catch {
    // Without its cause, whose text could hold some of the key.
    throw new AppError("misconfigured", { detail: "Settings: APPLE_PRIVATE_KEY is not a P-256 key in PKCS #8." });
  }
}
