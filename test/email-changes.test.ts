import { describe, expect, it } from "vitest";
import { readMe, refresh, signIn, signUp, signUpVerified, storedUser, makeStale } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { giveToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, newEmail, openService, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();

const change = (token: string, email: string, by = service) =>
  by.call("POST", "/v1/auth/change-email", { body: { newEmail: email }, token });
const confirm = (session: string | undefined, token: string, by = service) =>
  by.call("POST", "/v1/auth/change-email/confirm", { body: { token }, token: session });
const linkTo = async (email: string) => tokenOf(await lastMailTo(email));

const emailOf = async ({ token }: { token: string }) => (await readMe(token)).body.email;

describe("Changing a verified address", () => {
  it.each([
    ["the old one first", true],
    ["the new one first", false],
  ])("is done once both have confirmed it, %s", async (_, isOldFirst) => {
    const ada = await signUpVerified();
    const next = newEmail();
    expect(await change(ada.token, next)).toMatchObject({ status: 202, body: undefined });
    const links = [await linkTo(ada.email), await linkTo(next)];
    const [first = "", second = ""] = isOldFirst ? links : links.toReversed();
    expect((await confirm(ada.token, first)).body).toEqual({ status: "pending" });
    expect(await emailOf(ada)).toBe(ada.email);
    expect((await confirm(ada.token, second)).body).toEqual({ status: "changed" });
    expect((await readMe(ada.token)).body).toMatchObject({ email: next, emailVerified: true });
    expectProblem(await signIn(ada.email, goodPassword), "invalid_credentials");
    expect((await signIn(next, goodPassword)).status).toBe(200);
  });

  it("tells the old address what it was changed to, and the new one nothing of the person before", async () => {
    const ada = await signUpVerified();
    const next = newEmail();
    await change(ada.token, next);
    expect((await lastMailTo(ada.email)).text).toContain(next);
    expect((await lastMailTo(next)).text).not.toMatch(/Ada|Lovelace/);
    expect((await lastMailTo(next)).text).not.toContain(ada.email);
    for (const link of [await linkTo(ada.email), await linkTo(next)]) await confirm(ada.token, link);
    const notice = await lastMailTo(ada.email);
    expect([notice.subject, notice.text]).toEqual(["Your e-mail address was changed", expect.stringContaining(next)]);
    expect(notice.text).not.toContain("#token=");
  });

  it("needs the old address each time, however often the new one has confirmed before", async () => {
    const ada = await signUpVerified();
    const taken = newEmail();
    for (let n = 1; n <= 7; n++) {
      const { status } = await change(ada.token, taken);
      if (status !== 202) continue;
      expect((await confirm(ada.token, await linkTo(taken))).body).toEqual({ status: "pending" });
    }
    expect(await emailOf(ada)).toBe(ada.email);
  });

  it("is not done by the two confirmations of two requests", async () => {
    const ada = await signUpVerified();
    const [one, two] = [newEmail(), newEmail()];
    await change(ada.token, one);
    const old = await linkTo(ada.email);
    await change(ada.token, two);
    for (const link of [old, await linkTo(one)]) expectProblem(await confirm(ada.token, link), "invalid_token");
    expect((await confirm(ada.token, await linkTo(two))).body).toEqual({ status: "pending" });
    expect(await emailOf(ada)).toBe(ada.email);
  });

  it("ends the links to a new password, and no session", async () => {
    const ada = await signUpVerified();
    const reset = await giveToken(ada.id, "reset_password");
    const next = newEmail();
    await change(ada.token, next);
    for (const link of [await linkTo(ada.email), await linkTo(next)]) await confirm(ada.token, link);
    const body = { token: reset, password: "another harbour at dusk" };
    expectProblem(await service.call("POST", "/v1/auth/reset-password", { body }), "invalid_token");
    expect((await refresh(ada.refreshToken)).status).toBe(200);
  });
});

describe("Changing an address that was never verified", () => {
  it("needs the new one alone, so that a mistyped address can be mended", async () => {
    const ada = await signUpPerson(service);
    const next = newEmail();
    await change(ada.token, next);
    expect(await mailsTo(ada.email)).toEqual([]);
    expect((await confirm(ada.token, await linkTo(next))).body).toEqual({ status: "changed" });
    expect((await readMe(ada.token)).body).toMatchObject({ email: next, emailVerified: true });
  });

  it("ends the link that verified it", async () => {
    const ada = await signUpPerson(service);
    const verify = await giveToken(ada.id, "verify_email");
    const next = newEmail();
    await change(ada.token, next);
    await confirm(ada.token, await linkTo(next));
    const answer = await service.call("POST", "/v1/auth/verify-email", { body: { token: verify }, token: ada.token });
    expectProblem(answer, "invalid_token");
  });
});

describe("Changing an address that is verified in between", () => {
  it("is begun anew, since the present address was not asked", async () => {
    const ada = await signUpPerson(service);
    const next = newEmail();
    await change(ada.token, next);
    const body = { token: await giveToken(ada.id, "verify_email") };
    expect((await service.call("POST", "/v1/auth/verify-email", { body, token: ada.token })).status).toBe(200);
    expectProblem(await confirm(ada.token, await linkTo(next)), "invalid_token");
    expect(await emailOf(ada)).toBe(ada.email);
  });
});

describe("A change to an address that has an account", () => {
  it("is answered like any other, and its owner is told, without a link", async () => {
    const [ada, grace] = [await signUpVerified(), await signUpVerified()];
    const [free, taken] = [await change(ada.token, newEmail()), await change(ada.token, grace.email)];
    expect([taken.status, taken.body]).toEqual([free.status, free.body]);
    const mail = await lastMailTo(grace.email);
    expect(mail.subject).toBe("This e-mail address already has an account");
    expect(mail.text).not.toMatch(/#token=|Ada|Lovelace/);
    expect((await confirm(ada.token, await linkTo(ada.email))).body).toEqual({ status: "pending" });
    expect(await emailOf(grace)).toBe(grace.email);
  });

  it("shows in the export like any other", async () => {
    const [ada, grace] = [await signUpVerified(), await signUpVerified()];
    // What is still to be sent would be in it.
    const down = openService({ RESEND_API_URL: "http://127.0.0.1:9" });
    const exported = async (email: string) => {
      await asOwner(
        ["delete from outbox where user_id = $1", [ada.id]],
        ["delete from one_time_tokens where user_id = $1", [ada.id]],
      );
      expect((await change(ada.token, email, down)).status).toBe(202);
      const { body } = await service.call("GET", "/v1/users/me/export", { token: ada.token });
      expect(body.messages).not.toEqual([]);
      return (
        JSON.stringify([body.messages, body.oneTimeTokens])
          .replaceAll(email, "")
          // The first attempt may be over by now, or not.
          .replaceAll(/"attempts":\d+/g, "")
          .replaceAll(/"\d{4}-[^"]*"/g, "")
      );
    };
    expect(await exported(grace.email)).toBe(await exported(newEmail()));
  });

  it("is refused with 409 at the end when somebody took it meanwhile, and nothing is used up", async () => {
    const ada = await signUpPerson(service);
    const next = newEmail();
    await change(ada.token, next);
    const link = await linkTo(next);
    await signUp(
      { email: next, password: goodPassword, name: "Grace" },
      {},
      openService({ EMAIL_PROVIDER: undefined }),
    );
    expectProblem(await confirm(ada.token, link), "email_taken");
    expect(await emailOf(ada)).toBe(ada.email);
    const [rows] = await asOwner(["select purpose from one_time_tokens where user_id = $1", [ada.id]]);
    expect(rows).toEqual([{ purpose: "change_email_new" }]);
  });

  it("goes to one of two accounts that confirm it at once", async () => {
    const people = await Promise.all(Array.from({ length: 10 }, () => signUpPerson(service)));
    const next = newEmail();
    const links = await Promise.all(people.map(({ id }) => giveToken(id, "change_email_new", next)));
    const answers = await Promise.all(people.map(({ token }, n) => confirm(token, links[n] ?? "")));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 200) expectProblem(answer, "email_taken");
  });
});

describe("POST /v1/auth/change-email", () => {
  it("asks for a password given within 10 minutes", async () => {
    const ada = await signUpVerified();
    await makeStale(ada);
    expectProblem(await change(ada.token, newEmail()), "reauthentication_required");
    const body = { password: goodPassword };
    expect((await service.call("POST", "/v1/auth/reauthenticate", { body, token: ada.token })).status).toBe(204);
    expect((await change(ada.token, newEmail())).status).toBe(202);
  });

  it("refuses the account's own address, in any spelling", async () => {
    const ada = await signUpVerified();
    for (const own of [ada.email, ` ${ada.email.toUpperCase()} `]) {
      expectProblem(await change(ada.token, own), "invalid_request");
    }
    expect(await mailsTo(ada.email)).toEqual([]);
  });

  it("mails five an hour at most, to however many addresses, also when 20 are asked for at once", async () => {
    const ada = await signUpVerified();
    const addresses = Array.from({ length: 20 }, newEmail);
    const answers = await Promise.all(addresses.map((email) => change(ada.token, email)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(5);
    expectProblem(answers.find(({ status }) => status !== 202) ?? expect.fail("none was refused"), "rate_limited");
    expect(await mailsTo(ada.email)).toHaveLength(5);
    expect((await Promise.all(addresses.map(mailsTo))).flat()).toHaveLength(5);
  });

  it("says with 501 where no provider is set up", async () => {
    const without = openService({ EMAIL_PROVIDER: undefined });
    const ada = await signUpPerson(without);
    expectProblem(await change(ada.token, newEmail(), without), "email_off");
  });
});

describe("POST /v1/auth/change-email/confirm", () => {
  it("refuses a token without its own session, of another purpose, used, or an hour old", async () => {
    const [ada, grace] = [await signUpVerified(), await signUpVerified()];
    const next = newEmail();
    await change(ada.token, next);
    const link = await linkTo(next);
    expectProblem(await confirm(undefined, link), "unauthenticated");
    expectProblem(await confirm(grace.token, link), "invalid_token");
    for (const purpose of ["verify_email", "reset_password"] as const)
      expectProblem(await confirm(ada.token, await giveToken(ada.id, purpose)), "invalid_token");
    expect((await confirm(ada.token, link)).status).toBe(200);
    expectProblem(await confirm(ada.token, link), "invalid_token");
    await asOwner(["update one_time_tokens set expires_at = created_at where user_id = $1", [ada.id]]);
    expectProblem(await confirm(ada.token, await linkTo(ada.email)), "invalid_token");
    expect((await storedUser(ada.email))?.["id"]).toBe(ada.id);
  });

  it("finds no link any more once the password was changed", async () => {
    const ada = await signUpVerified();
    const next = newEmail();
    await change(ada.token, next);
    const links = [await linkTo(next), await linkTo(ada.email)];
    const passwords = { currentPassword: goodPassword, newPassword: "another harbour at dusk" };
    await service.call("POST", "/v1/auth/change-password", { body: passwords, token: ada.token });
    for (const link of links) expectProblem(await confirm(ada.token, link), "invalid_token");
    expect((await signInPerson(service, ada.email, passwords.newPassword)).token).toBeTruthy();
  });
});
