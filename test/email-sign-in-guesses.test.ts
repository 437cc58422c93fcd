import { describe, expect, it } from "vitest";
import { otherCode, receiveMail, verify } from "./support/email-sign-in.ts";
import { expectChecked, expectToWait, guessTimes, newAccount } from "./support/guesses.ts";
import { expectProblem } from "./support/problems.ts";
import { newAddress, newEmail } from "./support/service.ts";
import { countAttempts, setAttempts, setLastAttempt } from "./support/throttles.ts";

const from = (address: string) => ({ "cf-connecting-ip": address });

/** An account with a mail to sign in with. */
async function newMailedAccount() {
  const account = await newAccount();
  return { ...account, ...(await receiveMail(account.email)) };
}

const guessCode = (email: string, code: string, address: string) => verify({ email, code }, from(address));

describe("guesses at a code", () => {
  it("are free five times, then wait as wrong passwords do, whether the code is right or wrong", async () => {
    const { email, address, code } = await newMailedAccount();
    for (let i = 0; i < 5; i++) expectProblem(await guessCode(email, otherCode(code), address), "invalid_code");
    for (const seconds of [2, 4, 8]) {
      await setLastAttempt({ email, address }, 0);
      for (const tried of [code, otherCode(code)]) expectToWait(await guessCode(email, tried, address), seconds);
      await setLastAttempt({ email, address }, seconds);
      expectProblem(await guessCode(email, otherCode(code), address), "invalid_code");
    }
    await setLastAttempt({ email, address }, 16);
    expect((await guessCode(email, code, address)).status).toBe(200);
  });

  it("are counted with wrong passwords, and wherever they come from", async () => {
    const { email, code } = await newMailedAccount();
    await guessTimes(3, email, newAddress());
    for (let i = 0; i < 2; i++) expectProblem(await guessCode(email, otherCode(code), newAddress()), "invalid_code");
    expectToWait(await guessCode(email, code, newAddress()), 2);
  });

  it("are counted for the network, whosever code they are for", async () => {
    const address = newAddress();
    const { email, code } = await newMailedAccount();
    expectProblem(await guessCode(newEmail(), "00000000", address), "invalid_code");
    await setAttempts({ email, address }, 20);
    expectToWait(await guessCode(email, code, address), 2);
    expect((await guessCode(email, code, newAddress())).status).toBe(200);
  });

  it("are not free for another code: a new mail forgets none", async () => {
    const { email, address, code } = await newMailedAccount();
    for (let i = 0; i < 5; i++) expectProblem(await guessCode(email, otherCode(code), address), "invalid_code");
    const young = await receiveMail(email);
    expectToWait(await guessCode(email, young.code, address), 2);
  });

  it("are forgotten by the right one, which makes the network the account's home", async () => {
    const { email, address, code } = await newMailedAccount();
    for (let i = 0; i < 4; i++) expectProblem(await guessCode(email, otherCode(code), address), "invalid_code");
    expect((await guessCode(email, code, address)).status).toBe(200);
    expect(await countAttempts({ email, address })).toEqual({ network: 4, account: undefined, home: 0 });
  });

  it("keep nobody from the link, which needs no guessing", async () => {
    const { email, address, code, token } = await newMailedAccount();
    for (let i = 0; i < 5; i++) expectProblem(await guessCode(email, otherCode(code), address), "invalid_code");
    expectToWait(await guessCode(email, code, address), 2);
    expect((await verify({ token }, from(address))).status).toBe(200);
  });

  it("pass five times of 50 at once, and stay counted", async () => {
    const { email, address, code } = await newMailedAccount();
    await expectChecked(5, (i) => guessCode(email, otherCode(String(Number(code) + i)), newAddress()));
    const { account = 0 } = await countAttempts({ email, address });
    expect(account).toBeGreaterThanOrEqual(5);
  });

  it("pass twenty times of 50 at once from one network, whosever codes they are for", async () => {
    const address = newAddress();
    await expectChecked(20, () => guessCode(newEmail(), "12345678", address));
  });
});
