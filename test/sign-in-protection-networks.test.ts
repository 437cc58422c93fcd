import { describe, expect, it } from "vitest";
import { expectChecked, expectToWait, guess, guessTimes, newAccount, signInFrom } from "./support/guesses.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, newAddress, newEmail, openService } from "./support/service.ts";
import { countAttempts, setLastAttempt } from "./support/throttles.ts";

describe("guesses from one address", () => {
  it("are free 20 times whatever the account, then wait twice as long each time, and 15 minutes at most", async () => {
    const address = newAddress();
    for (let i = 0; i < 20; i++) await guessTimes(1, newEmail(), address);
    for (const seconds of [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
      const email = newEmail();
      await setLastAttempt({ email, address }, 0);
      expectToWait(await guess(email, address), seconds);
      expect((await countAttempts({ email, address })).account).toBeUndefined();
      await setLastAttempt({ email, address }, seconds);
      await guessTimes(1, email, address);
    }
  });

  it("50 at once, each at another account, are checked 20 times", async () => {
    const address = newAddress();
    await expectChecked(20, () => guess(newEmail(), address));
    expect((await countAttempts({ email: newEmail(), address })).network).toBeGreaterThanOrEqual(20);
  });

  it("are not made free by right passwords in between, which count for nothing", async () => {
    const { email, address } = await newAccount();
    for (let i = 0; i < 20; i++) {
      expect((await signInFrom(address, email, goodPassword)).status).toBe(200);
      await guessTimes(1, newEmail(), address);
    }
    expect(await countAttempts({ email, address })).toMatchObject({ network: 20 });
    expectToWait(await signInFrom(address, email, goodPassword), 2);
    await setLastAttempt({ email, address }, 2);
    expect((await signInFrom(address, email, goodPassword)).status).toBe(200);
    // As long as for the wrong one before it: a success buys no guess.
    expectToWait(await guess(newEmail(), address), 2);
  });

  it("and right passwords, all at once, wait for one another and fail for nobody", async () => {
    const address = newAddress();
    const people = await Promise.all(Array.from({ length: 10 }, () => newAccount()));
    const answers = await Promise.all(
      people.flatMap(({ email }) =>
        [goodPassword, "not the password", goodPassword, "not the password"].map((password) =>
          signInFrom(address, email, password),
        ),
      ),
    );
    expect(answers.filter(({ status }) => ![200, 401, 429].includes(status))).toEqual([]);
    const wrong = answers.filter(({ status }) => status === 401).length;
    expect(await countAttempts({ email: newEmail(), address })).toEqual(wrong > 0 ? { network: wrong } : {});
  });

  it("are those of the /64 that an IPv6 address lies in", async () => {
    const address = newAddress();
    const spelled = (i: number) => address.replace("::1", `:${i.toString(16)}::`).toUpperCase();
    for (let i = 0; i < 20; i++) await guessTimes(1, newEmail(), spelled(i));
    expectToWait(await guess(newEmail(), spelled(20)), 2);
    await guessTimes(1, newEmail(), newAddress());
  });

  it("cannot be told from another address by a header that anybody writes", async () => {
    const address = newAddress();
    const names = ["x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip", "cf-connecting-ipv6"];
    const forge = () => Object.fromEntries(names.map((name) => [name, newAddress()]));
    for (let i = 0; i < 20; i++) {
      expectProblem(await signInFrom(address, newEmail(), "not the password", forge()), "invalid_credentials");
    }
    expectToWait(await signInFrom(address, newEmail(), "not the password", forge()), 2);
  });

  it("are counted together when they come from nowhere, and not unlimited", async () => {
    // With counters of its own: those of other tests that come from nowhere go by another secret.
    const own = openService({ JWT_SECRET: `secret-of-one-test-${crypto.randomUUID()}` });
    const ask = (address: string | null) =>
      signInFrom(address, newEmail(), "not the password", { "x-forwarded-for": newAddress() }, own);
    for (const address of Array.from({ length: 20 }, (_, i) => (i % 2 ? null : "not an address"))) {
      expectProblem(await ask(address), "invalid_credentials");
    }
    expectToWait(await ask(null), 2);
  });
});
