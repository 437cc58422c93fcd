import { describe, expect, it } from "vitest";
import { signIn, storedSessions } from "../support/accounts.ts";
import { mailsTo } from "../support/mailbox.ts";
import { giveToken, type TokenPurpose } from "../support/one-time-tokens.ts";
import { newEmail, openService, signUpPerson } from "../support/service.ts";
import { atOnce, crowd, expectTally, tenRounds } from "./at-once.ts";

const service = openService();

const newPassword = (index: number) => `harbour number ${index} at dusk`;

const uses: [string, TokenPurpose, (token: string, index: number) => Record<string, string>, number][] = [
  ["verify-email", "verify_email", (token) => ({ token }), 200],
  ["change-email/confirm", "change_email_new", (token) => ({ token }), 200],
  ["change-email/confirm", "change_email_old", (token) => ({ token }), 200],
  ["reset-password", "reset_password", (token, index) => ({ token, password: newPassword(index) }), 204],
  ["email-sign-in/verify", "sign_in", (token) => ({ token }), 200],
];

describe("50 at once with one token", tenRounds, () => {
  it.each(uses)("%s has one success, of %s", async (path, purpose, fill, status) => {
    const ada = await signUpPerson(service);
    const link = await giveToken(ada.id, purpose, purpose === "verify_email" ? ada.email : newEmail());
    const answers = await atOnce((index) =>
      service.call("POST", `/v1/auth/${path}`, { body: fill(link, index), token: ada.token }),
    );
    expectTally(answers, { [status]: 1, "400 invalid_token": crowd - 1 });
  });

  it("a reset leaves the winner's password, no session and one notice", async () => {
    const ada = await signUpPerson(service);
    const link = await giveToken(ada.id, "reset_password");
    const answers = await atOnce((index) =>
      service.call("POST", "/v1/auth/reset-password", { body: { token: link, password: newPassword(index) } }),
    );
    const winner = answers.findIndex(({ status }) => status === 204);
    expect((await signIn(ada.email, newPassword(winner))).status).toBe(200);
    const sessions = await storedSessions(ada.id);
    expect(sessions.filter(({ revoked_at }) => revoked_at === null)).toHaveLength(1);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("the links to the old and the new address change it once, however they are confirmed", async () => {
    const [ada, next] = [await signUpPerson(service), newEmail()];
    const links = await Promise.all([
      giveToken(ada.id, "change_email_old", next),
      giveToken(ada.id, "change_email_new", next),
    ]);
    const answers = await atOnce((index) =>
      service.call("POST", "/v1/auth/change-email/confirm", { body: { token: links[index % 2] }, token: ada.token }),
    );
    expectTally(answers, { 200: 2, "400 invalid_token": crowd - 2 });
    const outcomes = answers.filter(({ status }) => status === 200).map(({ body }) => body.status);
    expect(new Set(outcomes)).toEqual(new Set(["changed", "pending"]));
    expect((await service.call("GET", "/v1/users/me", { token: ada.token })).body.email).toBe(next);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });
});
