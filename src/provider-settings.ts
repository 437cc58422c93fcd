import * as z from "zod";

/** Where somebody else's server is: encrypted, save on this machine. */
export const isServerUrl = (text: string): boolean => {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.search || url.hash || text.endsWith("/")) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && /^(127\.0\.0\.1|localhost)$/.test(url.hostname));
};

const serverUrl = z
  .string()
  .refine(isServerUrl, "must be an https URL without a slash at its end, such as https://accounts.google.com");

const clientId = z.string().regex(/^[!-~]{1,255}$/, "must be as the provider shows it, without spaces");
const clientSecret = z.string().regex(/^[!-~]{1,512}$/, "must be as the provider shows it, without spaces");

const privateKey = z
  .string()
  .transform((text) => text.replaceAll("\\n", "\n"))
  .refine(
    (text) => /^-----BEGIN PRIVATE KEY-----[\sA-Za-z\d+/=]+-----END PRIVATE KEY-----\s*$/.test(text),
    "must be the content of Apple's .p8 file",
  );

/** Those of the providers that people sign in with. All are optional; of one provider all, or none. */
export const providerSettings = {
  GOOGLE_CLIENT_ID: clientId.optional(),
  GOOGLE_CLIENT_SECRET: clientSecret.optional(),
  GOOGLE_ISSUER: serverUrl.default("https://accounts.google.com"),
  GITHUB_CLIENT_ID: clientId.optional(),
  GITHUB_CLIENT_SECRET: clientSecret.optional(),
  GITHUB_URL: serverUrl.default("https://github.com"),
  GITHUB_API_URL: serverUrl.default("https://api.github.com"),
  MICROSOFT_CLIENT_ID: clientId.optional(),
  MICROSOFT_CLIENT_SECRET: clientSecret.optional(),
  MICROSOFT_TENANT: z
    .string()
    .regex(/^(common|organizations|consumers|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12})$/, {
      message: "must be common, organizations, consumers or the id of a tenant",
    })
    .default("common"),
  MICROSOFT_ISSUER: serverUrl.optional(),
  APPLE_CLIENT_ID: clientId.optional(),
  APPLE_TEAM_ID: clientId.optional(),
  APPLE_KEY_ID: clientId.optional(),
  APPLE_PRIVATE_KEY: privateKey.optional(),
  APPLE_ISSUER: serverUrl.default("https://appleid.apple.com"),
};

const webhookSecrets = z
  .string()
  .refine(
    (text) => text.split(",").length <= 2 && text.split(",").every((secret) => /^whsec_[!-~]{8,255}$/.test(secret)),
    "must be one secret such as whsec_…, or while it is being replaced two, with a comma",
  )
  .transform((text) => text.split(","));

/** Those of who collects the money, where it is not the platform itself. */
export const stripeSettings = {
  BILLING_PROVIDER: z.enum(["manual", "stripe"]).default("manual"),
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^[rs]k_(live|test)_[!-~]{8,255}$/, "must look like sk_live_…, rk_live_… or sk_test_…")
    .optional(),
  STRIPE_WEBHOOK_SECRET: webhookSecrets.optional(),
  STRIPE_API_URL: serverUrl.default("https://api.stripe.com"),
  STRIPE_AUTOMATIC_TAX: z.enum(["on", "off"]).default("off"),
  STRIPE_PROMOTION_CODES: z.enum(["on", "off"]).default("off"),
};

/** What each provider needs, by the name that is in paths. */
const needed = {
  google: ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"],
  github: ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"],
  microsoft: ["MICROSOFT_CLIENT_ID", "MICROSOFT_CLIENT_SECRET"],
  apple: ["APPLE_CLIENT_ID", "APPLE_TEAM_ID", "APPLE_KEY_ID", "APPLE_PRIVATE_KEY"],
} as const;

export type SocialProvider = keyof typeof needed;

export const socialProviders = Object.keys(needed) as [SocialProvider, ...SocialProvider[]];

/** The first setting of each provider: with it, the provider is on. */
export const isProviderOn = (settings: object, provider: SocialProvider): boolean =>
  (settings as Record<string, unknown>)[needed[provider][0]] !== undefined;

/** Names what a provider lacks of which there is a part, and what all of them need. */
export function checkProviders(settings: object, context: z.RefinementCtx): void {
  const values = settings as Record<string, unknown>;
  const missing = new Set<string>();
  for (const names of Object.values(needed)) {
    if (names.every((name) => values[name] === undefined)) continue;
    for (const name of [...names, "PUBLIC_ORIGIN", "APP_URL"]) if (values[name] === undefined) missing.add(name);
  }
  const ofStripe = ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"];
  if (values["BILLING_PROVIDER"] === "stripe" || ofStripe.some((name) => values[name] !== undefined)) {
    for (const name of [...ofStripe, "APP_URL"]) if (values[name] === undefined) missing.add(name);
  }
  for (const name of missing) context.addIssue({ code: "custom", path: [name], message: "is missing" });
}
