import { describe, expect, it } from "vitest";
import { disableUser, readMe, refresh, signIn, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { browserHeaders, openForBrowsers, readCookie } from "./support/cookies.ts";
import {
  beginSignIn,
  countFactorAttempts,
  currentStep,
  enrolTotp,
  forgetFactorAttempts,
  giveRecoveryCodes,
  giveTotp,
  totpCode,
  verify,
} from "./support/factors.ts";
import { lastMailTo, mailsTo } from "./support/mailbox.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, openService, type Person, signUpPerson } from "./support/service.ts";
import { claimsOf } from "./support/tokens.ts";

const service = openService();

/** A person with an active app and two recovery codes, and the token of a session that waits for one of them. */
async function makeClaimant() {
  const ada = await signUpPerson(service);
  const seed = await giveTotp(ada, true);
  const recoveryCodes = await giveRecoveryCodes(ada, 2);
  return { ada, seed, recoveryCodes, mfaToken: await beginSignIn(service, ada) };
}

const wrongCodeFor = async (seed: Uint8Array) => {
  const right = await Promise.all([-1, 0, 1, 2].map((delta) => totpCode(seed, currentStep() + delta)));
  return ["000000", "111111", "222222", "333333", "444444"].find((code) => !right.includes(code)) ?? "";
};

const readStatus = async ({ token }: { token: string }) => (await service.call("GET", "/v1/auth/mfa", { token })).body;
const isAlive = async (token: string) => (await readMe(token)).status === 200;

describe("A sign-in of somebody with a second factor", () => {
  it("answers what can be given, and nothing that is good for anything else", async () => {
    const { ada, mfaToken } = await makeClaimant();
    const browsers = openForBrowsers();
    const answer = await browsers.call("POST", "/v1/auth/sign-in", {
      body: { email: ada.email, password: goodPassword, refreshTokenIn: "cookie" },
      headers: browserHeaders(),
    });
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({
      status: "mfa_required",
      mfaToken: expect.any(String),
      tokenType: "Bearer",
      expiresIn: 600,
      factors: ["recovery_code", "totp"],
    });
    expect(answer.headers.getSetCookie()).toEqual([]);
    expectProblem(await readMe(mfaToken), "mfa_required");
    expectProblem(await refresh(mfaToken), "unauthenticated");
    expectProblem(await refresh(undefined, browsers), "unauthenticated");
  });

  it("names no recovery codes when none are left", async () => {
    const ada = await signUpPerson(service);
    await giveTotp(ada, true);
    expect((await signIn(ada.email, goodPassword)).body.factors).toEqual(["totp"]);
  });

  it("waits 10 minutes", async () => {
    const { ada, seed, mfaToken } = await makeClaimant();
    const age = (seconds: number) =>
      asOwner([
        `update sessions set expires_at = expires_at - make_interval(secs => $2), idle_expires_at = idle_expires_at - make_interval(secs => $2)
          where user_id = $1 and second_factor = 'pending'`,
        [ada.id, seconds],
      ]);
    await age(560);
    expectProblem(await verify(service, mfaToken, { code: await wrongCodeFor(seed) }), "wrong_code");
    await age(40);
    expectProblem(await verify(service, mfaToken, { code: await totpCode(seed) }), "unauthenticated");
  });

  it("stands in the list of sessions for its person to end", async () => {
    const { ada, seed, mfaToken } = await makeClaimant();
    expect((await service.call("DELETE", "/v1/auth/sessions?scope=others", ada)).status).toBe(204);
    expectProblem(await verify(service, mfaToken, { code: await totpCode(seed) }), "unauthenticated");
  });

  it("with a password that a reset has set asks for it all the same", async () => {
    const { ada, seed, mfaToken } = await makeClaimant();
    const password = "another harbour at dusk";
    const body = { token: await giveResetToken(ada.id), password };
    expect((await service.call("POST", "/v1/auth/reset-password", { body })).status).toBe(204);
    expectProblem(await verify(service, mfaToken, { code: await totpCode(seed) }), "unauthenticated");
    const again = await beginSignIn(service, ada, password);
    expect((await verify(service, again, { code: await totpCode(seed) })).status).toBe(200);
  });
});

describe("POST /v1/auth/mfa/verify", () => {
  it("completes the session with a code, and answers as a sign-in does", async () => {
    const { ada, seed, mfaToken } = await makeClaimant();
    const { status, headers, body } = await verify(service, mfaToken, { code: await totpCode(seed) });
    expect(status).toBe(200);
    expect(headers.getSetCookie()).toEqual([]);
    expect(Object.keys(body).toSorted()).toEqual(
      ["accessToken", "expiresIn", "refreshToken", "sessionExpiresAt", "tokenType", "user"].toSorted(),
    );
    expect(body.user).toMatchObject({ id: ada.id, email: ada.email });
    expect(await isAlive(body.accessToken)).toBe(true);
    expect((await refresh(body.refreshToken)).status).toBe(200);
    const days = (Date.parse(body.sessionExpiresAt) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThan(7.1);
    // Freshly authenticated: the export asks for that.
    expect((await service.call("GET", "/v1/users/me/export", { token: body.accessToken })).status).toBe(200);
  });

  it("leaves the mfaToken good for nothing, and the session with another handle", async () => {
    const { ada, seed, recoveryCodes, mfaToken } = await makeClaimant();
    const { body } = await verify(service, mfaToken, { code: await totpCode(seed) });
    expect(claimsOf(body.accessToken).sid).not.toBe(claimsOf(mfaToken).sid);
    for (const proof of [{ code: await totpCode(seed, currentStep() + 1) }, { recoveryCode: recoveryCodes[0] }])
      expectProblem(await verify(service, mfaToken, proof), "unauthenticated");
    expect(await isAlive(body.accessToken)).toBe(true);
    expect((await readStatus(ada)).recoveryCodesLeft).toBe(2);
    expect(await storedSessions(ada.id)).toHaveLength(2);
  });

  it("takes a recovery code once, and mails a notice", async () => {
    const { ada, recoveryCodes, mfaToken } = await makeClaimant();
    const { status, body } = await verify(service, mfaToken, { recoveryCode: recoveryCodes[0] });
    expect(status).toBe(200);
    expect(await isAlive(body.accessToken)).toBe(true);
    expect((await lastMailTo(ada.email)).subject).toBe("A recovery code of your account was used");
    expect((await readStatus(ada)).recoveryCodesLeft).toBe(1);
    const again = await beginSignIn(service, ada);
    expectProblem(await verify(service, again, { recoveryCode: recoveryCodes[0] }), "wrong_code");
    expect((await mailsTo(ada.email)).filter(({ subject }) => /recovery code/.test(subject))).toHaveLength(1);
    expect((await verify(service, again, { recoveryCode: recoveryCodes[1] })).status).toBe(200);
  });

  it("takes a recovery code without mail as well", async () => {
    const { ada, recoveryCodes, mfaToken } = await makeClaimant();
    const silent = openService({ EMAIL_PROVIDER: undefined });
    expect((await verify(silent, mfaToken, { recoveryCode: recoveryCodes[0] })).status).toBe(200);
    expect((await mailsTo(ada.email)).filter(({ subject }) => /recovery code/.test(subject))).toEqual([]);
  });

  it.each<[string, (code: string) => string]>([
    ["as it was shown", (code) => code],
    ["in small letters", (code) => code.toLowerCase()],
    ["without hyphens", (code) => code.replaceAll("-", "")],
    ["with some hyphens", (code) => code.replace("-", "").toLowerCase()],
  ])("reads a recovery code %s", async (_, write) => {
    const ada = await signUpPerson(service);
    const { recoveryCodes } = await enrolTotp(service, ada);
    const recoveryCode = write(recoveryCodes[7] ?? "");
    expect((await verify(service, await beginSignIn(service, ada), { recoveryCode })).status).toBe(200);
  });

  it("hands the refresh token over in a cookie where that is asked for", async () => {
    const { seed, mfaToken } = await makeClaimant();
    const browsers = openForBrowsers();
    const body = { code: await totpCode(seed), refreshTokenIn: "cookie" };
    const stranger = { body, token: mfaToken, headers: browserHeaders(undefined, "https://evil.example") };
    expectProblem(await browsers.call("POST", "/v1/auth/mfa/verify", stranger), "origin_not_allowed");
    const own = { body, token: mfaToken, headers: browserHeaders() };
    const answer = await browsers.call("POST", "/v1/auth/mfa/verify", own);
    expect([answer.status, answer.body.refreshToken]).toEqual([200, undefined]);
    const { value } = readCookie(answer);
    const refreshed = await browsers.call("POST", "/v1/auth/refresh", { headers: browserHeaders(value) });
    expect(refreshed.status).toBe(200);
  });

  it("takes no code twice, nor the older of two after the newer", async () => {
    const { ada, seed, mfaToken } = await makeClaimant();
    const step = currentStep();
    expect((await verify(service, mfaToken, { code: await totpCode(seed, step + 1) })).status).toBe(200);
    for (const older of [step + 1, step, step - 1]) {
      const next = await beginSignIn(service, ada);
      expectProblem(await verify(service, next, { code: await totpCode(seed, older) }), "wrong_code");
    }
    const [rows] = await asOwner(["select last_step::int from totp_factors where user_id = $1", [ada.id]]);
    expect(rows).toEqual([{ last_step: step + 1 }]);
  });

  it("takes the newer of two after the older", async () => {
    const { ada, seed, mfaToken } = await makeClaimant();
    const step = currentStep();
    expect((await verify(service, mfaToken, { code: await totpCode(seed, step) })).status).toBe(200);
    const next = await beginSignIn(service, ada);
    expect((await verify(service, next, { code: await totpCode(seed, step + 1) })).status).toBe(200);
  });

  it("takes nothing of somebody else's", async () => {
    const [ada, eve] = [await makeClaimant(), await makeClaimant()];
    for (const proof of [{ code: await totpCode(eve.seed) }, { recoveryCode: eve.recoveryCodes[0] }])
      expectProblem(await verify(service, ada.mfaToken, proof), "wrong_code");
    expect((await readStatus(eve.ada)).recoveryCodesLeft).toBe(2);
    expect((await verify(service, eve.mfaToken, { code: await totpCode(eve.seed) })).status).toBe(200);
  });

  it.each<[string, (seed: Uint8Array) => Promise<Record<string, unknown>>]>([
    ["codes", async (seed) => ({ code: await wrongCodeFor(seed) })],
    ["recovery codes", () => Promise.resolve({ recoveryCode: "AAAA-BBBB-CCCC-DDDD" })],
  ])("refuses everything after five wrong %s, in whatever session, until it has waited", async (_, guess) => {
    const { ada, seed, recoveryCodes, mfaToken } = await makeClaimant();
    for (let n = 0; n < 5; n++) expectProblem(await verify(service, mfaToken, await guess(seed)), "wrong_code");
    for (const token of [mfaToken, await beginSignIn(service, ada)]) {
      for (const proof of [{ code: await totpCode(seed) }, { recoveryCode: recoveryCodes[0] }]) {
        const refused = await verify(service, token, proof);
        expectProblem(refused, "too_many_attempts");
        expect(refused.headers.get("retry-after")).toBe("2");
      }
    }
    expect([await countFactorAttempts(ada), (await readStatus(ada)).recoveryCodesLeft]).toEqual([5, 2]);
    await forgetFactorAttempts(ada);
    expect((await verify(service, mfaToken, { code: await totpCode(seed) })).status).toBe(200);
  });

  it("forgets wrong ones after a right one, of this person alone", async () => {
    for (const isCode of [true, false]) {
      const [ada, eve] = [await makeClaimant(), await makeClaimant()];
      for (const { seed, mfaToken } of [ada, eve])
        expectProblem(await verify(service, mfaToken, { code: await wrongCodeFor(seed) }), "wrong_code");
      const right = isCode ? { code: await totpCode(ada.seed) } : { recoveryCode: ada.recoveryCodes[0] };
      expect((await verify(service, ada.mfaToken, right)).status).toBe(200);
      expect([await countFactorAttempts(ada.ada), await countFactorAttempts(eve.ada)]).toEqual([undefined, 1]);
    }
  });

  it("lets no more than five of 50 guesses at once be looked at", async () => {
    const { ada, seed, mfaToken } = await makeClaimant();
    const guess = await wrongCodeFor(seed);
    const guesses = Array.from({ length: 50 }, (_, n) =>
      verify(service, mfaToken, n % 2 ? { code: guess } : { recoveryCode: "AAAA-BBBB-CCCC-DDDD" }),
    );
    const codes = (await Promise.all(guesses)).map(({ body }) => body.code);
    expect(codes.filter((code) => code === "wrong_code")).toHaveLength(5);
    expect(codes.filter((code) => code === "too_many_attempts")).toHaveLength(45);
    expect(await countFactorAttempts(ada)).toBe(5);
  });

  it("tells a session that is complete that nothing is asked of it, and counts nothing", async () => {
    const { ada, seed, recoveryCodes } = await makeClaimant();
    const plain = await signUpPerson(service);
    for (const [person, proof] of [
      [ada, { code: await totpCode(seed) }],
      [ada, { recoveryCode: recoveryCodes[0] }],
      [plain, { code: "123456" }],
    ] as const)
      expectProblem(await verify(service, person.token, proof), "mfa_not_required");
    expect(await countFactorAttempts(ada)).toBe(undefined);
    expect((await readStatus(ada)).recoveryCodesLeft).toBe(2);
  });

  it("refuses a disabled person", async () => {
    const { ada, seed, recoveryCodes, mfaToken } = await makeClaimant();
    await disableUser(ada.id);
    for (const proof of [{ code: await totpCode(seed) }, { recoveryCode: recoveryCodes[0] }])
      expectProblem(await verify(service, mfaToken, proof), "unauthenticated");
  });

  it("says so where the seed cannot be read, and takes a recovery code all the same", async () => {
    const { seed, recoveryCodes, mfaToken } = await makeClaimant();
    const without = openService({ ENCRYPTION_KEY: undefined });
    expectProblem(await verify(without, mfaToken, { code: await totpCode(seed) }), "encryption_off");
    expect((await verify(without, mfaToken, { recoveryCode: recoveryCodes[0] })).status).toBe(200);
  });

  it.each([
    {},
    { code: "123456", recoveryCode: "AAAA-BBBB-CCCC-DDDD" },
    { code: "12345" },
    { code: "1234567" },
    { code: " 123456" },
    { code: "12345\n" },
    { code: "१२३४५६" },
    { code: 123456 },
    { code: { $ne: "" } },
    { recoveryCode: "AAAA-BBBB-CCCC" },
    { recoveryCode: "AAAA-BBBB-CCCC-DDD1" },
    { recoveryCode: "AAAA--BBBB-CCCC-DDDD" },
    { recoveryCode: "A".repeat(10_000) },
    { code: "123456", refreshTokenIn: "url" },
  ])("refuses %j, and asks no database", async (body) => {
    const { mfaToken } = await makeClaimant();
    await service.databaseRequests();
    expectProblem(await verify(service, mfaToken, body), "invalid_request");
    expect(await service.databaseRequests()).toEqual([]);
  });

  it("asks the database twice for a code and once for a recovery code", async () => {
    for (const isCode of [true, false]) {
      const { seed, recoveryCodes, mfaToken } = await makeClaimant();
      const counted = openService();
      const proof = isCode ? { code: await totpCode(seed) } : { recoveryCode: recoveryCodes[0] };
      expect((await verify(counted, mfaToken, proof)).status).toBe(200);
      const requests = await counted.databaseRequests();
      expect(requests).toHaveLength(isCode ? 2 : 1);
      for (const { statements } of requests) expect(statements[0]?.params.at(-1)).toBe("true");
    }
  });
});

describe("POST /v1/auth/mfa/recovery-codes", () => {
  const replace = ({ token }: Person) => service.call("POST", "/v1/auth/mfa/recovery-codes", { token });

  it("answers 10 others, and those of before are good for nothing", async () => {
    const { ada, recoveryCodes, mfaToken } = await makeClaimant();
    const { status, body } = await replace(ada);
    expect(status).toBe(200);
    expect(new Set([...body.recoveryCodes, ...recoveryCodes]).size).toBe(12);
    expect((await readStatus(ada)).recoveryCodesLeft).toBe(10);
    expectProblem(await verify(service, mfaToken, { recoveryCode: recoveryCodes[0] }), "wrong_code");
    expect((await verify(service, mfaToken, { recoveryCode: body.recoveryCodes[9] })).status).toBe(200);
  });

  it("refuses whoever has no second factor that they could stand in for", async () => {
    const ada = await signUpPerson(service);
    await giveTotp(ada, false);
    expectProblem(await replace(ada), "second_factor_missing");
    expect((await readStatus(ada)).recoveryCodesLeft).toBe(0);
  });

  it("leaves 10 when it is asked for twice at once, all of one answer", async () => {
    const { ada } = await makeClaimant();
    const answers = await Promise.all([replace(ada), replace(ada), replace(ada)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await readStatus(ada)).recoveryCodesLeft).toBe(10);
  });
});

describe("GET /v1/auth/mfa", () => {
  it("shows nothing of an app that is not active, and nothing of others", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    await enrolTotp(service, grace);
    await giveTotp(ada, false);
    expect(await readStatus(ada)).toEqual({ totp: null, passkeys: 0, recoveryCodesLeft: 0 });
    expect(await readStatus(grace)).toMatchObject({ totp: { activatedAt: expect.any(String) }, recoveryCodesLeft: 10 });
  });
});
