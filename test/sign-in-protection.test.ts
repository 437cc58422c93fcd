import { describe, expect, it } from "vitest";
import { disableUser } from "./support/accounts.ts";
import { expectChecked, expectToWait, guess, guessTimes, newAccount, signInFrom } from "./support/guesses.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, goodPassword, newAddress, newEmail, openService } from "./support/service.ts";
import { countAttempts, setAttempts, setLastAttempt } from "./support/throttles.ts";

/** All of an answer but what is of this one request. */
function comparable({ status, body, headers }: Answer) {
  const names = [...headers.keys()].filter((name) => !["x-request-id", "server-timing", "ratelimit"].includes(name));
  return { status, body: { ...body, requestId: null }, headers: names.map((name) => [name, headers.get(name)]) };
}

describe("guesses at one account", () => {
  it("are free five times, then wait twice as long each time, and 15 minutes at most", async () => {
    const { email, address } = await newAccount();
    await guessTimes(5, email, address);
    const waits = [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900];
    for (const seconds of waits) {
      await setLastAttempt({ email, address }, 0);
      expectToWait(await guess(email, address), seconds);
      await setLastAttempt({ email, address }, seconds);
      expectProblem(await guess(email, address), "invalid_credentials");
    }
  });

  it("are refused to the last second, whether the password is right or wrong", async () => {
    const { email, address } = await newAccount();
    await guessTimes(5, email, address);
    await setAttempts({ email, address }, 15);
    await setLastAttempt({ email, address }, 898);
    for (const password of ["not the password", goodPassword]) {
      const answer = await signInFrom(address, email, password);
      expectProblem(answer, "too_many_attempts");
      expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(2);
    }
    await setLastAttempt({ email, address }, 900);
    expect((await signInFrom(address, email, goodPassword)).status).toBe(200);
  });

  it("are forgotten once the right password has come", async () => {
    const { email, address } = await newAccount();
    await guessTimes(5, email, address);
    await setLastAttempt({ email, address }, 2);
    expect((await signInFrom(address, email, goodPassword)).status).toBe(200);
    expect(await countAttempts({ email, address })).toEqual({ network: 5, account: undefined, home: 0 });
    await guessTimes(5, email, address);
    expectToWait(await guess(email, address), 2);
  });

  it("are not counted while they are refused, so that nobody can keep an account closed by trying", async () => {
    const { email, address } = await newAccount();
    await guessTimes(5, email, address);
    await setAttempts({ email, address }, 10);
    for (let i = 0; i < 10; i++) expectProblem(await guess(email, address), "too_many_attempts");
    expect(await countAttempts({ email, address })).toEqual({ network: 10, account: 10, home: undefined });
    await setLastAttempt({ email, address }, 64);
    expect((await signInFrom(address, email, goodPassword)).status).toBe(200);
  });

  it("are counted together, wherever they come from", async () => {
    const { email } = await newAccount();
    for (let i = 0; i < 5; i++) await guessTimes(1, email, newAddress());
    expectToWait(await guess(email, newAddress()), 2);
  });

  it("are counted together, however the address is spelled", async () => {
    const { email, address } = await newAccount();
    await guessTimes(3, email, address);
    await guessTimes(2, ` ${email.toUpperCase()} `, address);
    expectToWait(await guess(email.replace("@", "＠"), address), 2);
  });

  it("are forgotten one by one, each after 15 minutes without any", async () => {
    const { email, address } = await newAccount();
    await guessTimes(5, email, address);
    await setLastAttempt({ email, address }, 3 * 900);
    await guessTimes(1, email, address);
    expect(await countAttempts({ email, address })).toEqual({ network: 3, account: 3, home: undefined });
    await setLastAttempt({ email, address }, 86_000);
    await guessTimes(1, email, address);
    expect(await countAttempts({ email, address })).toEqual({ network: 1, account: 1, home: undefined });
  });

  it("delay no other account", async () => {
    const [{ email, address }, other] = [await newAccount(), await newAccount()];
    await guessTimes(5, email, address);
    expectToWait(await guess(email, address), 2);
    expect((await signInFrom(address, other.email, goodPassword)).status).toBe(200);
  });

  it("do not delay who is signed in already", async () => {
    const { email, address, token } = await newAccount();
    await guessTimes(5, email, address);
    expect((await openService().call("GET", "/v1/users/me", { token })).status).toBe(200);
  });

  it("made 50 at once are checked five times", async () => {
    const { email } = await newAccount();
    const addresses = Array.from({ length: 50 }, newAddress);
    await expectChecked(5, (i) => guess(email, addresses[i] ?? ""));
    const address = addresses[0] ?? "";
    await setAttempts({ email, address }, 10);
    await setLastAttempt({ email, address }, 64);
    await expectChecked(1, (i) => guess(email, addresses[i] ?? ""));
    expect((await countAttempts({ email, address })).account).toBe(11);
  });

  it("that are answered with an error of the database were taken all the same", async () => {
    const { email, address } = await newAccount();
    const faulty = openService();
    await faulty.injectFault({ fault: "drop-after" });
    const options = { body: { email, password: goodPassword }, headers: { "cf-connecting-ip": address } };
    expectProblem(await faulty.call("POST", "/v1/auth/sign-in", options), "unavailable");
    expect((await countAttempts({ email, address })).account).toBe(1);
  });
});

