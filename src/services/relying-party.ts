import { base64url } from "jose";
import { originsOf, type Settings } from "../env.ts";
import { AppError } from "../errors.ts";

/** For whom credentials are made, and whose pages may ask for them. */
export interface RelyingParty {
  id: string;
  origins: string[];
}

/** COSE: EdDSA, ES256 and RS256, in the order in which they are liked. */
export const algorithms = [-8, -7, -257];

/** A browser's answer to `navigator.credentials.create()`, as `toJSON()` writes it. */
export interface Attestation {
  id: string;
  rawId: string;
  type: "public-key";
  response: { clientDataJSON: string; attestationObject: string; transports: string[] };
}

/** To `navigator.credentials.get()`. */
export interface Assertion {
  id: string;
  rawId: string;
  type: "public-key";
  response: { clientDataJSON: string; authenticatorData: string; signature: string; userHandle?: string | undefined };
}

/** @throws AppError `passkeys_off` where no setting says whose pages there are. */
export function relyingPartyOf(settings: Settings): RelyingParty {
  const { PASSKEY_RP_ID, APP_URL } = settings;
  const id = PASSKEY_RP_ID ?? (APP_URL && new URL(APP_URL).hostname);
  if (!id) {
    const detail = "Passkeys are not set up here: neither of the settings APP_URL and PASSKEY_RP_ID is there.";
    throw new AppError("passkeys_off", { detail });
  }
  return { id, origins: originsOf(settings) };
}

/** The challenge that the browser says it was given; empty in what is no client data, or of a page within another's. */
export function challengeOf({ response }: Attestation | Assertion): string {
  try {
    const clientData: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(response.clientDataJSON)));
    if (typeof clientData !== "object" || clientData === null) return "";
    const { challenge, crossOrigin } = clientData as { challenge?: unknown; crossOrigin?: unknown };
    return typeof challenge === "string" && crossOrigin !== true ? challenge : "";
  } catch {
    return "";
  }
}
