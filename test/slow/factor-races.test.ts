import { describe, expect, it } from "vitest";
import { readMe, storedSessions } from "../support/accounts.ts";
import { asOwner } from "../support/database.ts";
import {
  beginSignIn,
  beginTotp,
  currentStep,
  forgetFactorAttempts,
  giveRecoveryCodes,
  giveTotp,
  totpCode,
  verify,
} from "../support/factors.ts";
import { mailsTo } from "../support/mailbox.ts";
import { type Answer, openService, type Person, signUpPerson } from "../support/service.ts";
import { atOnce, crowd, expectTally, tenRounds } from "./at-once.ts";

const service = openService();

async function makeClaimant() {
  const ada = await signUpPerson(service);
  const seed = await giveTotp(ada, true);
  const [recoveryCode = ""] = await giveRecoveryCodes(ada, 3);
  return { ada, code: await totpCode(seed, currentStep() + 1), recoveryCode };
}

/** As many sessions that wait for a second factor, begun one after the other. */
async function beginSignIns(ada: Person, count: number): Promise<string[]> {
  const tokens: string[] = [];
  for (let n = 0; n < count; n++) tokens.push(await beginSignIn(service, ada));
  return tokens;
}

/** No limit: what is looked at here is what holds without it. */
const keepForgetting = async (ada: Person, work: Promise<Answer[]>): Promise<Answer[]> => {
  const state = { isDone: false };
  const forgetting = (async () => {
    while (!state.isDone) await forgetFactorAttempts(ada);
  })();
  try {
    return await work;
  } finally {
    state.isDone = true;
    await forgetting;
  }
};

function expectOneSuccess(answers: Answer[]): string {
  const [winner, ...others] = answers.filter(({ status }) => status === 200);
  expect([winner !== undefined, others.length]).toEqual([true, 0]);
  const refused = answers.filter((answer) => answer !== winner).map(({ status, body }) => `${status} ${body.code}`);
  const known = ["401 unauthenticated", "403 wrong_code", "429 too_many_attempts"];
  expect(refused.filter((outcome) => !known.includes(outcome))).toEqual([]);
  return winner?.body.accessToken;
}

const proofs: [string, (claimant: Awaited<ReturnType<typeof makeClaimant>>) => Record<string, string>, number][] = [
  ["code", ({ code }) => ({ code }), 3],
  ["recovery code", ({ recoveryCode }) => ({ recoveryCode }), 2],
];

describe("50 at once with one second factor", tenRounds, () => {
  it.each(proofs)("a %s in one session completes it once", async (_, proofOf, codesLeft) => {
    const claimant = await makeClaimant();
    const mfaToken = await beginSignIn(service, claimant.ada);
    const answers = await atOnce(() => verify(service, mfaToken, proofOf(claimant)));
    const token = expectOneSuccess(answers);
    expect((await readMe(token)).status).toBe(200);
    const { body } = await service.call("GET", "/v1/auth/mfa", { token });
    expect(body.recoveryCodesLeft).toBe(codesLeft);
  });

  it.each(proofs)("a %s in ten sessions completes one of them, without a limit too", async (_, proofOf, codesLeft) => {
    const claimant = await makeClaimant();
    const mfaTokens = await beginSignIns(claimant.ada, 10);
    const work = atOnce((index) => verify(service, mfaTokens[index % 10] ?? "", proofOf(claimant)));
    expectOneSuccess(await keepForgetting(claimant.ada, work));
    const sessions = await storedSessions(claimant.ada.id);
    expect(sessions.filter(({ second_factor }) => second_factor === "pending")).toHaveLength(9);
    const { body } = await service.call("GET", "/v1/auth/mfa", claimant.ada);
    expect(body.recoveryCodesLeft).toBe(codesLeft);
    const notices = (await mailsTo(claimant.ada.email)).filter(({ subject }) => /recovery code/.test(subject));
    expect(notices).toHaveLength(3 - codesLeft);
  });

  it("and another one in the same session complete it once, and use one up", async () => {
    const claimant = await makeClaimant();
    const mfaToken = await beginSignIn(service, claimant.ada);
    const work = atOnce((index) => verify(service, mfaToken, proofs[index % 2]?.[1](claimant) ?? {}));
    const token = expectOneSuccess(await keepForgetting(claimant.ada, work));
    const { body } = await service.call("GET", "/v1/auth/mfa", { token });
    const [rows] = await asOwner([
      "select last_step > 0 as is_used from totp_factors where user_id = $1",
      [claimant.ada.id],
    ]);
    expect([
      [3, true],
      [2, false],
    ]).toContainEqual([body.recoveryCodesLeft, rows?.[0]?.["is_used"]]);
  });

  it("guesses are looked at five times", async () => {
    const { ada } = await makeClaimant();
    const mfaToken = await beginSignIn(service, ada);
    const answers = await atOnce(() => verify(service, mfaToken, { recoveryCode: "AAAA-BBBB-CCCC-DDDD" }));
    expectTally(answers, { "403 wrong_code": 5, "429 too_many_attempts": crowd - 5 });
  });

  it("activate an app once, with one set of recovery codes", async () => {
    const ada = await signUpPerson(service);
    const code = await totpCode(await beginTotp(service, ada), currentStep() + 1);
    const activate = () => service.call("POST", "/v1/auth/mfa/totp/activate", { token: ada.token, body: { code } });
    const answers = await atOnce(activate);
    const won = answers.filter(({ status }) => status === 200);
    expect(won.map(({ body }) => body.recoveryCodes?.length)).toEqual([10]);
    const { body } = await service.call("GET", "/v1/auth/mfa", ada);
    expect([body.recoveryCodesLeft, await mailsTo(ada.email)]).toEqual([10, [expect.anything()]]);
  });

  it("sign-ins and an activation leave no session that has passed by the second factor", async () => {
    const ada = await signUpPerson(service);
    const code = await totpCode(await beginTotp(service, ada), currentStep() + 1);
    const answers = await atOnce(
      (index) =>
        index === 5
          ? service.call("POST", "/v1/auth/mfa/totp/activate", { token: ada.token, body: { code } })
          : service.call("POST", "/v1/auth/sign-in", {
              body: { email: ada.email, password: ada.password },
              headers: {
                "cf-connecting-ip": `2001:db8:${index + 1}:${crypto.getRandomValues(new Uint16Array(1))[0]?.toString(16)}::1`,
              },
            }),
      10,
    );
    expect(answers[5]?.status).toBe(200);
    const sessions = await storedSessions(ada.id);
    const living = sessions.filter(({ revoked_at }) => revoked_at === null);
    expect(living.filter(({ second_factor }) => second_factor === null)).toEqual([]);
  });
});
