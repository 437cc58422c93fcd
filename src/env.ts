import * as z from "zod";
import { AppError } from "./errors.ts";
import { checkProviders, isServerUrl, providerSettings, stripeSettings } from "./provider-settings.ts";

const duration = z
  .string()
  .regex(/^[1-9]\d{0,4}[mhd]$/, "must be a number of minutes, hours or days, such as 30m, 12h or 7d")
  .transform((text) => Number.parseInt(text, 10) * { m: 60, h: 3_600, d: 86_400 }[text.at(-1) as "m" | "h" | "d"])
  .refine((seconds) => seconds >= 900 && seconds <= 365 * 86_400, "must be between 15m and 365d");

/** `absolute/idle`; without the second a session goes on, unused, until its end. */
const sessionLifetimes = z
  .string()
  .transform((text) => text.split("/"))
  .pipe(z.array(duration).max(2, "must be one lifetime or two, such as 7d or 30d/7d"))
  .transform(([absolute = 0, idle = absolute]) => ({ absolute, idle }))
  .refine(({ absolute, idle }) => idle <= absolute, "must not be longer after the slash than before it");

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be between ${min} and ${max}`);

const secret = z
  .string()
  .refine(
    (text) => new TextEncoder().encode(text).length >= 32,
    "must have at least 32 bytes; try: openssl rand -base64 48",
  )
  .refine((text) => new Set(text).size >= 10, "repeats itself too much to be random; try: openssl rand -base64 48");

/** 32 bytes in base64url (RFC 8037 §2): of the last character four bits count. */
const ed25519Number = z.string().regex(/^[\w-]{42}[AEIMQUYcgkosw048]$/);

const SigningKeySet = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        kty: z.literal("OKP"),
        crv: z.literal("Ed25519"),
        x: ed25519Number,
        d: ed25519Number,
        kid: z.string().regex(/^[\w.~-]{1,64}$/),
        alg: z.literal("EdDSA").optional(),
        use: z.literal("sig").optional(),
      }),
    )
    .min(1)
    .max(5)
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length),
});

/**
 * Private keys that sign access tokens, as a JWK Set (RFC 7517): the first signs, all are published. One message
 * for whatever is wrong, since zod's own would show names out of the secret.
 */
export const SigningKeys = z.string().transform((text, context) => {
  const set = SigningKeySet.safeParse(parseJson(text));
  if (set.success) return set.data.keys;
  const message = "must be a JWK Set of 1 to 5 private Ed25519 keys, each with a kid of its own; try: npm run -s keys";
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const databaseUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  return (
    !!url &&
    /^postgres(ql)?:$/.test(url.protocol) &&
    !!url.username &&
    !!url.password &&
    !!url.hostname &&
    url.pathname.length > 1
  );
}, "must look like postgresql://app_user:password@host/database");

const origins = z
  .string()
  .transform((text) =>
    text
      .split(",")
      .map((origin) => origin.trim())
      .filter(Boolean),
  )
  .refine(
    (list) => list.every((origin) => URL.parse(origin)?.origin === origin && !origin.includes("*")),
    "must be a comma-separated list of origins such as https://app.example.com, without paths or wildcards",
  );

/** Characters that a new password has at least, where the setting of this name asks for no more. */
export const PASSWORD_MIN_LENGTH = 8;

const origin = z.string().refine((text) => {
  const url = URL.parse(text);
  return !!url && /^https?:$/.test(url.protocol) && url.origin === text;
}, "must be an origin such as https://app.example.com, without a path");

/** The suffix of a host that pages of an RP ID may have (Web Authentication §5.1.2), or "localhost". */
const relyingPartyId = z
  .string()
  .max(253)
  .regex(
    /^(localhost|([a-z\d]([a-z\d-]{0,61}[a-z\d])?\.)+[a-z][a-z\d-]{0,61}[a-z\d])$/,
    "must be a host name such as example.com",
  );

const rangeUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  if (!url || url.origin + url.pathname !== text || !text.endsWith("/")) return false;
  return (
    url.protocol === "https:" || (url.protocol === "http:" && /^(127\.0\.0\.1|(.+\.)?localhost)$/.test(url.hostname))
  );
}, "must be an https URL that ends with a slash, such as https://api.pwnedpasswords.com/range/");

const SettingsSchema = z
  .object({
    DATABASE_URL: databaseUrl,
    JWT_SECRET: secret,
    JWT_SECRET_PREVIOUS: secret.optional(),
    JWT_SIGNING_KEYS: SigningKeys.optional(),
    ENCRYPTION_KEY: secret.optional(),
    ENCRYPTION_KEY_PREVIOUS: secret.optional(),
    TOTP_ISSUER: z
      .string()
      .regex(/^[^\s:][^:\p{Cc}]{0,62}$/u, "must be 1 to 63 characters without a colon")
      .optional(),
    BCRYPT_WORK_FACTOR: integer(4, 14),
    SESSION_EXPIRATION: sessionLifetimes,
    RATE_LIMIT_PER_MINUTE: integer(1, 100_000),
    ENVIRONMENT: z.enum(["development", "test", "production"]),
    CORS_ORIGINS: origins.default([]),
    PUBLIC_ORIGIN: origin.optional(),
    PASSWORD_MIN_LENGTH: integer(PASSWORD_MIN_LENGTH, 64).default(PASSWORD_MIN_LENGTH),
    PASSWORD_PEPPER: secret.optional(),
    PASSWORD_BREACH_CHECK_URL: rangeUrl.optional(),
    EMAIL_VERIFICATION: z.enum(["optional", "required"]).optional(),
    EMAIL_PROVIDER: z.enum(["resend", "cloudflare"]).optional(),
    EMAIL_FROM: z
      .string()
      .regex(/^([^<>@\r\n]+ <[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$/, "must look like Acme <hello@acme.example>")
      .optional(),
    APP_URL: origin.optional(),
    PASSKEY_RP_ID: relyingPartyId.optional(),
    RESEND_API_KEY: z
      .string()
      .regex(/^re_[\w-]+$/, "must look like re_…")
      .optional(),
    RESEND_API_URL: origin.default("https://api.resend.com"),
    DNS_OVER_HTTPS_URL: z
      .string()
      .refine(isServerUrl, "must be an https URL without a query, such as https://cloudflare-dns.com/dns-query")
      .default("https://cloudflare-dns.com/dns-query"),
    ...providerSettings,
    ...stripeSettings,
  })
  .transform((settings) => ({
    ...settings,
    EMAIL_VERIFICATION:
      settings.EMAIL_VERIFICATION ?? (settings.ENVIRONMENT === "production" ? "required" : "optional"),
  }))
  .superRefine((settings, context) => {
    if (!settings.EMAIL_PROVIDER) {
      if (settings.EMAIL_VERIFICATION === "required") {
        const message = "is missing, and addresses are verified unless EMAIL_VERIFICATION is optional";
        context.addIssue({ code: "custom", path: ["EMAIL_PROVIDER"], message });
      }
      return;
    }
    const needed = ["EMAIL_FROM", "APP_URL", ...(settings.EMAIL_PROVIDER === "resend" ? ["RESEND_API_KEY"] : [])];
    for (const name of needed) {
      if (settings[name as keyof typeof settings] === undefined)
        context.addIssue({ code: "custom", path: [name], message: "is missing" });
    }
  })
  .superRefine(checkProviders)
  .refine((settings) => settings.BCRYPT_WORK_FACTOR >= 10 || settings.ENVIRONMENT === "test", {
    path: ["BCRYPT_WORK_FACTOR"],
    message: "must be between 10 and 14",
  })
  .refine(
    ({ PASSKEY_RP_ID: id, ...settings }) =>
      !id || originsOf(settings).some((origin) => `.${URL.parse(origin)?.hostname}`.endsWith(`.${id}`)),
    {
      path: ["PASSKEY_RP_ID"],
      message: "must be the host of an origin of the frontend's, or what one ends with after a dot",
    },
  )
  .refine((settings) => settings.ENCRYPTION_KEY !== settings.JWT_SECRET, {
    path: ["ENCRYPTION_KEY"],
    message: "must be another one than JWT_SECRET",
  })
  .refine((settings) => settings.JWT_SECRET_PREVIOUS !== settings.JWT_SECRET, {
    path: ["JWT_SECRET_PREVIOUS"],
    message: "must be another one than JWT_SECRET",
  });

/** All settings, parsed. Times are seconds. */
export type Settings = z.infer<typeof SettingsSchema>;

/** The secrets that tokens and mails on their way may have been made with. What is new takes `JWT_SECRET`, the first. */
export const secretsOf = ({ JWT_SECRET, JWT_SECRET_PREVIOUS }: Settings): string[] =>
  JWT_SECRET_PREVIOUS ? [JWT_SECRET, JWT_SECRET_PREVIOUS] : [JWT_SECRET];

/** Those whose pages are the product's own. */
export const originsOf = (settings: {
  APP_URL?: string | undefined;
  PUBLIC_ORIGIN?: string | undefined;
  CORS_ORIGINS: string[];
}): string[] =>
  [settings.APP_URL, settings.PUBLIC_ORIGIN, ...settings.CORS_ORIGINS].filter((origin) => origin !== undefined);

/** Whether a database host means the local Neon endpoint instead of Neon. */
export function isLocalHost(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost");
}

const parsed = new WeakMap<object, Settings>();

/**
 * Parses the environment's settings, once for each environment object.
 *
 * @throws AppError `misconfigured`, naming each missing or weak setting and never its value.
 */
export function readSettings(env: object): Settings {
  const known = parsed.get(env);
  if (known) return known;
  const result = SettingsSchema.safeParse(env);
  if (!result.success) {
    const problems = result.error.issues.map(
      ({ code, path: [name = ""], message }) =>
        `${String(name)} ${name in env || code === "custom" ? message : "is missing"}`,
    );
    throw new AppError("misconfigured", { detail: `Settings: ${[...new Set(problems)].join("; ")}.` });
  }
  parsed.set(env, result.data);
  return result.data;
}
