import { describe, expect, it } from "vitest";
import { disableUser, readMe, refresh, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { browserHeaders, openForBrowsers, readCookie } from "./support/cookies.ts";
import {
  beginSignIn,
  countFactorAttempts,
  currentStep,
  enrolTotp,
  forgetFactorAttempts,
  totpCode,
  verify,
} from "./support/factors.ts";
import { lastMailTo, mailsTo } from "./support/mailbox.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { claimsOf } from "./support/tokens.ts";
import { makeClaimant, readStatus, wrongCodeFor } from "./support/mfa.ts";

const service = openService();

const isAlive = async (token: string) => (await readMe(token)).status === 200;

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
        // Less where the machine has paused since.
        expect(refused.headers.get("retry-after")).toMatch(/^[12]$/);
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
      for (const { statements } of requests) expect(statements[0]?.params[3]).toBe("true");
    }
  });
});
