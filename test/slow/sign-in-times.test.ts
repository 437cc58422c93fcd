import { describe, expect, it } from "vitest";
import { disableUser, signUp } from "../support/accounts.ts";
import { otherCode, receiveMail, verify } from "../support/email-sign-in.ts";
import { expectToWait, guess, guessTimes, newAccount } from "../support/guesses.ts";
import { expectProblem } from "../support/problems.ts";
import { goodPassword, newAddress, newEmail, openService } from "../support/service.ts";
import { forgetAttempts, setAttempts } from "../support/throttles.ts";
import { expectSameTime } from "../support/timing.ts";

const from = (address: string) => ({ "cf-connecting-ip": address });

/** The milliseconds that it takes. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

describe("The time that is taken", () => {
  it("by a sign-in does not tell a known address from an unknown one", async () => {
    const slow = openService({ BCRYPT_WORK_FACTOR: "8" });
    const known = newEmail();
    expect((await signUp({ email: known, password: goodPassword, name: "Ada" }, undefined, slow)).status).toBe(201);
    const address = newAddress();
    const signIn = async (email: string) => {
      await forgetAttempts({ email, address });
      const options = { body: { email, password: "not the password" }, headers: from(address) };
      return timeOf(async () => expect((await slow.call("POST", "/v1/auth/sign-in", options)).status).toBe(401));
    };
    await expectSameTime(
      12,
      () => signIn(known),
      () => signIn(newEmail()),
    );
  });

  it("by a refusal for too many guesses does not either", async () => {
    const known = await newAccount();
    const unknown = { email: newEmail(), address: newAddress() };
    const refuse = ({ email, address }: typeof unknown) =>
      timeOf(async () => expectToWait(await guess(email, address), 900));
    for (const { email, address } of [known, unknown]) {
      await guessTimes(5, email, address);
      await setAttempts({ email, address }, 30);
    }
    await expectSameTime(
      40,
      () => refuse(known),
      () => refuse(unknown),
    );
  });

  it("by a guess at a mailed code is the same for an account, none, and one that is disabled", async () => {
    const newMailedAccount = async () => {
      const account = await newAccount();
      return { ...account, ...(await receiveMail(account.email)) };
    };
    const [known, disabled] = [await newMailedAccount(), await newMailedAccount()];
    await disableUser(disabled.id);
    const timed = (email: string) => async () => {
      const address = newAddress();
      const guessCode = () => verify({ email, code: otherCode(known.code) }, from(address));
      const taken = await timeOf(async () => expectProblem(await guessCode(), "invalid_code"));
      await forgetAttempts({ email, address });
      return taken;
    };
    await expectSameTime(8, timed(known.email), timed(newEmail()));
    await expectSameTime(8, timed(known.email), timed(disabled.email));
  });
});
