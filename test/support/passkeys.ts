import { env } from "cloudflare:test";
import { vi } from "vitest";
import type { Settings } from "../../src/env.ts";
import { type ChallengeUse, newChallenge } from "../../src/services/passkey-challenges.ts";
import { toBytea } from "../../src/crypto.ts";
import { userHandleOf } from "../../src/services/passkeys.ts";
import { hashHandle } from "../../src/services/tokens.ts";
import { verifyAddress } from "./accounts.ts";
import { Authenticator } from "./authenticator.ts";
import { asOwner } from "./database.ts";
import { newAddress, openService, type Person, type Service } from "./service.ts";
import { claimsOf } from "./tokens.ts";

const service = openService();

// The secret is all that is read of it; it is a string beside the bindings, which alone are declared.
const settings = { JWT_SECRET: (env as unknown as { JWT_SECRET: string }).JWT_SECRET } as Settings;

/** What challenges are bound to. */
export const sessionOf = (token: string): Promise<string> => hashHandle(claimsOf(token)["sid"]);

/** A challenge of the service's own, made so many seconds ago. */
export async function makeChallenge(use: ChallengeUse, age = 0): Promise<string> {
  const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() - age * 1000);
  try {
    return await newChallenge(settings, use);
  } finally {
    clock.mockRestore();
  }
}

export type Registration = Awaited<ReturnType<Authenticator["create"]>>;
export type Assertion = Awaited<ReturnType<Authenticator["get"]>>;

/** What the service answers for a new passkey of this person's, whose address is then verified. */
export async function askToRegister(token: string, by: Service = service) {
  await verifyAddress({ id: String(claimsOf(token)["sub"]) });
  const { status, body } = await by.call("POST", "/v1/auth/passkeys/registration-options", { token });
  if (status !== 200) throw new Error(`registration-options: ${status} ${JSON.stringify(body)}`);
  return body;
}

export const register = (token: string, credential: unknown, name?: string, by: Service = service) =>
  by.call("POST", "/v1/auth/passkeys", { token, body: { credential, ...(name !== undefined && { name }) } });

/** A passkey of this person's, in an authenticator of its own. */
export async function addPasskey({ token }: Pick<Person, "token">, { counter = 0 } = {}) {
  const authenticator = await Authenticator.open({ counter });
  const answer = await register(token, await authenticator.create(await askToRegister(token)));
  if (answer.status !== 201) throw new Error(`register: ${answer.status} ${JSON.stringify(answer.body)}`);
  return { authenticator, passkey: answer.body as { id: string; recoveryCodes?: string[] } };
}

export async function askToSignIn(by: Service = service) {
  const { status, body } = await by.call("POST", "/v1/auth/passkeys/authentication-options");
  if (status !== 200) throw new Error(`authentication-options: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** From an address of its own, unless another is given. */
export const signInWith = (credential: unknown, more: object = {}, address = newAddress(), by: Service = service) =>
  by.call("POST", "/v1/auth/passkeys/authentication", {
    body: { credential, ...more },
    headers: { "cf-connecting-ip": address },
  });

/** The token of a session that waits for its second factor. */
export async function beginSignIn({ email, password }: Pick<Person, "email" | "password">): Promise<string> {
  const headers = { "cf-connecting-ip": newAddress() };
  const { status, body } = await service.call("POST", "/v1/auth/sign-in", { body: { email, password }, headers });
  if (status !== 202) throw new Error(`sign-in: ${status} ${JSON.stringify(body)}`);
  return body.mfaToken;
}

export async function askForFactor(token: string) {
  const { status, body } = await service.call("POST", "/v1/auth/mfa/passkey-options", { token });
  if (status !== 200) throw new Error(`passkey-options: ${status} ${JSON.stringify(body)}`);
  return body;
}

export const giveFactor = (token: string, credential: unknown, more: object = {}) =>
  service.call("POST", "/v1/auth/mfa/passkey", { token, body: { credential, ...more } });

const rpId = "app.acme.example";

/**
 * Gives somebody what an operation of passkeys asks for: a passkey whose id is returned, and an answer to a challenge
 * for it, or for another passkey; and what takes a second factor, a session that waits for it.
 */
export async function givePasskeyFor(operation: string, person: Person): Promise<string> {
  const authenticator = await Authenticator.open();
  const session = await sessionOf(person.token);
  const id = crypto.randomUUID();
  const user = { id: userHandleOf(person.id) };
  if (operation === "POST /v1/auth/passkeys") {
    const challenge = await makeChallenge({ purpose: "registration", session });
    person.passkeyAnswer = await authenticator.create({ rp: { id: rpId }, user, challenge });
    return id;
  }
  await asOwner([
    `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
     values ($1, $2, 'Passkey', $3::bytea, $4::bytea, 0, 'internal', false)`,
    [id, person.id, toBytea(authenticator.credentialId), toBytea(await authenticator.publicKey())],
  ]);
  if (operation === "POST /v1/auth/passkeys/authentication") {
    const challenge = await makeChallenge({ purpose: "sign-in", session: null });
    person.passkeyAnswer = await authenticator.get({ rpId, challenge });
  } else if (operation === "POST /v1/auth/mfa/passkey") {
    const challenge = await makeChallenge({ purpose: "second factor", session });
    person.passkeyAnswer = await authenticator.get({ rpId, challenge });
    await asOwner(["update sessions set second_factor = 'pending' where handle_hash = sha256($1::bytea)", [session]]);
  }
  return id;
}

/** Whether it asks for that. */
export const takesPasskey = (operation: string): boolean =>
  ["/{passkeyId}", "/authentication", "/mfa/passkey", "POST /v1/auth/passkeys"].some((end) => operation.endsWith(end));