describe("an owner at home", () => {
  it("is not delayed by strangers, nor are they by the owner's own mistakes", async () => {
    const { email, address: home } = await newAccount();
    const strange = newAddress();
    expect((await signInFrom(home, email, goodPassword)).status).toBe(200);
    await guessTimes(5, email, strange);
    expectToWait(await guess(email, strange), 2);
    await guessTimes(5, email, home);
    expectToWait(await guess(email, home), 2);
    await setLastAttempt({ email, address: home }, 2);
    expect((await signInFrom(home, email, goodPassword)).status).toBe(200);
    // Forgotten is what was counted at home; the strangers have had their five.
    expect(await countAttempts({ email, address: strange })).toMatchObject({ account: 5 });
    expect(await countAttempts({ email, address: home })).toMatchObject({ home: 0 });
  });

  it("is at home in the whole /64, after signing out as well", async () => {
    const { email, address: home } = await newAccount();
    const { body } = await signInFrom(home, email, goodPassword);
    await openService().call("POST", "/v1/auth/sign-out", { token: body.accessToken });
    await guessTimes(5, email, newAddress());
    expect((await signInFrom(home.replace("::1", ":abcd:ef01:2345:6789"), email, goodPassword)).status).toBe(200);
    expectToWait(await guess(email, newAddress()), 2);
  });

  it("is nowhere without an address", async () => {
    const { email, address } = await newAccount();
    expect((await signInFrom(null, email, goodPassword)).status).toBe(200);
    await guessTimes(1, email, null);
    await guessTimes(1, email, address);
    expect(await countAttempts({ email, address })).toMatchObject({ account: 2 });
  });

  it("guessed at 50 times at once from home is checked five times", async () => {
    const { email, address: home } = await newAccount();
    await signInFrom(home, email, goodPassword);
    await expectChecked(5, () => guess(email, home));
    expect((await countAttempts({ email, address: home })).account).toBeUndefined();
  });
});

describe("an e-mail address without an account, or with a disabled one,", () => {
  it("is answered at every attempt as one with an account is", async () => {
    const known = await newAccount();
    const disabled = await newAccount();
    await disableUser(disabled.id);
    const courses = [known, disabled, { email: newEmail(), address: newAddress() }].map(async ({ email, address }) => {
      const answers: unknown[] = [];
      for (const seconds of [0, 0, 0, 0, 0, 0, 2, 0, 4]) {
        await setLastAttempt({ email, address }, seconds);
        answers.push(comparable(await guess(email, address)));
      }
      return answers;
    });
    const [ofKnown, ...others] = await Promise.all(courses);
    expect(ofKnown?.filter((answer) => (answer as Answer).status === 429)).toHaveLength(2);
    for (const answers of others) expect(answers).toEqual(ofKnown);
  });

  it("is refused by the same requests to the database, one, and without a hash", async () => {
    const own = openService();
    const courses: unknown[] = [];
    for (const email of [(await newAccount()).email, newEmail()]) {
      const body = { email, password: "not the password" };
      for (let i = 0; i < 5; i++) await own.call("POST", "/v1/auth/sign-in", { body });
      await own.databaseRequests();
      expectToWait(await own.call("POST", "/v1/auth/sign-in", { body }), 2);
      const requests = await own.databaseRequests();
      expect(requests).toHaveLength(1);
      courses.push(requests.map(({ statements }) => statements.map(({ query }) => query)));
    }
    expect(courses[1]).toEqual(courses[0]);
  });
});
