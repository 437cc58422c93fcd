import { afterEach, describe, expect, it, vi } from "vitest";
import { lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, newEmail, openService, signUpPerson } from "./support/service.ts";

afterEach(() => vi.restoreAllMocks());

const service = openService();
const newPassword = "another harbour at dusk";

const forget = (email: string) => service.call("POST", "/v1/auth/forgot-password", { body: { email } });

/** An account whose address has letters that others look like, or become in upper or lower case. */
async function signUpKiss(): Promise<string> {
  const email = `kiss-${newEmail()}`;
  const body = { email, password: goodPassword, name: "Ada" };
  const settings = { EMAIL_PROVIDER: undefined };
  expect((await service.call("POST", "/v1/auth/sign-up", { body, settings })).status).toBe(201);
  return email;
}

describe("A mail with a token", () => {
  it.each([
    ["in full-width letters", "k", "\uff4b"],
    ["with a Kelvin sign, which is a k in lower case", "k", "\u212a"],
    ["with a long s, which is an s in upper case", "s", "\u017f"],
  ])("goes to the account's own address, and not as it was typed: %s", async (_, letter, typed) => {
    const email = await signUpKiss();
    expect((await forget(email.replace(letter, typed))).status).toBe(202);
    expect((await lastMailTo(email)).to).toEqual([email]);
  });

  it("goes nowhere for an address that only looks like an account's", async () => {
    const email = await signUpKiss();
    // A dotless i is an i in upper case alone; the others are Cyrillic.
    for (const [letter, typed] of [
      ["i", "\u0131"],
      ["k", "\u043a"],
      ["s", "\u0455"],
    ] as const)
      expectProblem(await forget(email.replace(letter, typed)), "invalid_request");
    expect(await mailsTo(email)).toEqual([]);
  });

  it("tells its token to no line of the log, also when somebody puts it into a URL", async () => {
    const ada = await signUpPerson(service);
    const lines: string[] = [];
    for (const name of ["log", "warn", "error"] as const)
      vi.spyOn(console, name).mockImplementation((line) => void lines.push(String(line)));
    await forget(ada.email);
    const token = tokenOf(await lastMailTo(ada.email));
    const reset = (query: string, password: string) =>
      service.call("POST", `/v1/auth/reset-password${query}`, { body: { token, password } });
    await service.call("GET", `/v1/auth/reset-password?token=${token}`);
    await service.call("GET", `/reset-password/${token}`);
    await reset(`?token=${token}`, "short");
    expect((await reset("", newPassword)).status).toBe(204);
    expect(lines).toHaveLength(5);
    for (const line of lines) for (const secret of [token, newPassword]) expect(line).not.toContain(secret);
  });
});

describe("A notice of a new password", () => {
  it("links to the configured origin alone, whatever the Host, and with no token", async () => {
    const ada = await signUpPerson(service);
    const token = await giveResetToken(ada.id);
    const answer = await service.fetch(
      new Request("https://evil.example/v1/auth/reset-password", {
        method: "POST",
        headers: { "content-type": "application/json", host: "evil.example", "x-forwarded-host": "evil.example" },
        body: JSON.stringify({ token, password: newPassword }),
      }),
    );
    expect(answer.status).toBe(204);
    const mail = await lastMailTo(ada.email);
    expect(mail.text.match(/https?:\S+/g)).toEqual(["https://app.acme.example/forgot-password"]);
    expect(JSON.stringify(mail)).not.toContain("evil.example");
  });
});
