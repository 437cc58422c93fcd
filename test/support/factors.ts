import { env } from "cloudflare:test";
import { expect } from "vitest";
import type { Settings } from "../../src/env.ts";
import { seal } from "../../src/sealing.ts";
import { attemptScope } from "../../src/services/attempts.ts";
import { verifyAddress } from "./accounts.ts";
import { toBytea } from "./bytes.ts";
import { asOwner } from "./database.ts";
import { type Answer, goodPassword, newAddress, type Person, type Service } from "./service.ts";
import { claimsOf } from "./tokens.ts";

// The secrets are all that is read of it; they are strings beside the bindings, which alone are declared.
const settings = env as unknown as Settings;

/** The time step now, of 30 seconds each. */
export const currentStep = () => Math.floor(Date.now() / 30_000);

/** The code of an app with this seed (RFC 6238, with RFC 4226 §5.3), written without the service's library. */
export async function totpCode(seed: Uint8Array, step = currentStep()): Promise<string> {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(step));
  const key = await crypto.subtle.importKey("raw", seed, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  const mac = new DataView(await crypto.subtle.sign("HMAC", key, counter.buffer));
  const offset = mac.getUint8(19) & 15;
  return String((mac.getUint32(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

export function readBase32(text: string): Uint8Array {
  const bits = Array.from(text, (c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0"));
  return Uint8Array.from(bits.join("").match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

/** Somebody's second factors, as they have them. */
export interface Factors {
  seed: Uint8Array;
  recoveryCodes: string[];
}

const post = (service: Service, path: string, token: string | undefined, body?: unknown) =>
  service.call("POST", `/v1/auth/mfa/${path}`, { token, ...(body !== undefined && { body }) });

/** Begins with a new app, at an address that is verified, and returns its seed. */
export async function beginTotp(service: Service, { token }: { token: string }): Promise<Uint8Array> {
  await verifyAddress({ id: String(claimsOf(token)["sub"]) });
  const { status, body } = await post(service, "totp", token);
  expect(status, JSON.stringify(body)).toBe(200);
  return readBase32(body.secret);
}

/** Sets an app up over HTTP, whose codes are all good afterwards. */
export async function enrolTotp(service: Service, person: Person): Promise<Factors> {
  const seed = await beginTotp(service, person);
  const { status, body } = await post(service, "totp/activate", person.token, { code: await totpCode(seed) });
  expect(status, JSON.stringify(body)).toBe(200);
  await forgetStep(person);
  return { seed, recoveryCodes: body.recoveryCodes ?? [] };
}

/** Signs in with the password, which gets no further than the second factor. */
export async function beginSignIn(service: Service, { email }: { email: string }, password = goodPassword) {
  const headers = { "cf-connecting-ip": newAddress() };
  const { status, body } = await service.call("POST", "/v1/auth/sign-in", { body: { email, password }, headers });
  expect(status, JSON.stringify(body)).toBe(202);
  return body.mfaToken as string;
}

export const verify = (service: Service, mfaToken: string, body: Record<string, unknown>): Promise<Answer> =>
  post(service, "verify", mfaToken, body);

/** As if the last code that was taken were of a step long ago: for tests that take more than one. */
export async function forgetStep({ id }: Person): Promise<void> {
  await asOwner(["update totp_factors set last_step = 0 where user_id = $1 and activated_at is not null", [id]]);
}

/** Gives somebody an app as enrolling would: active, or still to be activated. */
export async function giveTotp({ id: userId }: { id: string }, isActive: boolean): Promise<Uint8Array> {
  const seed = crypto.getRandomValues(new Uint8Array(20));
  const id = crypto.randomUUID();
  await asOwner(
    [
      `insert into totp_factors (id, user_id, sealed_seed, key_hash, activated_at, last_step)
       values ($1, $2, $3, sha256(sha256($4::bytea)), case when $5 then now() end, case when $5 then 0 end)`,
      [id, userId, await seal(settings, `totp_factors ${id}`, seed), toBytea(seed), isActive],
    ],
    [
      "update sessions set second_factor = 'given' where user_id = $1 and revoked_at is null and $2",
      [userId, isActive],
    ],
  );
  return seed;
}

/** Gives somebody that many recovery codes beside those that they have. */
export async function giveRecoveryCodes({ id }: { id: string }, count: number): Promise<string[]> {
  const codes = Array.from({ length: count }, () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => "ABCDEFGH234567AB".charAt(byte % 16)).join(""),
  );
  await asOwner([
    "insert into recovery_codes (user_id, key_hash) select $1, sha256(sha256(code::bytea)) from unnest($2::text[]) code",
    [id, codes],
  ]);
  return codes;
}

async function scopeOf({ id }: { id: string }): Promise<[scope: string, userId: string]> {
  return [await attemptScope(settings, "second factor"), id];
}

const own = "scope = sha256($1::bytea || uuid_send($2::uuid))";

/** How many attempts at the second factor are counted for somebody; undefined when none is. */
export async function countFactorAttempts(person: { id: string }): Promise<number | undefined> {
  const [rows] = await asOwner([`select attempts from throttles where ${own}`, await scopeOf(person)]);
  return rows?.[0]?.["attempts"];
}

/** As if nobody had tried. */
export async function forgetFactorAttempts(person: { id: string }): Promise<void> {
  await asOwner([`delete from throttles where ${own}`, await scopeOf(person)]);
}

/** Those that set a second factor up: closed to an address that nobody verified where mail can verify it. */
export const addsFactor = new Set([
  "POST /v1/auth/mfa/totp",
  "POST /v1/auth/mfa/totp/activate",
  "POST /v1/auth/passkeys/registration-options",
  "POST /v1/auth/passkeys",
]);

/** Others that are closed to such an address. */
export const asksVerified = (operation: string): boolean =>
  addsFactor.has(operation) ||
  /users\/me\/(invitations|suggested-organizations)|^POST .+\/(invitations(\/\{invitationId\}\/resend)?|share-links|share-links\/accept)$/.test(
    operation,
  );

/** What operations need of somebody's second factors, beside a right body. */
const arrangements: Record<string, (service: Service, person: Person) => Promise<void>> = {
  "POST /v1/auth/mfa/totp/activate": async (_, person) => {
    person.totpCode = await lastingCode(await giveTotp(person, false));
  },
  "DELETE /v1/auth/mfa/totp": async (_, person) => void (await giveTotp(person, true)),
  "POST /v1/auth/mfa/recovery-codes": async (_, person) => {
    await giveTotp(person, true);
    await giveRecoveryCodes(person, 3);
  },
  "POST /v1/auth/mfa/verify": async (service, person) => {
    person.totpCode = await lastingCode(await giveTotp(person, true));
    person.mfaToken = await beginSignIn(service, person);
  },
};

/** The next one, which is good already, and for longer than the one of now. */
const lastingCode = (seed: Uint8Array) => totpCode(seed, currentStep() + 1);

export async function arrange(service: Service, person: Person, operation = ""): Promise<void> {
  if (asksVerified(operation)) await verifyAddress(person);
  await arrangements[operation]?.(service, person);
}
