import { hmac } from "../../crypto.ts";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";
import { isBreached } from "./breaches.ts";

/** Code points; never truncated, longer ones are refused (NIST SP 800-63B-4 §3.1.1.2 asks for 64 at least). */
export const PASSWORD_MAX_LENGTH = 256;

/**
 * What stands between the password and bcrypt: HMAC-SHA-256 under a key of its own, base64, so that
 * bcrypt's 72 bytes hold all of it. Scheme 2 keys it with `PASSWORD_PEPPER`, 1 with a constant.
 */
type PasswordScheme = 1 | 2;

export interface PasswordParameters {
  scheme: number;
  /** bcrypt's `$2b$<cost>$<22 characters>`. */
  salt: string;
}

export interface PasswordHash extends PasswordParameters {
  /** The whole bcrypt string. The database keeps its SHA-256. */
  hash: string;
}

const CONSTANT_KEY = "saas-backend-layer/password/1";

const currentScheme = (settings: Settings): PasswordScheme => (settings.PASSWORD_PEPPER ? 2 : 1);

async function digest(settings: Settings, scheme: number, password: string): Promise<string> {
  const key = scheme === 2 ? settings.PASSWORD_PEPPER : CONSTANT_KEY;
  if (!key)
    throw new AppError("misconfigured", {
      detail: "Settings: PASSWORD_PEPPER is missing, and passwords were hashed with it.",
    });
  const bytes = await hmac(key, "password", password.normalize("NFKC"));
  return btoa(String.fromCharCode(...bytes));
}

/** Loaded by the first request with a password: at start nothing needs it. */
const loadBcrypt = () => import("bcryptjs");

/** Hashes a new password under the current scheme and work factor. */
export async function hashPassword(settings: Settings, password: string): Promise<PasswordHash> {
  const { genSalt, hash } = await loadBcrypt();
  const scheme = currentScheme(settings);
  const salt = await genSalt(settings.BCRYPT_WORK_FACTOR);
  return { scheme, salt, hash: await hash(await digest(settings, scheme, password), salt) };
}

/** The bcrypt string that the password gives under an account's parameters, to be compared by the database. */
export async function rehashPassword(
  settings: Settings,
  parameters: PasswordParameters,
  password: string,
): Promise<string> {
  const { hash } = await loadBcrypt();
  return hash(await digest(settings, parameters.scheme, password), parameters.salt);
}

/** Parameters for an address without an account: the same work, and the same every time it is asked. */
export async function decoyParameters(settings: Settings, email: string): Promise<PasswordParameters> {
  const bytes = await hmac(settings.JWT_SECRET, "decoy salt", email);
  const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  // 22 characters hold 128 bits, so the last one has four zero bits, as in every salt that bcrypt makes.
  const characters = Array.from(bytes.subarray(0, 22), (byte, i) => alphabet[i === 21 ? byte & 0x30 : byte & 0x3f]);
  const cost = String(settings.BCRYPT_WORK_FACTOR).padStart(2, "0");
  return { scheme: currentScheme(settings), salt: `$2b$${cost}$${characters.join("")}` };
}

/** Whether an account's password should be hashed anew: the work factor or the scheme has changed. */
export function isOutdated(settings: Settings, { scheme, salt }: PasswordParameters): boolean {
  return scheme !== currentScheme(settings) || Number(salt.slice(4, 6)) !== settings.BCRYPT_WORK_FACTOR;
}

let blocklist: Set<string> | undefined;

/** Loaded by the first request with a new password: at start nothing needs it. */
async function readBlocklist(): Promise<Set<string>> {
  blocklist ??= new Set((await import("./common-passwords.txt")).default.split("\n"));
  return blocklist;
}

/**
 * Refuses a new password that is too short, too long, among the first to be guessed, or known to have leaked.
 *
 * @param context what an attacker would try first: the account's address and name.
 * @param path where in the request the password is.
 * @throws AppError `invalid_request`, saying why.
 */
export async function checkNewPassword(
  settings: Settings,
  password: string,
  context: string[],
  path = "body.password",
): Promise<void> {
  const weakness = await findWeakness(settings, password);
  if (weakness) throw refusePassword(path, weakness);
  refuseOwnWords(password, context, path);
  // Last, so that nothing is told of a password that is refused anyway.
  if (await isBreached(settings, password.normalize("NFKC")))
    throw refusePassword(path, "has appeared in a data breach, and attackers try such passwords first");
}

/**
 * Refuses the account's own words, where they are known only after the rest was checked.
 *
 * @throws AppError `invalid_request`, saying why.
 */
export function refuseOwnWords(password: string, context: string[], path: string): void {
  const guesses = context.flatMap((text) => [text, text.split("@")[0] ?? text]).map(toPlain);
  if (guesses.includes(toPlain(password)))
    throw refusePassword(path, "is the account's own name or e-mail address, which attackers try first");
}

/** The refusal of a new password, for a reason that completes "The password …". */
export const refusePassword = (path: string, message: string) =>
  new AppError("invalid_request", { detail: `The password ${message}.`, errors: [{ path, message }] });

const toPlain = (text: string) => text.normalize("NFKC").toLowerCase();

async function findWeakness(settings: Settings, password: string): Promise<string | undefined> {
  const length = Array.from(password).length;
  const plain = toPlain(password);
  const min = settings.PASSWORD_MIN_LENGTH;
  if (length < min) return `must have at least ${min} characters`;
  if (length > PASSWORD_MAX_LENGTH) return `must have at most ${PASSWORD_MAX_LENGTH} characters`;
  if ((await readBlocklist()).has(plain)) return "is one of the most used passwords, which attackers try first";
  return isMonotonous(plain) ? "repeats one character or counts up, which attackers try first" : undefined;
}

/** "aaaaaaaa", "12345678", "hgfedcba": every step between neighbours is the same, 0 or 1 either way. */
function isMonotonous(text: string): boolean {
  const points = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const steps = new Set(points.slice(1).map((point, i) => point - (points[i] ?? 0)));
  return steps.size === 1 && [-1, 0, 1].includes([...steps][0] ?? 2);
}
