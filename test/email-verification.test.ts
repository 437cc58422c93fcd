import { describe, expect, it } from "vitest";
import { readMe, refresh, signIn, signUp, storedUser } from "./support/accounts.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { failMail, lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { giveToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, newEmail, openService, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();
const required = openService({ EMAIL_VERIFICATION: "required" });

const newAccount = () => ({ email: newEmail(), password: goodPassword, name: "Ada Lovelace" });
const verify = (session: string | undefined, token: string, by = service) =>
  by.call("POST", "/v1/auth/verify-email", { body: { token }, token: session });
const resend = (session: string, by = service) => by.call("POST", "/v1/auth/resend-verification", { token: session });

/** Somebody who has signed up and got the mail. */
async function signUpByMail() {
  const account = newAccount();
  expect((await signUp(account)).status).toBe(201);
  return {
    ...account,
    ...(await signInPerson(service, account.email)),
    link: tokenOf(await lastMailTo(account.email)),
  };
}

describe("POST /v1/auth/verify-email", () => {
  it("verifies the address that the token was mailed to, and shows it everywhere", async () => {
    const { email, token, link } = await signUpByMail();
    expect((await readMe(token)).body).toMatchObject({ email, emailVerified: false });
    const { status, body } = await verify(token, link);
    expect([status, body.email, body.emailVerified]).toEqual([200, email, true]);
    expect((await readMe(token)).body).toEqual(body);
    expect((await signIn(email, goodPassword)).body.user).toEqual(body);
  });

  it("is good for one use", async () => {
    const { token, link } = await signUpByMail();
    expect((await verify(token, link)).status).toBe(200);
    expectProblem(await verify(token, link), "invalid_token");
  });

  it("is not good after 24 hours", async () => {
    const { email, token, link } = await signUpByMail();
    const age = (hours: string) =>
      asOwner([
        `update one_time_tokens t set expires_at = t.created_at + interval '24 hours' - $2::interval
           from users u where u.id = t.user_id and u.email = $1`,
        [email, hours],
      ]);
    await age("24 hours");
    expectProblem(await verify(token, link), "invalid_token");
    await age("23 hours");
    expect((await verify(token, link)).status).toBe(200);
  });

  it("takes a session as well, so that opening a stranger's link lends nobody an address", async () => {
    const { email, link } = await signUpByMail();
    expectProblem(await verify(undefined, link), "unauthenticated");
    expect((await storedUser(email))?.["email_verified_at"]).toBeNull();
  });

  it("refuses the token of somebody else, of another purpose, and one that was never given", async () => {
    const [ada, grace] = [await signUpByMail(), await signUpPerson(service)];
    const { body: me } = await readMe(ada.token);
    for (const token of [
      ...(await Promise.all([giveToken(grace.id, "verify_email"), giveToken(me.id, "reset_password")])),
      ...(await Promise.all([giveToken(me.id, "change_email_new"), giveToken(me.id, "change_email_old")])),
      "A".repeat(43),
    ]) {
      expectProblem(await verify(ada.token, token), "invalid_token");
    }
    // The one that is hers is not used up by somebody who tries it.
    expectProblem(await verify(grace.token, ada.link), "invalid_token");
    expect((await verify(ada.token, ada.link)).status).toBe(200);
  });

  it("refuses a token for an address that the account has left", async () => {
    const ada = await signUpPerson(service);
    const earlier = await giveToken(ada.id, "verify_email", newEmail());
    expectProblem(await verify(ada.token, earlier), "invalid_token");
  });

  it("ends the other links to the same, and no session", async () => {
    const { token, link, refreshToken } = await signUpByMail();
    const { body: me } = await readMe(token);
    const other = await giveToken(me.id, "verify_email");
    expect((await verify(token, link)).status).toBe(200);
    expectProblem(await verify(token, other), "invalid_token");
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  it("is one request to the database, which is told neither the token nor its hash", async () => {
    const own = openService();
    const { token, link } = await signUpByMail();
    await own.databaseRequests();
    expect((await verify(token, link, own)).status).toBe(200);
    const requests = await own.databaseRequests();
    expect(requests).toHaveLength(1);
    expect(JSON.stringify(requests)).not.toContain(link);
  });
});

describe("POST /v1/auth/resend-verification", () => {
  it("mails another link, and both are good", async () => {
    const { email, token, link } = await signUpByMail();
    expect((await resend(token)).status).toBe(202);
    const [first, second] = (await mailsTo(email)).map(tokenOf);
    expect(first).toBe(link);
    expect(second).not.toBe(link);
    expect((await verify(token, second ?? "")).status).toBe(200);
  });

  it("mails nothing to an address that is verified", async () => {
    const { email, token, link } = await signUpByMail();
    await verify(token, link);
    expect((await resend(token)).status).toBe(202);
    expect(await mailsTo(email)).toHaveLength(1);
  });

  it("mails five an hour with that of the sign-up, also when 20 are asked for at once", async () => {
    const { email, token } = await signUpByMail();
    const answers = await Promise.all(Array.from({ length: 20 }, () => resend(token)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(4);
    const refusal = answers.find(({ status }) => status !== 202) ?? expect.fail("none was refused");
    expectProblem(refusal, "rate_limited");
    expect(Number(refusal.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await mailsTo(email)).toHaveLength(5);
  });

  it("says with 501 where no provider is set up", async () => {
    const without = openService({ EMAIL_PROVIDER: undefined });
    const ada = await signUpPerson(without);
    expectProblem(await resend(ada.token, without), "email_off");
  });
});

describe("Where addresses must be verified,", () => {
  it("a sign-up says the same of a new address and of one that has an account", async () => {
    const account = newAccount();
    const [first, second] = [await signUp(account, {}, required), await signUp(account, {}, required)];
    expect(first).toMatchObject({ status: 202, body: { status: "verification_sent" } });
    expect([second.status, second.body]).toEqual([first.status, first.body]);
    const names = ({ headers }: typeof first) => [...headers.keys()].toSorted();
    expect(names(second)).toEqual(names(first));
  });

  it("the owner of an account is told by mail that somebody signed up, and the account stays as it was", async () => {
    const account = newAccount();
    await signUp(account, {}, required);
    const before = await storedUser(account.email);
    const attempt = { ...account, password: "another harbour at dusk", name: "Mallory" };
    expect((await signUp(attempt, {}, required)).status).toBe(202);
    expect(await storedUser(account.email)).toEqual(before);
    expectProblem(await signIn(account.email, attempt.password, required), "invalid_credentials");
    const mails = await mailsTo(account.email);
    expect(mails.map(({ subject }) => subject)).toEqual(["Confirm your e-mail address", "You already have an account"]);
    expect(JSON.stringify(mails.at(-1))).not.toContain("Mallory");
    // Whoever has forgotten that they had one gets in by this mail.
    const body = { token: tokenOf(mails[1] ?? expect.fail("no mail")), password: "a third harbour at noon" };
    expect((await required.call("POST", "/v1/auth/reset-password", { body })).status).toBe(204);
    expect((await signIn(account.email, body.password, required)).body.user.emailVerified).toBe(true);
  });

  it("50 sign-ups of one address at once are accepted alike and make one account", async () => {
    const account = newAccount();
    const answers = await Promise.all(Array.from({ length: 50 }, () => signUp(account, {}, required)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
    const [rows = []] = await asOwner(["select count(*)::int as n from users where email = $1", [account.email]]);
    expect(rows).toEqual([{ n: 1 }]);
    // One to verify it, and five of "you already have an account" at most.
    expect((await mailsTo(account.email)).length).toBe(6);
  });

  it("the same Idempotency-Key gets the first answer again, and mails once", async () => {
    const account = newAccount();
    const headers = { "idempotency-key": crypto.randomUUID() };
    const [first, again] = [await signUp(account, headers, required), await signUp(account, headers, required)];
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await mailsTo(account.email)).toHaveLength(1);
  });

  it("a session without a verified address is let in once it is verified, and not before", async () => {
    const account = newAccount();
    await signUp(account, {}, required);
    const { token } = await signInPerson(required, account.email);
    const create = () => required.call("POST", "/v1/organizations", { token, body: { name: "Acme" } });
    expectProblem(await create(), "email_unverified");
    expect((await readMe(token, required)).body.emailVerified).toBe(false);
    expect((await verify(token, tokenOf(await lastMailTo(account.email)), required)).status).toBe(200);
    expect((await create()).status).toBe(201);
  });

  it("whoever registered a stranger's address never gets it: the owner's reset ends their session and links", async () => {
    const account = newAccount();
    await signUp({ ...account, name: "Mallory" }, {}, required);
    const attacker = await signInPerson(required, account.email);
    const link = tokenOf(await lastMailTo(account.email));
    expect((await required.call("POST", "/v1/auth/forgot-password", { body: { email: account.email } })).status).toBe(
      202,
    );
    const body = { token: tokenOf(await lastMailTo(account.email)), password: "another harbour at dusk" };
    expect((await required.call("POST", "/v1/auth/reset-password", { body })).status).toBe(204);
    expectProblem(await readMe(attacker.token, required), "unauthenticated");
    expectProblem(await refresh(attacker.refreshToken, required), "unauthenticated");
    expectProblem(await signIn(account.email, goodPassword, required), "invalid_credentials");
    const owner = await signInPerson(required, account.email, body.password);
    expectProblem(await verify(owner.token, link, required), "invalid_token");
    expect((await readMe(owner.token, required)).body.emailVerified).toBe(true);
  });

  it("a sign-up that is rolled back mails nothing", async () => {
    const { email, name } = newAccount();
    const message = crypto.randomUUID();
    const sql = "select app.sign_up_unseen($1::uuid, $2, $3, 1, '$2b$04$' || repeat('a', 22), 'x', $4::uuid, '\\x01')";
    const params = [crypto.randomUUID(), email, name, message];
    await expect(asWorker([sql, params], ["select 1 / 0", []])).rejects.toThrow("division by zero");
    expect(await storedUser(email)).toBeUndefined();
    const [rows] = await asOwner(["select from outbox where id = $1", [message]]);
    expect(rows).toEqual([]);
  });

  it("a provider that is down loses no mail, and the sign-up is answered all the same", async () => {
    const account = newAccount();
    await failMail({ to: account.email, status: 500 });
    expect((await signUp(account, {}, required)).status).toBe(202);
    expect(await mailsTo(account.email)).toEqual([]);
    const [rows] = await asOwner([
      "select template, attempts, dead_at from outbox where recipient = $1",
      [account.email],
    ]);
    expect(rows).toEqual([{ template: "verify_email", attempts: 1, dead_at: null }]);
  });
});
