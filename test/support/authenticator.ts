import { base64url } from "jose";

type CborValue = number | string | Uint8Array | CborValue[] | Map<number | string, CborValue>;

/** What is to be different from what an honest browser and authenticator would answer. */
export interface Ceremony {
  origin?: string;
  /** Of client data. */
  type?: string;
  challenge?: string;
  crossOrigin?: boolean;
  rpId?: string;
  userPresent?: boolean;
  userVerified?: boolean;
  counter?: number;
  userHandle?: string | undefined;
  /** Of an attestation. */
  format?: string;
  statement?: Map<string, CborValue>;
  algorithm?: number;
}

const encoder = new TextEncoder();
const defaultOrigin = "https://app.acme.example";

const concat = (...parts: (Uint8Array | number[])[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(parts.flatMap((part) => [...part]));
const sha256 = async (bytes: Uint8Array) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(bytes)));

type KeyMembers = Pick<JsonWebKey, "x" | "y" | "n" | "e">;
const bytesOf = (text = "") => base64url.decode(text);

/** Keys and signatures, and the former as COSE writes them (RFC 9053 §7, RFC 8230 §4). */
const kinds = {
  ES256: {
    id: -7,
    generation: { name: "ECDSA", namedCurve: "P-256" },
    signing: { name: "ECDSA", hash: "SHA-256" },
    describe: ({ x, y }: KeyMembers): [number, CborValue][] => [
      [1, 2],
      [-1, 1],
      [-2, bytesOf(x)],
      [-3, bytesOf(y)],
    ],
  },
  EdDSA: {
    id: -8,
    generation: { name: "Ed25519" },
    signing: { name: "Ed25519" },
    describe: ({ x }: KeyMembers): [number, CborValue][] => [
      [1, 1],
      [-1, 6],
      [-2, bytesOf(x)],
    ],
  },
  RS256: {
    id: -257,
    generation: {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    signing: { name: "RSASSA-PKCS1-v1_5" },
    describe: ({ n, e }: KeyMembers): [number, CborValue][] => [
      [1, 3],
      [-1, bytesOf(n)],
      [-2, bytesOf(e)],
    ],
  },
};

type Kind = keyof typeof kinds;

/** CBOR (RFC 8949 §3), as far as authenticators write it. */
export function encodeCbor(value: CborValue): Uint8Array {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") {
    const text = encoder.encode(value);
    return concat(head(3, text.length), text);
  }
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  if (Array.isArray(value)) return concat(head(4, value.length), ...value.map(encodeCbor));
  return concat(head(5, value.size), ...[...value].flatMap(([key, item]) => [encodeCbor(key), encodeCbor(item)]));
}

function head(major: number, count: number): Uint8Array {
  const first = major << 5;
  if (count < 24) return new Uint8Array([first | count]);
  if (count < 256) return new Uint8Array([first | 24, count]);
  return new Uint8Array([first | 25, count >> 8, count & 255]);
}

/** ASN.1 as signatures of WebAuthn are written, of the r and s as WebCrypto writes them. */
function toDer(signature: Uint8Array): Uint8Array {
  const integers = [signature.slice(0, 32), signature.slice(32)].flatMap((number) => {
    const digits = [...number];
    while (digits[0] === 0) digits.shift();
    if ((digits[0] ?? 0) > 127 || digits.length === 0) digits.unshift(0);
    return [2, digits.length, ...digits];
  });
  return new Uint8Array([0x30, integers.length, ...integers]);
}

/** An authenticator with one passkey, in software: real keys and signatures, and whatever lies it is told to tell. */
export class Authenticator {
  readonly credentialId: Uint8Array<ArrayBuffer>;
  counter: number;
  userHandle: string | undefined;
  readonly #keys: CryptoKeyPair;
  readonly #kind: Kind;

  private constructor(kind: Kind, keys: CryptoKeyPair, credentialId: Uint8Array<ArrayBuffer>, counter: number) {
    this.#kind = kind;
    this.#keys = keys;
    this.credentialId = credentialId;
    this.counter = counter;
  }

