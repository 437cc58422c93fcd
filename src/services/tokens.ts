import {
  base64url,
  type CryptoKey,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTVerifyOptions,
  SignJWT,
} from "jose";
import * as z from "zod";
import { randomBytes, sha256, toBytea } from "../crypto.ts";
import { secretsOf, type Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { importSigningKeys } from "./jwks.ts";

const ISSUER = "saas-backend-layer";

/** Seconds an access token is valid; a revoked session's is refused at once all the same. */
export const ACCESS_TOKEN_LIFETIME = 900;

/** Seconds that somebody acts as somebody else, at most: in one token, which is not refreshed. */
export const IMPERSONATION_LIFETIME = 3600;

/** Seconds that are left to give the second factor: the session ends with its token. */
export const MFA_TOKEN_LIFETIME = 600;

const CLOCK_TOLERANCE = 5;

/** `sid` is the session's handle: 256 random bits that the database knows by a hash alone. */
const Subject = z.object({ sub: z.uuid(), sid: z.string().regex(/^[\w-]{43}$/) });
const AccessClaims = Subject.extend({
  iat: z.number(),
  /** Who acts as `sub` (RFC 8693 §4.1). */
  act: z.object({ sub: z.uuid() }).optional(),
});
const RefreshClaims = Subject.extend({ gen: z.int().positive() });

/** All that a token of ours says of itself: no key, nor the address of one, is taken from a token. */
const Header = z.strictObject({ alg: z.string(), typ: z.string(), kid: z.string().optional() });

/** A key, and the one algorithm that it is for. */
interface TokenKey {
  alg: "HS256" | "EdDSA";
  kid?: string;
  key: Uint8Array | CryptoKey;
}

export interface TokenSubject {
  userId: string;
  /** base64url of 32 bytes. */
  handle: string;
  /** The administrator who acts as the user. */
  impersonatorId?: string | undefined;
}

const MFA_TYPE = "mfa+jwt";

const encoder = new TextEncoder();

/** Where a client keeps its refresh token: within reach of its scripts, or in a cookie that they cannot read. */
export type RefreshTokenCarrier = "body" | "cookie";

/** Each is good where it was issued for alone, so that none can be moved out of the cookie, or into it. */
const refreshAudiences: Record<RefreshTokenCarrier, string> = {
  body: `${ISSUER}/refresh`,
  cookie: `${ISSUER}/refresh-cookie`,
};

export function newHandle(): string {
  return base64url.encode(randomBytes(32));
}

/** What the database is sent instead of the handle, so that no log of it holds a live credential. */
export async function hashHandle(handle: string): Promise<string> {
  return toBytea(await sha256(base64url.decode(handle)));
}

const secretKey = (secret: string): TokenKey => ({ alg: "HS256", key: encoder.encode(secret) });

/** The key of `JWT_SIGNING_KEYS` that the token names, or for one that names none, the secrets. */
async function accessKeysFor(settings: Settings, token: string): Promise<TokenKey[]> {
  const { kid } = decodeProtectedHeader(token);
  if (kid === undefined) return secretsOf(settings).map(secretKey);
  const { verifying } = await importSigningKeys(settings);
  return verifying.filter((key) => key.kid === kid).map((key) => ({ alg: "EdDSA", ...key }));
}

async function sign(
  { alg, kid, key }: TokenKey,
  typ: string,
  audience: string,
  expiresAt: Date,
  subject: TokenSubject,
  claims: object,
) {
  return new SignJWT({ sid: subject.handle, ...claims })
    .setProtectedHeader({ alg, typ, ...(kid !== undefined && { kid }) })
    .setIssuer(ISSUER)
    .setAudience(audience)
    .setSubject(subject.userId)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(key);
}

async function verify<T>(
  keysFor: (token: string) => TokenKey[] | Promise<TokenKey[]>,
  typ: string,
  audience: string,
  maxTokenAge: number,
  token: string,
  claims: z.ZodType<T>,
): Promise<T> {
  try {
    const { payload, protectedHeader } = await verifyWithAny(await keysFor(token), token, {
      issuer: ISSUER,
      audience,
      typ,
      requiredClaims: ["exp", "iat", "sub", "sid"],
      maxTokenAge,
      clockTolerance: CLOCK_TOLERANCE,
    });
    Header.parse(protectedHeader);
    // jose accepts an exp of 1e400, which JSON.parse reads as Infinity.
    if (!Number.isSafeInteger(payload.exp)) throw new errors.JWTInvalid("exp is not a date");
    return claims.parse(payload);
  } catch (error) {
    throw new AppError("unauthenticated", { cause: error });
  }
}

/** As the first of the keys has it that fits. @throws JWSSignatureVerificationFailed when none does. */
async function verifyWithAny(keys: readonly TokenKey[], token: string, options: JWTVerifyOptions) {
  for (const { alg, key } of keys) {
    try {
      return await jwtVerify(token, key, { ...options, algorithms: [alg] });
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

/** A JWT access token (RFC 9068's `at+jwt`), valid for `ACCESS_TOKEN_LIFETIME` seconds, or as long as is said. */
export async function issueAccessToken(
  settings: Settings,
  subject: TokenSubject,
  lifetime = ACCESS_TOKEN_LIFETIME,
): Promise<string> {
  const expiresAt = new Date(Date.now() + lifetime * 1000);
  const { signing } = await importSigningKeys(settings);
  const key: TokenKey = signing ? { alg: "EdDSA", ...signing } : secretKey(settings.JWT_SECRET);
  const { impersonatorId } = subject;
  const claims = impersonatorId === undefined ? {} : { act: { sub: impersonatorId } };
  return sign(key, "at+jwt", `${ISSUER}/api`, expiresAt, subject, claims);
}

/** @throws AppError `unauthenticated` for anything but a live access token of ours. */
export async function verifyAccessToken(settings: Settings, token: string): Promise<TokenSubject> {
  const { sub, sid, iat, act } = await verify(
    (token) => accessKeysFor(settings, token),
    "at+jwt",
    `${ISSUER}/api`,
    IMPERSONATION_LIFETIME,
    token,
    AccessClaims,
  );
  const isTooOld = Date.now() / 1000 > iat + ACCESS_TOKEN_LIFETIME + CLOCK_TOLERANCE;
  if (!act && isTooOld) throw new AppError("unauthenticated");
  return { userId: sub, handle: sid, impersonatorId: act?.sub };
}

/** What a session has before its second factor: good for giving it. Nobody else verifies it, so HS256. */
export function issueMfaToken(settings: Settings, subject: TokenSubject): Promise<string> {
  const expiresAt = new Date(Date.now() + MFA_TOKEN_LIFETIME * 1000);
  return sign(secretKey(settings.JWT_SECRET), MFA_TYPE, `${ISSUER}/mfa`, expiresAt, subject, {});
}

/** Whether the token says of itself that it is one of these, which nobody has verified yet. */
export function isMfaToken(token: string): boolean {
  try {
    return decodeProtectedHeader(token).typ === MFA_TYPE;
  } catch {
    return false;
  }
}

/** @throws AppError `unauthenticated` for anything but one of these that has not expired. */
export async function verifyMfaToken(settings: Settings, token: string): Promise<TokenSubject> {
  const { sub, sid } = await verify(
    () => secretsOf(settings).map(secretKey),
    MFA_TYPE,
    `${ISSUER}/mfa`,
    MFA_TOKEN_LIFETIME,
    token,
    Subject,
  );
  return { userId: sub, handle: sid };
}

/** A refresh token of one generation of its session, which nobody else verifies: HS256. Signed, so a made-up one cannot revoke a session. */
export function issueRefreshToken(
  settings: Settings,
  subject: TokenSubject,
  generation: number,
  expiresAt: Date,
  carrier: RefreshTokenCarrier,
): Promise<string> {
  const key = secretKey(settings.JWT_SECRET);
  return sign(key, "refresh+jwt", refreshAudiences[carrier], expiresAt, subject, { gen: generation });
}

/** @throws AppError `unauthenticated` for anything but an unexpired refresh token of ours, for this carrier. */
export async function verifyRefreshToken(
  settings: Settings,
  token: string,
  carrier: RefreshTokenCarrier,
): Promise<TokenSubject & { generation: number }> {
  const maxAge = settings.SESSION_EXPIRATION.absolute;
  const { sub, sid, gen } = await verify(
    () => secretsOf(settings).map(secretKey),
    "refresh+jwt",
    refreshAudiences[carrier],
    maxAge,
    token,
    RefreshClaims,
  );
  return { userId: sub, handle: sid, generation: gen };
}
