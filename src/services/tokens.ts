import { base64url, errors, jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import { randomBytes, sha256, toBytea } from "../crypto.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";

const ISSUER = "saas-backend-layer";

/** Seconds an access token is valid; a revoked session's is refused at once all the same. */
export const ACCESS_TOKEN_LIFETIME = 900;

const CLOCK_TOLERANCE = 5;

/** `sid` is the session's handle: 256 random bits that the database knows by a hash alone. */
const Subject = z.object({ sub: z.uuid(), sid: z.string().regex(/^[\w-]{43}$/) });
const AccessClaims = Subject;
const RefreshClaims = Subject.extend({ gen: z.int().positive() });

export interface TokenSubject {
  userId: string;
  /** base64url of 32 bytes. */
  handle: string;
}

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

async function sign(
  settings: Settings,
  typ: string,
  audience: string,
  expiresAt: Date,
  subject: TokenSubject,
  claims: object,
) {
  return new SignJWT({ sid: subject.handle, ...claims })
    .setProtectedHeader({ alg: "HS256", typ })
    .setIssuer(ISSUER)
    .setAudience(audience)
    .setSubject(subject.userId)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(encoder.encode(settings.JWT_SECRET));
}

async function verify<T>(
  settings: Settings,
  typ: string,
  audience: string,
  maxTokenAge: number,
  token: string,
  claims: z.ZodType<T>,
): Promise<T> {
  try {
    const { payload } = await jwtVerify(token, encoder.encode(settings.JWT_SECRET), {
      algorithms: ["HS256"],
      issuer: ISSUER,
      audience,
      typ,
      requiredClaims: ["exp", "iat", "sub", "sid"],
      maxTokenAge,
      clockTolerance: CLOCK_TOLERANCE,
    });
    // jose accepts an exp of 1e400, which JSON.parse reads as Infinity.
    if (!Number.isSafeInteger(payload.exp)) throw new errors.JWTInvalid("exp is not a date");
    return claims.parse(payload);
  } catch (error) {
    throw new AppError("unauthenticated", { cause: error });
  }
}

/** A JWT access token (RFC 9068's `at+jwt`), valid for `ACCESS_TOKEN_LIFETIME` seconds. */
export function issueAccessToken(settings: Settings, subject: TokenSubject): Promise<string> {
  const expiresAt = new Date(Date.now() + ACCESS_TOKEN_LIFETIME * 1000);
  return sign(settings, "at+jwt", `${ISSUER}/api`, expiresAt, subject, {});
}

/** @throws AppError `unauthenticated` for anything but a live access token of ours. */
export async function verifyAccessToken(settings: Settings, token: string): Promise<TokenSubject> {
  const { sub, sid } = await verify(settings, "at+jwt", `${ISSUER}/api`, ACCESS_TOKEN_LIFETIME, token, AccessClaims);
  return { userId: sub, handle: sid };
}

/** A refresh token of one generation of its session: signed, so a made-up one cannot revoke a session. */
export function issueRefreshToken(
  settings: Settings,
  subject: TokenSubject,
  generation: number,
  expiresAt: Date,
  carrier: RefreshTokenCarrier,
): Promise<string> {
  return sign(settings, "refresh+jwt", refreshAudiences[carrier], expiresAt, subject, { gen: generation });
}

/** @throws AppError `unauthenticated` for anything but an unexpired refresh token of ours, for this carrier. */
export async function verifyRefreshToken(
  settings: Settings,
  token: string,
  carrier: RefreshTokenCarrier,
): Promise<TokenSubject & { generation: number }> {
  const maxAge = settings.SESSION_EXPIRATION.absolute;
  const { sub, sid, gen } = await verify(
    settings,
    "refresh+jwt",
    refreshAudiences[carrier],
    maxAge,
    token,
    RefreshClaims,
  );
  return { userId: sub, handle: sid, generation: gen };
}
