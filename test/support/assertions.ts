import type { Ceremony } from "./authenticator.ts";
import { asOwner } from "./database.ts";
import { addPasskey, type Assertion } from "./passkeys.ts";
import { openService, type Person, signUpPerson } from "./service.ts";

const service = openService();

export const withResponse = (credential: Assertion, response: Partial<Assertion["response"]>) => ({
  ...credential,
  response: { ...credential.response, ...response },
});

export const spoil = (text: string) => `${text.slice(0, 10)}${text[10] === "A" ? "B" : "A"}${text.slice(11)}`;

/** What is refused of an assertion that is right but for this, whatever it is given for. */
export const lies: Record<string, Ceremony> = {
  "of another origin": { origin: "https://evil.example" },
  "for another RP ID": { rpId: "evil.example" },
  "without user verification": { userVerified: false },
  "without user presence": { userPresent: false },
  "that is a registration": { type: "webauthn.create" },
  "of a page within another's": { crossOrigin: true },
  "with a challenge of its own": { challenge: "A".repeat(96) },
  "of another person": { userHandle: "AZqw3o9sfMSeb28rfw8aAg" },
  "whose counter goes back": { counter: 4 },
  "whose counter stays": { counter: 5 },
  "that counts no more": { counter: 0 },
};

export const forgeries: Record<string, (credential: Assertion) => unknown> = {
  "with another signature": (credential) =>
    withResponse(credential, { signature: spoil(credential.response.signature) }),
  "with other data": (credential) =>
    withResponse(credential, { authenticatorData: spoil(credential.response.authenticatorData) }),
  "whose client data is none": (credential) => withResponse(credential, { clientDataJSON: "bnVsbA" }),
  "under two ids": (credential) => ({ ...credential, rawId: "AAAAAAAAAAAAAAAAAAAAAA" }),
  "of an unknown credential": (credential) => ({
    ...credential,
    id: spoil(credential.id),
    rawId: spoil(credential.id),
  }),
};

/** Ada, with a passkey whose counter is at 5. */
export async function makeAda() {
  const ada = await signUpPerson(service);
  return { ada, ...(await addPasskey(ada, { counter: 5 })) };
}

export const usedAt = async ({ id }: Person) =>
  (await asOwner(["select last_used_at, sign_count::int from passkeys where user_id = $1", [id]]))[0]?.[0];
