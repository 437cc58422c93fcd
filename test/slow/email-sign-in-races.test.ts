import { describe, expect, it } from "vitest";
import { readMe, signIn, storedSessions } from "../support/accounts.ts";
import { receiveMail, verify } from "../support/email-sign-in.ts";
import { giveResetToken } from "../support/one-time-tokens.ts";
import { newAddress, openService, signUpPerson } from "../support/service.ts";
import { forgetAttempts } from "../support/throttles.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

const service = openService();

const liveSessions = async (userId: string) =>
  (await storedSessions(userId)).filter(({ revoked_at }) => revoked_at === null);

describe("50 sign-ins at once with one mail", tenRounds, () => {
  it("by its link: one succeeds", async () => {
    const ada = await signUpPerson(service);
    const { token } = await receiveMail(ada.email);
    const answers = await atOnce(() => verify({ token }));
    expectTally(answers, { 200: 1, "400 invalid_token": crowd - 1 });
    expect(await liveSessions(ada.id)).toHaveLength(1);
  });

  it("by its code: one succeeds, and no more than may are looked at", async () => {
    const ada = await signUpPerson(service);
    const { code } = await receiveMail(ada.email);
    const { email } = ada;
    const started = Date.now();
    const answers = await atOnce(() => verify({ email, code }, { "cf-connecting-ip": newAddress() }));
    const { 200: successes, "401 invalid_code": refused = 0, "429 too_many_attempts": waiting = 0 } = tally(answers);
    expect(successes).toBe(1);
    expect(refused + waiting).toBe(crowd - 1);
    // Five after the success, which forgets those before it; and more where the first wait has passed.
    expect(refused).toBeLessThanOrEqual(5 + Math.floor((Date.now() - started) / 2_000));
    expect(await liveSessions(ada.id)).toHaveLength(1);
  });

  it("by both: one succeeds", async () => {
    const ada = await signUpPerson(service);
    const { token, code } = await receiveMail(ada.email);
    const { email } = ada;
    const answers = await atOnce((index) =>
      index % 2 ? verify({ token }) : verify({ email, code }, { "cf-connecting-ip": newAddress() }),
    );
    expect(tally(answers)["200"]).toBe(1);
    expect(await liveSessions(ada.id)).toHaveLength(1);
  });

  it("while the stranger who made the account signs in: nothing of theirs is left", async () => {
    const ada = await signUpPerson(service);
    const { token } = await receiveMail(ada.email);
    const answers = await atOnce((index) => (index === 3 ? verify({ token }) : signIn(ada.email, ada.password)), 8);
    expect(answers[3]?.status).toBe(200);
    for (const [index, { status, body }] of answers.entries()) {
      if (status !== 200) continue;
      expect((await readMe(body.accessToken)).status).toBe(index === 3 ? 200 : 401);
    }
    await forgetAttempts({ email: ada.email, address: null });
    expect((await signIn(ada.email, ada.password)).status).not.toBe(200);
    expect(await liveSessions(ada.id)).toHaveLength(1);
  });

  it("and a new password: whichever is first, no session is older than the password", async () => {
    const ada = await signUpPerson(service);
    const { token } = await receiveMail(ada.email);
    const reset = { token: await giveResetToken(ada.id), password: "another harbour at dusk" };
    const [byMail, byReset] = await atOnce<any>(
      (index) => (index === 0 ? verify({ token }) : service.call("POST", "/v1/auth/reset-password", { body: reset })),
      2,
    );
    // The first to lock the account ends the other's token, as an unproved address is proved once.
    expect([`${byMail.status} ${byReset.status}`]).toEqual([expect.stringMatching(/^(200 400|400 204)$/)]);
    expect(await liveSessions(ada.id)).toHaveLength(byMail.status === 200 ? 1 : 0);
  });
});
