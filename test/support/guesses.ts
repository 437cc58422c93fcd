import { expect } from "vitest";
import { expectProblem } from "./problems.ts";
import { type Answer, newAddress, openService, type Person, signUpPerson } from "./service.ts";

const service = openService();

/** From an address, or from none that Cloudflare would have told. */
export const signInFrom = (
  address: string | null,
  email: string,
  password: string,
  headers: object = {},
  by = service,
) =>
  by.call("POST", "/v1/auth/sign-in", {
    body: { email, password },
    headers: { ...headers, "cf-connecting-ip": address ?? "" },
  });

export const guess = (email: string, address: string | null) => signInFrom(address, email, "not the password");

/** That many, whose password is looked at. */
export async function guessTimes(times: number, email: string, address: string | null): Promise<void> {
  for (let i = 0; i < times; i++) expectProblem(await guess(email, address), "invalid_credentials");
}

export function expectToWait(answer: Answer, seconds: number): void {
  expectProblem(answer, "too_many_attempts");
  const given = Number(answer.headers.get("retry-after"));
  expect(given).toBeLessThanOrEqual(seconds);
  // Less by what the test itself has taken. The step before is half as long, and before two seconds there is none.
  expect(given).toBeGreaterThan(seconds > 2 ? seconds / 2 : 0);
}

/** Expects that of 50 at once so many get as far as to have their password looked at. */
export async function expectChecked(free: number, ask: (index: number) => Promise<Answer>): Promise<void> {
  const started = Date.now();
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i)));
  const checked = answers.filter(({ status }) => status !== 429).length;
  expect(checked).toBeGreaterThanOrEqual(free);
  // On a slow machine two seconds may pass, and with them the first wait.
  expect(checked).toBeLessThanOrEqual(free + Math.floor((Date.now() - started) / 2_000));
}

/** An account, and an address that nobody has signed in from. */
export async function newAccount(): Promise<Person & { address: string }> {
  return { ...(await signUpPerson(service)), address: newAddress() };
}
