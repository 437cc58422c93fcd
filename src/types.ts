import type {
  AdmittedKey,
  DatabaseMeter,
  DatabaseOptions,
  IdempotencyKey,
  PersonDatabase,
  PlatformDatabase,
  SystemDatabase,
  TenantDatabase,
} from "./db/index.ts";
import type { Settings } from "./env.ts";
import type { RateLimiter } from "./middleware/rate-limit/rate-limiter.ts";

/** What wrangler.toml binds. Settings are strings beside these, read through `readSettings` alone. */
export interface Bindings {
  RATE_LIMITER: DurableObjectNamespace<RateLimiter>;
  /** For EMAIL_PROVIDER=cloudflare. */
  EMAIL?: SendEmail;
}

/** Who a verified access token speaks for. The database decides whether the session still lives. */
export interface SessionIdentity {
  by: "session";
  userId: string;
  /** SHA-256 of the session's handle, as bytea: what `app.admit` is given. */
  handle: string;
  /** The administrator who acts as the user, as the token says. */
  impersonatorId: string | undefined;
}

/** What has the shape of an API key. The database decides whether it is one. */
export interface ApiKeyIdentity {
  by: "apiKey";
  /** SHA-256 of the key, as bytea: what `app.admit_key` is given. */
  handle: string;
  /** What the database has let in, once it has. */
  admitted?: AdmittedKey;
}

export type Identity = SessionIdentity | ApiKeyIdentity;

/** Set for every request, before any route. */
export interface RequestVariables {
  requestId: string;
  settings: Settings;
  /** CF-Connecting-IP. */
  clientAddress: string | null;
  userAgent: string | null;
  meter: DatabaseMeter;
  databaseOptions: DatabaseOptions;
  identity?: Identity;
  idempotencyKey?: IdempotencyKey;
  /** Where something was changed, and webhooks tell of it. */
  changedOrganizationId?: string;
  /** Set by secure-headers for a page with scripts. */
  secureHeadersNonce?: string;
}

export interface AppEnv {
  Bindings: Bindings;
  Variables: RequestVariables;
}

export interface SystemEnv extends AppEnv {
  Variables: RequestVariables & { database: SystemDatabase };
}

export interface PersonEnv extends AppEnv {
  Variables: RequestVariables & { database: PersonDatabase };
}

export interface PlatformEnv extends AppEnv {
  Variables: RequestVariables & { database: PlatformDatabase };
}

export interface TenantEnv extends AppEnv {
  Variables: RequestVariables & { database: TenantDatabase };
}
