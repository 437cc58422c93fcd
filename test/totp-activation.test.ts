import { describe, expect, it } from "vitest";
import { readMe, signUpVerified, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import {
  beginSignIn,
  beginTotp,
  countFactorAttempts,
  currentStep,
  enrolTotp,
  forgetFactorAttempts,
  totpCode,
  verify,
} from "./support/factors.ts";
import { lastMailTo, mailsTo } from "./support/mailbox.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signInPerson } from "./support/service.ts";
import { readStatus, wrongCodeFor } from "./support/mfa.ts";
import { activate, remove, storedFactors } from "./support/totp.ts";

const service = openService();

describe("POST /v1/auth/mfa/totp/activate", () => {
  it("answers 10 recovery codes once, and ends every other session", async () => {
    const ada = await signUpVerified();
    const other = await signInPerson(service, ada.email);
    const seed = await beginTotp(service, ada);
    const { status, body } = await activate(ada, await totpCode(seed));
    expect(status).toBe(200);
    expect(new Set(body.recoveryCodes).size).toBe(10);
    for (const code of body.recoveryCodes) expect(code).toMatch(/^[A-Z2-7]{4}(-[A-Z2-7]{4}){3}$/);
    expect(await readStatus(ada)).toEqual({
      totp: { activatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) },
      passkeys: 0,
      recoveryCodesLeft: 10,
    });
    expectProblem(await readMe(other.token), "unauthenticated");
    const refreshed = await service.call("POST", "/v1/auth/refresh", { body: { refreshToken: other.refreshToken } });
    expectProblem(refreshed, "unauthenticated");
    const own = await service.call("POST", "/v1/auth/refresh", { body: { refreshToken: ada.refreshToken } });
    expect(own.status).toBe(200);
    const text = JSON.stringify(await asOwner(["select * from recovery_codes where user_id = $1", [ada.id]]));
    expect(text).not.toContain(body.recoveryCodes[0]);
  });

  it("mails a notice, where mail is set up", async () => {
    const ada = await signUpVerified();
    await enrolTotp(service, ada);
    expect((await lastMailTo(ada.email)).subject).toBe("An authenticator app was set up for your account");
    const grace = await signUpVerified();
    const silent = openService({ EMAIL_PROVIDER: undefined });
    await enrolTotp(silent, grace);
    expect((await remove(grace, silent)).status).toBe(204);
    expect(await mailsTo(grace.email)).toEqual([]);
  });

  it.each([-1, 0, 1])("takes a code that is %i steps from now", async (delta) => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    // The step may end while the request is on its way: whoever is early is then on time, and whoever is late too late.
    let answer = await activate(ada, await totpCode(seed, currentStep() + delta));
    if (answer.status === 403) answer = await activate(ada, await totpCode(seed, currentStep() + delta));
    expect(answer.status).toBe(200);
  });

  it("refuses a wrong code, one of two steps ago and one of in three, and activates nothing", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    const before = await storedSessions(ada.id);
    for (const code of [
      await wrongCodeFor(seed),
      await totpCode(seed, currentStep() - 2),
      await totpCode(seed, currentStep() + 3),
    ])
      expectProblem(await activate(ada, code), "wrong_code");
    expect(await readStatus(ada)).toEqual({ totp: null, passkeys: 0, recoveryCodesLeft: 0 });
    expect(await storedSessions(ada.id)).toEqual(before);
    expect(await mailsTo(ada.email)).toEqual([]);
    expect(await countFactorAttempts(ada)).toBe(3);
    expect((await activate(ada, await totpCode(seed))).status).toBe(200);
    expect(await countFactorAttempts(ada)).toBe(undefined);
  });

  it("refuses a right code after five wrong ones, until it has waited", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    for (let n = 0; n < 5; n++) expectProblem(await activate(ada, await wrongCodeFor(seed)), "wrong_code");
    const refused = await activate(ada, await totpCode(seed));
    expectProblem(refused, "too_many_attempts");
    expect(refused.headers.get("retry-after")).toBe("2");
    await forgetFactorAttempts(ada);
    expect((await activate(ada, await totpCode(seed))).status).toBe(200);
  });

  it("has nothing to activate without a new app, or a second time", async () => {
    const ada = await signUpVerified();
    expectProblem(await activate(ada, "123456"), "not_found");
    const seed = await beginTotp(service, ada);
    const code = await totpCode(seed);
    expect((await activate(ada, code)).status).toBe(200);
    expectProblem(await activate(ada, code), "not_found");
  });

  it("takes no code of somebody else's app", async () => {
    const [ada, eve] = [await signUpVerified(), await signUpVerified()];
    await beginTotp(service, ada);
    expectProblem(await activate(ada, await totpCode(await beginTotp(service, eve))), "wrong_code");
  });

  it("replaces the older app, and keeps sessions and recovery codes", async () => {
    const ada = await signUpVerified();
    const { seed: old } = await enrolTotp(service, ada);
    const first = await verify(service, await beginSignIn(service, ada), { code: await totpCode(old) });
    const next = await beginTotp(service, ada);
    const { status, body } = await activate(ada, await totpCode(next));
    expect([status, body]).toEqual([200, { recoveryCodes: null }]);
    expect(await storedFactors(ada)).toHaveLength(1);
    expect((await readStatus(ada)).recoveryCodesLeft).toBe(10);
    expect((await readMe(first.body.accessToken)).status).toBe(200);
    const mfaToken = await beginSignIn(service, ada);
    expectProblem(await verify(service, mfaToken, { code: await totpCode(old, currentStep() + 1) }), "wrong_code");
    expect((await verify(service, mfaToken, { code: await totpCode(next, currentStep() + 1) })).status).toBe(200);
  });

  it("leaves the code that has activated the app good for nothing else", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    const code = await totpCode(seed);
    expect((await activate(ada, code)).status).toBe(200);
    expectProblem(await verify(service, await beginSignIn(service, ada), { code }), "wrong_code");
  });

  it("needs ENCRYPTION_KEY, or the one before it", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    const key = "yet-another-secret-for-tests-alone-rT6yH";
    expectProblem(await activate(ada, await totpCode(seed), openService({ ENCRYPTION_KEY: key })), "encryption_off");
    const previous = "another-secret-for-tests-alone-mB5kWq2R";
    const rotated = openService({ ENCRYPTION_KEY: key, ENCRYPTION_KEY_PREVIOUS: previous });
    expect((await activate(ada, await totpCode(seed), rotated)).status).toBe(200);
  });

  it("opens no seed that was put into another app's row", async () => {
    const [ada, eve] = [await signUpVerified(), await signUpVerified()];
    const seed = await beginTotp(service, eve);
    await beginTotp(service, ada);
    await asOwner([
      "update totp_factors set sealed_seed = (select sealed_seed from totp_factors where user_id = $1) where user_id = $2",
      [eve.id, ada.id],
    ]);
    expectProblem(await activate(ada, await totpCode(seed)), "encryption_off");
  });
});
