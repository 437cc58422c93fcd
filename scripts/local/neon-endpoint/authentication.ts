import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

import { ConnectionError } from "./errors.ts";

const deriveKey = promisify(pbkdf2);

/** The client's side of SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677). */
export class ScramExchange {
  readonly mechanism = "SCRAM-SHA-256";
  readonly #password: string;
  readonly #nonce = randomBytes(18).toString("base64");
  #serverSignature: Buffer = Buffer.alloc(0);

  constructor(password: string) {
    // Postgres stores the SASLprep form; for every assigned character that is NFKC.
    this.#password = password.normalize("NFKC");
  }

  firstMessage(): string {
    return `n,,${this.#firstBare()}`;
  }

  /** @throws ConnectionError when the server's message is not SCRAM or not for this exchange. */
  async finalMessage(serverFirst: string): Promise<string> {
    const attributes = readAttributes(serverFirst);
    const nonce = attributes.get("r") ?? "";
    const salt = Buffer.from(attributes.get("s") ?? "", "base64");
    const iterations = Number(attributes.get("i"));
    if (!nonce.startsWith(this.#nonce) || salt.length === 0 || !Number.isInteger(iterations)) {
      throw new ConnectionError("authentication error: malformed SCRAM challenge");
    }
    const salted = await deriveKey(this.#password, salt, iterations, 32, "sha256");
    const clientKey = hmac(salted, "Client Key");
    const withoutProof = `c=biws,r=${nonce}`;
    const signed = `${this.#firstBare()},${serverFirst},${withoutProof}`;
    const clientSignature = hmac(createHash("sha256").update(clientKey).digest(), signed);
    this.#serverSignature = hmac(hmac(salted, "Server Key"), signed);
    const proof = clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
    return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
  }

  /** @throws ConnectionError when the server does not know the password either. */
  verify(serverFinal: string): void {
    const signature = Buffer.from(readAttributes(serverFinal).get("v") ?? "", "base64");
    const expected = this.#serverSignature;
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new ConnectionError("authentication error: the server's SCRAM signature is wrong");
    }
  }

  #firstBare(): string {
    return `n=*,r=${this.#nonce}`;
  }
}

/** The answer to an MD5 password request. */
export function hashMd5Password(user: string, password: string, salt: Buffer): string {
  const inner = createHash("md5").update(password).update(user).digest("hex");
  return `md5${createHash("md5").update(inner).update(salt).digest("hex")}`;
}

function hmac(key: Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

function readAttributes(message: string): Map<string, string> {
  return new Map(message.split(",").map((part) => [part.slice(0, 1), part.slice(2)]));
}
