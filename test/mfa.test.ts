import { describe, expect, it } from "vitest";
import { readMe, refresh, signIn } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { browserHeaders, openForBrowsers } from "./support/cookies.ts";
import { beginSignIn, enrolTotp, giveTotp, totpCode, verify } from "./support/factors.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, openService, type Person, signUpPerson } from "./support/service.ts";
import { makeClaimant, readStatus, wrongCodeFor } from "./support/mfa.ts";

const service = openService();

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