  /** @param counter of signatures; 0 is for one that does not count, as those do not that synchronise. */
  static async open(options: { credentialId?: Uint8Array<ArrayBuffer>; counter?: number; kind?: Kind } = {}) {
    const { credentialId = crypto.getRandomValues(new Uint8Array(32)), counter = 0, kind = "ES256" } = options;
    const keys = (await crypto.subtle.generateKey(kinds[kind].generation, true, ["sign", "verify"])) as CryptoKeyPair;
    return new Authenticator(kind, keys, credentialId, counter);
  }

  get id(): string {
    return base64url.encode(this.credentialId);
  }

  /** COSE. */
  async publicKey(algorithm = kinds[this.#kind].id): Promise<Uint8Array> {
    const members = (await crypto.subtle.exportKey("jwk", this.#keys.publicKey)) as KeyMembers;
    return encodeCbor(new Map([[3, algorithm] as [number, CborValue], ...kinds[this.#kind].describe(members)]));
  }

  /** Answers `navigator.credentials.create()`. */
  async create(options: { rp: { id: string }; user: { id: string }; challenge: string }, lies: Ceremony = {}) {
    this.userHandle = options.user.id;
    const clientData = describeClient("webauthn.create", options.challenge, lies);
    const length = [this.credentialId.length >> 8, this.credentialId.length & 255];
    const authenticatorData = concat(
      await this.#authenticatorData(options.rp.id, 0x40, lies),
      new Uint8Array(16),
      length,
      this.credentialId,
      await this.publicKey(lies.algorithm),
    );
    const attestation = new Map<string, CborValue>([
      ["fmt", lies.format ?? "none"],
      ["attStmt", lies.statement ?? new Map()],
      ["authData", authenticatorData],
    ]);
    return {
      ...this.#credential(),
      response: {
        clientDataJSON: base64url.encode(clientData),
        attestationObject: base64url.encode(encodeCbor(attestation)),
        transports: ["internal", "hybrid"],
      },
    };
  }

  /** What both ceremonies' answers say alike. */
  #credential() {
    return {
      id: this.id,
      rawId: this.id,
      type: "public-key",
      authenticatorAttachment: "platform",
      clientExtensionResults: {},
    };
  }

  /** Answers `navigator.credentials.get()`. */
  async get(options: { rpId: string; challenge: string }, lies: Ceremony = {}) {
    const clientData = describeClient("webauthn.get", options.challenge, lies);
    if (this.counter > 0) this.counter++;
    const authenticatorData = await this.#authenticatorData(options.rpId, 0, lies);
    const signed = concat(authenticatorData, await sha256(clientData));
    const { signing } = kinds[this.#kind];
    const signature = new Uint8Array(await crypto.subtle.sign(signing, this.#keys.privateKey, signed));
    const userHandle = "userHandle" in lies ? lies.userHandle : this.userHandle;
    return {
      ...this.#credential(),
      response: {
        clientDataJSON: base64url.encode(clientData),
        authenticatorData: base64url.encode(authenticatorData),
        signature: base64url.encode(this.#kind === "ES256" ? toDer(signature) : signature),
        ...(userHandle !== undefined && { userHandle }),
      },
    };
  }

  async #authenticatorData(rpId: string, more: number, lies: Ceremony): Promise<Uint8Array<ArrayBuffer>> {
    const { userPresent = true, userVerified = true, counter = this.counter } = lies;
    const flags = (userPresent ? 1 : 0) | (userVerified ? 4 : 0) | more;
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, counter);
    return concat(await sha256(encoder.encode(lies.rpId ?? rpId)), [flags], count);
  }
}

function describeClient(type: string, challenge: string, lies: Ceremony): Uint8Array {
  const { origin = defaultOrigin, crossOrigin = false } = lies;
  return encoder.encode(
    JSON.stringify({ type: lies.type ?? type, challenge: lies.challenge ?? challenge, origin, crossOrigin }),
  );
}
