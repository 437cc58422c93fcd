import { describe, expect, it } from "vitest";
import { readMe } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { giveIdentity } from "./support/identities.ts";
import { lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, newEmail, openService, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();
const newPassword = "another harbour at dusk";

const forget = (email: string) => service.call("POST", "/v1/auth/forgot-password", { body: { email } });
const reset = (token: string, password = newPassword, headers: Record<string, string> = {}) =>
  service.call("POST", "/v1/auth/reset-password", { body: { token, password }, headers });
const signIn = (email: string, password: string) =>
  service.call("POST", "/v1/auth/sign-in", { body: { email, password } });

describe("POST /v1/auth/forgot-password", () => {
  it("mails a link of the configured origin, whatever the Host, with a token of 256 bits in its fragment", async () => {
    const ada = await signUpPerson(service);
    await service.fetch(
      new Request("https://evil.example/v1/auth/forgot-password", {
        method: "POST",
        headers: { "content-type": "application/json", host: "evil.example", "x-forwarded-host": "evil.example" },
        body: JSON.stringify({ email: ada.email }),
      }),
    );
    const mail = await lastMailTo(ada.email);
    expect(mail.text).toMatch(/^https:\/\/app\.acme\.example\/reset-password#token=[\w-]{43}$/m);
    expect(JSON.stringify(mail)).not.toContain("evil.example");
    expect(mail.from).toBe("Acme <hello@acme.example>");
  });

  it("answers the same for an address with and without an account, and mails to the one alone", async () => {
    const ada = await signUpPerson(service);
    const nobody = newEmail();
    const [known, unknown] = [await forget(ada.email), await forget(nobody)];
    expect(known.status).toBe(202);
    const names = ({ headers }: typeof known) => [...headers.keys()].toSorted();
    expect([unknown.status, unknown.body, names(unknown)]).toEqual([known.status, known.body, names(known)]);
    expect(await mailsTo(ada.email)).toHaveLength(1);
    expect(await mailsTo(nobody)).toEqual([]);
  });

  it("finds the account by any spelling of its address", async () => {
    const ada = await signUpPerson(service);
    await forget(` ${ada.email.toUpperCase()} `);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("mails nothing to a disabled account", async () => {
    const ada = await signUpPerson(service);
    await asOwner(["update users set suspended_at = now() where id = $1", [ada.id]]);
    expect((await forget(ada.email)).status).toBe(202);
    expect(await mailsTo(ada.email)).toEqual([]);
  });

  it("mails five an hour at most, also when 20 are asked for at once, and answers all alike", async () => {
    const ada = await signUpPerson(service);
    const answers = await Promise.all(Array.from({ length: 20 }, () => forget(ada.email)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(await mailsTo(ada.email)).toHaveLength(5);
  });

  it("keeps neither the token nor its hash's preimage in any table", async () => {
    const ada = await signUpPerson(service);
    await forget(ada.email);
    const token = tokenOf(await lastMailTo(ada.email));
    const bytes = Uint8Array.from(atob(token.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const hex = (buffer: ArrayBuffer) =>
      Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const preimage = hex(await crypto.subtle.digest("SHA-256", bytes));
    const [rows = []] = await asOwner([
      "select t::text as row from one_time_tokens t where user_id = $1 union all select o::text from outbox o",
      [ada.id],
    ]);
    expect(rows.length).toBeGreaterThan(0);
    for (const { row } of rows) {
      for (const secret of [token, hex(bytes.buffer), preimage]) expect(row).not.toContain(secret);
    }
  });

  it("says so with 501 where no provider is set up, for every address", async () => {
    const without = openService({ EMAIL_PROVIDER: undefined });
    const ada = await signUpPerson(without);
    for (const email of [ada.email, newEmail()]) {
      const answer = await without.call("POST", "/v1/auth/forgot-password", { body: { email } });
      expect([answer.status, answer.body.code]).toEqual([501, "email_off"]);
      expect(answer.body.detail).toContain("EMAIL_PROVIDER");
    }
  });
});

describe("POST /v1/auth/reset-password", () => {
  it("sets the password that signs in from then on", async () => {
    const ada = await signUpPerson(service);
    await forget(ada.email);
    expect((await reset(tokenOf(await lastMailTo(ada.email)))).status).toBe(204);
    expectProblem(await signIn(ada.email, goodPassword), "invalid_credentials");
    expect((await signIn(ada.email, newPassword)).status).toBe(200);
  });

  it("ends every session, so that whoever registered the address before its owner is out", async () => {
    const attacker = await signUpPerson(service);
    const second = await signInPerson(service, attacker.email);
    await forget(attacker.email);
    await reset(tokenOf(await lastMailTo(attacker.email)));
    for (const { token } of [attacker, second]) expect((await readMe(token)).status).toBe(401);
    const refreshed = await service.call("POST", "/v1/auth/refresh", { body: { refreshToken: second.refreshToken } });
    expectProblem(refreshed, "unauthenticated");
    expectProblem(await signIn(attacker.email, goodPassword), "invalid_credentials");
  });

  it.each([
    [null, 0],
    ["2026-01-01T00:00:00Z", 1],
  ])("unlinks what was linked before anybody had verified the address (%s), and nothing else", async (at, left) => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    for (const { id } of [ada, grace]) await giveIdentity(id);
    await asOwner(["update users set email_verified_at = $2 where id = $1", [ada.id, at]]);
    await reset(await giveResetToken(ada.id));
    const [rows = []] = await asOwner(["select user_id from identities where user_id in ($1, $2)", [ada.id, grace.id]]);
    const kept = rows.map((row) => String(row["user_id"]));
    expect(kept.filter((id) => id === ada.id)).toHaveLength(left);
    expect(kept).toContain(grace.id);
  });

  it("leaves everybody else's sessions, passwords and tokens alone", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const hers = await giveResetToken(grace.id);
    await reset(await giveResetToken(ada.id));
    expect((await readMe(grace.token)).status).toBe(200);
    expect((await signIn(grace.email, goodPassword)).status).toBe(200);
    expect((await reset(hers)).status).toBe(204);
  });

  it("takes a token once, and with it every other one of the account", async () => {
    const ada = await signUpPerson(service);
    const [first, second] = [await giveResetToken(ada.id), await giveResetToken(ada.id)];
    expect((await reset(first)).status).toBe(204);
    for (const token of [first, second]) {
      const answer = await reset(token, "a third harbour at noon");
      expectProblem(answer, "invalid_token");
    }
    expect((await signIn(ada.email, newPassword)).status).toBe(200);
  });

  it("has one winner of 50 at once", async () => {
    const ada = await signUpPerson(service);
    const token = await giveResetToken(ada.id);
    const passwords = Array.from({ length: 50 }, (_, n) => `harbour number ${n} at dusk`);
    const answers = await Promise.all(passwords.map((password) => reset(token, password)));
    const winners = passwords.filter((_, n) => answers[n]?.status === 204);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(49);
    expect(winners).toHaveLength(1);
    expect((await signIn(ada.email, winners[0] ?? "")).status).toBe(200);
  });

  it("is waited for by a sign-in with the old password, which then gets no session", async () => {
    const ada = await signUpPerson(service);
    // A reset that is not committed yet, as far as a sign-in can see.
    const held = asOwner(
      ["update users set password_verifier = sha256('another') where id = $1", [ada.id]],
      ["update sessions set revoked_at = now() where user_id = $1", [ada.id]],
      ["select pg_sleep(1)"],
    );
    await expect.poll(() => isLocked(ada.id), { interval: 5 }).toBe(true);
    expectProblem(await signIn(ada.email, goodPassword), "invalid_credentials");
    await held;
  });

  it.each([
    ["unknown", async () => "A".repeat(43)],
    [
      "expired",
      async (userId: string) => {
        const token = await giveResetToken(userId);
        await asOwner(["update one_time_tokens set expires_at = now() where user_id = $1", [userId]]);
        return token;
      },
    ],
  ])("refuses an %s token with 400, and changes nothing", async (_, makeToken) => {
    const ada = await signUpPerson(service);
    expectProblem(await reset(await makeToken(ada.id)), "invalid_token");
    expect((await readMe(ada.token)).status).toBe(200);
    expect((await signIn(ada.email, goodPassword)).status).toBe(200);
    expect(await mailsTo(ada.email)).toEqual([]);
  });

  it("refuses a weak password with its reason, and the token stays good", async () => {
    const ada = await signUpPerson(service);
    const token = await giveResetToken(ada.id);
    for (const weak of ["short", "password123", "aaaaaaaaaa", "x".repeat(257)]) {
      const answer = await reset(token, weak);
      expectProblem(answer, "invalid_request");
      expect(answer.body.errors[0].path).toBe("body.password");
    }
    expect((await reset(token)).status).toBe(204);
  });

  it("mails a notice with the address it came from, and no link that could do something", async () => {
    const ada = await signUpPerson(service);
    await reset(await giveResetToken(ada.id), newPassword, { "cf-connecting-ip": "203.0.113.9" });
    const mail = await lastMailTo(ada.email);
    expect(mail.text).toContain("203.0.113.9");
    expect(mail.text).not.toContain("#token=");
  });
});

const isLocked = (userId: string): Promise<boolean> =>
  asOwner(["select from users where id = $1 for no key update nowait", [userId]]).then(
    () => false,
    (error: { code?: string }) => error.code === "55P03",
  );
