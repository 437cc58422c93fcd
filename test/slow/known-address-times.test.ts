import { createExecutionContext, env, waitOnExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import worker from "../../src/index.ts";
import { goodPassword, newAddress, newEmail, openService, signUpPerson } from "../support/service.ts";
import { middle } from "../support/timing.ts";

/** The rule of production, and hashing that takes a noticeable time without being the most of it. */
const settings = { EMAIL_VERIFICATION: "required", BCRYPT_WORK_FACTOR: "8" };
const plain = openService({ BCRYPT_WORK_FACTOR: "8" });

const forms: [string, (email: string) => Record<string, string>][] = [
  ["sign-in", (email) => ({ email, password: "not the password" })],
  ["sign-up", (email) => ({ email, password: goodPassword, name: "Grace" })],
  ["forgot-password", (email) => ({ email })],
  ["email-sign-in", (email) => ({ email })],
  ["email-sign-in/verify", (email) => ({ email, code: "00000000" })],
];

/** The answer without what differs between any two, and the milliseconds to it: what comes after it is not timed. */
async function submit(form: string, body: Record<string, string>) {
  const context = createExecutionContext();
  const request = new Request(`https://api.example.com/v1/auth/${form}`, {
    method: "POST",
    headers: { "content-type": "application/json", "cf-connecting-ip": newAddress() },
    body: JSON.stringify(body),
  });
  const started = performance.now();
  const response = await worker.fetch(request, { ...env, ...settings }, context);
  const milliseconds = performance.now() - started;
  await waitOnExecutionContext(context);
  const text = await response.text();
  const headers = [...response.headers].filter(([name]) => name !== "x-request-id");
  const withoutTimes = headers.map(([name, value]) => [
    name,
    name === "server-timing" ? value.replace(/\d+/g, "n") : value,
  ]);
  return {
    milliseconds,
    answer: { status: response.status, headers: withoutTimes, body: text.replace(/"requestId":"[^"]*"/, "") },
  };
}

describe.each(forms)("For an address with and without an account, %s", (form, fill) => {
  it("answers with the same status, headers and body", async () => {
    const known = await submit(form, fill((await signUpPerson(plain)).email));
    const unknown = await submit(form, fill(newEmail()));
    expect(unknown.answer).toEqual(known.answer);
    expect(known.answer.status).toBe(["sign-in", "email-sign-in/verify"].includes(form) ? 401 : 202);
  });

  it("takes the same time, within a tenth", async () => {
    const people = await Promise.all(Array.from({ length: 60 }, () => signUpPerson(plain)));
    const times = { known: [] as number[], unknown: [] as number[] };
    for (const { email } of people) {
      times.known.push((await submit(form, fill(email))).milliseconds);
      times.unknown.push((await submit(form, fill(newEmail()))).milliseconds);
    }
    // A clock that stands still would make every ratio pass.
    expect(middle(times.known)).toBeGreaterThan(10);
    const ratio = middle(times.known) / middle(times.unknown);
    expect(ratio, JSON.stringify(times)).toBeGreaterThan(0.9);
    expect(ratio, JSON.stringify(times)).toBeLessThan(1.1);
  });
});
