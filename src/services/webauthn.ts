import { verifyAuthenticationResponse, verifyRegistrationResponse } from "@simplewebauthn/server";
import { decodeAttestationObject, isoBase64URL } from "@simplewebauthn/server/helpers";
import { algorithms, type Assertion, type Attestation, type RelyingParty } from "./relying-party.ts";

// Imported on demand alone: the library is a quarter of the Worker, and few requests need it.

/** What is kept of a credential. */
export interface NewCredential {
  /** base64url. */
  id: string;
  /** COSE. */
  publicKey: Uint8Array;
  signCount: number;
  backedUp: boolean;
}

export interface KnownCredential {
  userId: string;
  publicKey: Uint8Array;
  signCount: number;
}

/** Of the columns. */
const MAX_PUBLIC_KEY = 2048;

/** Web Authentication §4: at least 16 bytes, which are random or encrypted. They are what a session starts for. */
const MIN_CREDENTIAL_ID = 16;

/** The credential of a registration (Web Authentication §7.1); undefined for one that is not as it must be. */
export async function verifyAttestation(
  { id: expectedRPID, origins: expectedOrigin }: RelyingParty,
  expectedChallenge: string,
  response: Attestation,
): Promise<NewCredential | undefined> {
  try {
    if (!isUnattested(response.response.attestationObject)) return undefined;
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: { ...response, clientExtensionResults: {} },
      expectedChallenge,
      expectedOrigin,
      expectedRPID,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms,
    });
    if (!verified) return undefined;
    const { credential, credentialBackedUp: backedUp } = registrationInfo;
    const { id, publicKey, counter: signCount } = credential;
    const isKeepable =
      isoBase64URL.toBuffer(id).length >= MIN_CREDENTIAL_ID && publicKey.length <= MAX_PUBLIC_KEY && id === response.id;
    return isKeepable ? { id, publicKey, signCount, backedUp } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether no certificate vouches for the authenticator. None was asked for, and to check one the library would fetch
 * addresses that stand in it.
 */
function isUnattested(attestationObject: string): boolean {
  const attestation = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject));
  const format = attestation.get("fmt");
  return format === "none" || (format === "packed" && attestation.get("attStmt").get("x5c") === undefined);
}

/** What an assertion says (Web Authentication §7.2); undefined for one that is not as it must be. */
export async function verifyAssertion(
  { id: expectedRPID, origins: expectedOrigin }: RelyingParty,
  expectedChallenge: string,
  response: Assertion,
  { publicKey, signCount }: KnownCredential,
): Promise<{ signCount: number; backedUp: boolean } | undefined> {
  try {
    const { clientDataJSON, authenticatorData, signature } = response.response;
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: {
        ...response,
        response: { clientDataJSON, authenticatorData, signature },
        clientExtensionResults: {},
      },
      expectedChallenge,
      expectedOrigin,
      expectedRPID,
      requireUserVerification: true,
      credential: { id: response.id, publicKey: publicKey.slice(), counter: signCount },
    });
    if (!verified) return undefined;
    return { signCount: authenticationInfo.newCounter, backedUp: authenticationInfo.credentialBackedUp };
  } catch {
    return undefined;
  }
}
