import { describe, expect, it } from "vitest";
import { disableUser, readMe, verifyAddress } from "./support/accounts.ts";
import { browserHeaders, frontend, openForBrowsers, readCookie, refreshByCookie } from "./support/cookies.ts";
import { asOwner } from "./support/database.ts";
import { askForMail, otherCode, receiveMail, verify } from "./support/email-sign-in.ts";
import { codeOf, lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { giveResetToken, giveToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { newEmail, openService, type Person, signUpPerson } from "./support/service.ts";

const service = openService();

const expire = (userId: string) =>
  asOwner(["update one_time_tokens set expires_at = now() where user_id = $1", [userId]]);

describe("POST /v1/auth/email-sign-in", () => {
  it("mails a link with a token in its fragment, and a code of 8 digits", async () => {
    const ada = await signUpPerson(service);
    expect((await askForMail(ada.email)).status).toBe(202);
    const mail = await lastMailTo(ada.email);
    expect(mail.text).toMatch(/^https:\/\/app\.acme\.example\/sign-in#token=[\w-]{43}$/m);
    expect(codeOf(mail)).toMatch(/^\d{8}$/);
    expect(mail.subject).toBe("Sign in");
  });

  it("answers the same for an address with and without an account, and mails to the one alone", async () => {
    const ada = await signUpPerson(service);
    const nobody = newEmail();
    const [known, unknown] = [await askForMail(ada.email), await askForMail(nobody)];
    expect(known.status).toBe(202);
    const names = ({ headers }: typeof known) => [...headers.keys()].toSorted();
    expect([unknown.status, unknown.body, names(unknown)]).toEqual([known.status, known.body, names(known)]);
    expect(await mailsTo(ada.email)).toHaveLength(1);
    expect(await mailsTo(nobody)).toEqual([]);
  });

  it("mails nothing to a disabled account", async () => {
    const ada = await signUpPerson(service);
    await disableUser(ada.id);
    expect((await askForMail(ada.email)).status).toBe(202);
    expect(await mailsTo(ada.email)).toEqual([]);
  });

  it("mails five an hour at most, also when 20 are asked for at once, and the newest stays good", async () => {
    const ada = await signUpPerson(service);
    const answers = await Promise.all(Array.from({ length: 20 }, () => askForMail(ada.email)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    const tokens = (await mailsTo(ada.email)).map(tokenOf);
    expect(tokens).toHaveLength(5);
    const outcomes = await Promise.all(tokens.map((token) => verify({ token })));
    expect(outcomes.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400, 400, 400, 400]);
  });

  it("keeps neither the token nor the code in any table, nor what all codes could be tried against", async () => {
    const ada = await signUpPerson(service);
    const { token, code } = await receiveMail(ada.email);
    const [rows = []] = await asOwner([
      `select t::text as row, t.code_hash in (sha256($2::text::bytea), sha256(sha256($2::text::bytea)), sha256(($3::text || $2::text)::bytea)) as open
         from one_time_tokens t where user_id = $1`,
      [ada.id, code, ada.email],
    ]);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.["open"]).toBe(false);
    for (const secret of [token, code]) expect(rows[0]?.["row"]).not.toContain(secret);
  });

  it("says so with 501 where no provider is set up, for every address", async () => {
    const without = openService({ EMAIL_PROVIDER: undefined });
    const ada = await signUpPerson(without);
    for (const email of [ada.email, newEmail()]) expectProblem(await askForMail(email, without), "email_off");
  });

  it("is in the account's export as a token to sign in with", async () => {
    const ada = await signUpPerson(service);
    await askForMail(ada.email);
    const { body } = await service.call("GET", "/v1/users/me/export", { token: ada.token });
    expect(body.oneTimeTokens).toMatchObject([{ purpose: "sign_in", email: null }]);
    const [{ createdAt, expiresAt }] = body.oneTimeTokens;
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(600_000);
  });
});

type Mailed = { email: string; token: string; code: string };
const forms: [string, "invalid_token" | "invalid_code", (mailed: Mailed) => object][] = [
  ["the link's token", "invalid_token", ({ token }) => ({ token })],
  ["the code", "invalid_code", ({ email, code }) => ({ email, code })],
];

describe.each(forms)("POST /v1/auth/email-sign-in/verify with %s", (_, refusal, fill) => {
  it("starts a session, and proves the address", async () => {
    const ada = await signUpPerson(service);
    const { status, body } = await verify(fill({ email: ada.email, ...(await receiveMail(ada.email)) }));
    expect(status).toBe(200);
    expect(body).toMatchObject({ tokenType: "Bearer", user: { id: ada.id, emailVerified: true } });
    const me = await readMe(body.accessToken);
    expect([me.status, me.body.id, me.body.emailVerified]).toEqual([200, ada.id, true]);
    const refreshed = await service.call("POST", "/v1/auth/refresh", { body: { refreshToken: body.refreshToken } });
    expect(refreshed.status).toBe(200);
  });

  it("takes it once, and spends the other form with it", async () => {
    const ada = await signUpPerson(service);
    const mailed = { email: ada.email, ...(await receiveMail(ada.email)) };
    expect((await verify(fill(mailed))).status).toBe(200);
    for (const [, code, other] of forms) expectProblem(await verify(other(mailed)), code);
  });

  it("refuses what a newer mail has replaced", async () => {
    const ada = await signUpPerson(service);
    const old = { email: ada.email, ...(await receiveMail(ada.email)) };
    const young = { email: ada.email, ...(await receiveMail(ada.email)) };
    expectProblem(await verify(fill(old)), refusal);
    expect((await verify(fill(young))).status).toBe(200);
  });

  it.each<[string, (person: Person) => Promise<unknown>]>([
    ["has expired", ({ id }) => expire(id)],
    ["is of a disabled account", ({ id }) => disableUser(id)],
    ["is of another address by now", changeAddress],
    ["is older than a new password", async ({ id }) => resetPassword(await giveResetToken(id))],
  ])("refuses one that %s, and starts no session", async (_what, spoil) => {
    const ada = await signUpPerson(service);
    const mailed = { email: ada.email, ...(await receiveMail(ada.email)) };
    await spoil(ada);
    const count = () => asOwner(["select count(*) from sessions where user_id = $1", [ada.id]]);
    const before = await count();
    expectProblem(await verify(fill(mailed)), refusal);
    expect(await count()).toEqual(before);
  });

  it("waits for the second factor of whoever has one", async () => {
    const ada = await signUpPerson(service);
    await verifyAddress(ada);
    await addApp(ada.id);
    const { status, body } = await verify(fill({ email: ada.email, ...(await receiveMail(ada.email)) }));
    expect([status, body.status, body.factors]).toEqual([202, "mfa_required", ["totp"]]);
    expect(body.accessToken).toBeUndefined();
    expectProblem(await readMe(body.mfaToken), "mfa_required");
  });

  it("gives a browser its refresh token in a cookie, on pages of known origins alone", async () => {
    const browsers = openForBrowsers();
    const ada = await signUpPerson(service);
    const proof = { ...fill({ email: ada.email, ...(await receiveMail(ada.email)) }), refreshTokenIn: "cookie" };
    expectProblem(await verify(proof, { origin: "https://evil.example" }, browsers), "origin_not_allowed");
    const answer = await verify(proof, browserHeaders(undefined, frontend), browsers);
    expect([answer.status, answer.body.refreshToken]).toEqual([200, undefined]);
    expect((await refreshByCookie(browsers, readCookie(answer).value)).status).toBe(200);
  });

  it("tells of a new device", async () => {
    const ada = await signUpPerson(service);
    await verifyAddress(ada);
    const mailed = { email: ada.email, ...(await receiveMail(ada.email)) };
    await verify(fill(mailed), { "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0" });
    expect((await lastMailTo(ada.email)).subject).toBe("A sign-in from a new device");
  });

  it("works while secrets are rotated, and a code no longer than that", async () => {
    const [old, young] = ["old", "young"].map((name) => `${name}-secret-of-one-test-${crypto.randomUUID()}`);
    const before = openService({ JWT_SECRET: old });
    const ada = await signUpPerson(service);
    const mailed = { email: ada.email, ...(await receiveMail(ada.email, before)) };
    if (refusal === "invalid_code")
      expectProblem(await verify(fill(mailed), {}, openService({ JWT_SECRET: young })), refusal);
    const rotated = openService({ JWT_SECRET: young, JWT_SECRET_PREVIOUS: old });
    expect((await verify(fill(mailed), {}, rotated)).status).toBe(200);
  });
});

describe("POST /v1/auth/email-sign-in/verify", () => {
  it("refuses a wrong code, a right one of somebody else, and one for an address without an account, all alike", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const [hers, graces] = [await receiveMail(ada.email), await receiveMail(grace.email)];
    const wrong = [
      { email: ada.email, code: otherCode(hers.code) },
      { email: ada.email, code: graces.code },
      { email: newEmail(), code: hers.code },
    ];
    const answers = [];
    for (const body of wrong) answers.push(await verify(body));
    for (const answer of answers) {
      expectProblem(answer, "invalid_code");
      expect({ ...answer.body, requestId: "" }).toEqual({ ...answers[0]?.body, requestId: "" });
    }
    expect((await verify({ email: ` ${ada.email.toUpperCase()}`, code: hers.code })).status).toBe(200);
  });

  it("refuses tokens that are for something else, or unknown", async () => {
    const ada = await signUpPerson(service);
    const others = [await giveResetToken(ada.id), await giveToken(ada.id, "verify_email"), "A".repeat(43)];
    for (const token of others) expectProblem(await verify({ token }), "invalid_token");
  });

  it("takes a token or an address with a code, and nothing between", async () => {
    const ada = await signUpPerson(service);
    const { token, code } = await receiveMail(ada.email);
    const { email } = ada;
    await service.databaseRequests();
    const wrong = [{}, { email }, { code }, { token, code }, { token, email, code }, { token, email }];
    for (const body of [
      ...wrong,
      { email, code: code.slice(1) },
      { email, code: `${code}0` },
      { email, code: "12345a78" },
    ])
      expectProblem(await verify(body, {}, service), "invalid_request");
    expect(await service.databaseRequests()).toEqual([]);
    expect((await verify({ token })).status).toBe(200);
  });

  it("is not what opening the link does, so that no scanner of mails uses it up", async () => {
    const ada = await signUpPerson(service);
    const { token } = await receiveMail(ada.email);
    for (const method of ["GET", "HEAD"]) {
      const url = `https://api.example.com/v1/auth/email-sign-in/verify?token=${token}`;
      expect((await service.fetch(new Request(url, { method }))).status).toBe(405);
    }
    expect((await verify({ token })).status).toBe(200);
  });
});

async function changeAddress({ id, token: session }: Person): Promise<void> {
  const token = await giveToken(id, "change_email_new", newEmail());
  const confirmed = await service.call("POST", "/v1/auth/change-email/confirm", { body: { token }, token: session });
  expect(confirmed.body).toEqual({ status: "changed" });
}

const resetPassword = (token: string) =>
  service.call("POST", "/v1/auth/reset-password", { body: { token, password: "another harbour at dusk" } });

const addApp = (userId: string) =>
  asOwner([
    "insert into totp_factors (id, user_id, sealed_seed, key_hash, activated_at) values (gen_random_uuid(), $1, 'sealed', sha256('key'), now())",
    [userId],
  ]);
