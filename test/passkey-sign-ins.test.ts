import { describe, expect, it } from "vitest";
import { toBytea } from "../src/crypto.ts";
import { disableUser, readMe, refresh, signIn, storedSessions } from "./support/accounts.ts";
import { Authenticator } from "./support/authenticator.ts";
import { asOwner, asWorker } from "./support/database.ts";
import {
  addPasskey,
  askToRegister,
  askToSignIn,
  beginSignIn,
  makeChallenge,
  register,
  sessionOf,
  signInWith,
} from "./support/passkeys.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, newAddress, openService, type Person, signUpPerson, withoutFrontend } from "./support/service.ts";
import { forgeries, lies, makeAda, spoil, usedAt, withResponse } from "./support/assertions.ts";

const service = openService();

describe("POST /v1/auth/passkeys/authentication-options", () => {
  it("answers everybody alike: no credential, and user verification", async () => {
    const options = await askToSignIn();
    expect(options).toEqual({
      challenge: expect.stringMatching(/^[\w-]{96}$/),
      rpId: "app.acme.example",
      timeout: 300_000,
      allowCredentials: [],
      userVerification: "required",
    });
    expect((await askToSignIn()).challenge).not.toBe(options.challenge);
  });

  it("says 501 where no setting says whose pages there are", async () => {
    const off = openService(withoutFrontend);
    expectProblem(await off.call("POST", "/v1/auth/passkeys/authentication-options"), "passkeys_off");
    const credential = await (await Authenticator.open()).get(await askToSignIn());
    expectProblem(await signInWith(credential, {}, undefined, off), "passkeys_off");
  });
});

describe("POST /v1/auth/passkeys/authentication", () => {
  it("signs in without a password, in two requests to the database, with the second factor given", async () => {
    const { ada, authenticator } = await makeAda();
    const counted = openService();
    const answer = await signInWith(await authenticator.get(await askToSignIn()), {}, undefined, counted);
    expect([answer.status, answer.body.user?.id]).toEqual([200, ada.id]);
    expect(await counted.databaseRequests()).toHaveLength(2);
    expect((await readMe(answer.body.accessToken)).status).toBe(200);
    expect((await refresh(answer.body.refreshToken)).status).toBe(200);
    expect((await storedSessions(ada.id)).at(-1)?.["second_factor"]).toBe("given");
    expect(await usedAt(ada)).toEqual({ last_used_at: expect.any(String), sign_count: 6 });
  });

  it("takes an authenticator that does not count, and one that names nobody", async () => {
    const ada = await signUpPerson(service);
    const { authenticator } = await addPasskey(ada);
    for (const lie of [{}, {}, { userHandle: undefined }]) {
      expect((await signInWith(await authenticator.get(await askToSignIn(), lie))).status).toBe(200);
    }
  });

  it.each(["ES256", "EdDSA", "RS256"] as const)("takes keys for %s", async (kind) => {
    const ada = await signUpPerson(service);
    const authenticator = await Authenticator.open({ kind });
    expect((await register(ada.token, await authenticator.create(await askToRegister(ada.token)))).status).toBe(201);
    const credential = await authenticator.get(await askToSignIn());
    const { signature } = credential.response;
    expectProblem(await signInWith(withResponse(credential, { signature: spoil(signature) })), "invalid_passkey");
    expect((await signInWith(await authenticator.get(await askToSignIn()))).status).toBe(200);
  });

  it("takes pages of every origin of ours", async () => {
    const { authenticator } = await makeAda();
    const ours = openService({
      PUBLIC_ORIGIN: "https://api.acme.example",
      CORS_ORIGINS: "https://acme.example,https://admin.app.acme.example",
    });
    for (const origin of ["https://api.acme.example", "https://acme.example", "https://admin.app.acme.example"]) {
      const credential = await authenticator.get(await askToSignIn(), { origin });
      expect((await signInWith(credential, {}, undefined, ours)).status).toBe(200);
      expectProblem(await signInWith(await authenticator.get(await askToSignIn(), { origin })), "invalid_passkey");
    }
  });

  it("keeps the refresh token in the cookie where that is asked for, from pages of ours", async () => {
    const { authenticator } = await makeAda();
    const credential = await authenticator.get(await askToSignIn());
    expectProblem(await signInWith(credential, { refreshTokenIn: "cookie" }), "origin_not_allowed");
    const ours = openService({ CORS_ORIGINS: "https://app.acme.example" });
    const answer = await ours.call("POST", "/v1/auth/passkeys/authentication", {
      body: { credential, refreshTokenIn: "cookie" },
      headers: { origin: "https://app.acme.example", "cf-connecting-ip": newAddress() },
    });
    expect(answer.status).toBe(200);
    expect(answer.body).not.toHaveProperty("refreshToken");
    expect(answer.headers.get("set-cookie")).toMatch(/^__Host-refresh=/);
  });

  const expectRefusal = async (ada: Person, credential: unknown) => {
    const before = await storedSessions(ada.id);
    expectProblem(await signInWith(credential), "invalid_passkey");
    expect(await storedSessions(ada.id)).toEqual(before);
    expect(await usedAt(ada)).toEqual({ last_used_at: null, sign_count: 5 });
  };

  it.each(Object.entries(lies))("refuses one %s", async (_, lie) => {
    const { ada, authenticator } = await makeAda();
    await expectRefusal(ada, await authenticator.get(await askToSignIn(), lie));
  });

  it.each(Object.entries(forgeries))("refuses one %s", async (_, forge) => {
    const { ada, authenticator } = await makeAda();
    await expectRefusal(ada, forge(await authenticator.get(await askToSignIn())));
  });

  it("refuses a disabled person, a removed passkey, and another key under the same id", async () => {
    const { ada, authenticator } = await makeAda();
    const copy = await Authenticator.open({ credentialId: authenticator.credentialId, counter: 9 });
    await expectRefusal(ada, await copy.get(await askToSignIn()));
    await disableUser(ada.id);
    await expectRefusal(ada, await authenticator.get(await askToSignIn()));
    await asOwner(["delete from passkeys where user_id = $1", [ada.id]]);
    expectProblem(await signInWith(await authenticator.get(await askToSignIn())), "invalid_passkey");
  });

  it("takes challenges for signing in alone, for five minutes", async () => {
    const { ada, authenticator } = await makeAda();
    const session = await sessionOf(ada.token);
    const { challenge } = await askToRegister(ada.token);
    const wrong = [
      challenge,
      await makeChallenge({ purpose: "second factor", session }),
      await makeChallenge({ purpose: "sign-in", session: null }, 301),
    ];
    for (const challenge of wrong) {
      await expectRefusal(ada, await authenticator.get({ challenge, rpId: "app.acme.example" }));
    }
    const old = await makeChallenge({ purpose: "sign-in", session: null }, 299);
    expect((await signInWith(await authenticator.get({ challenge: old, rpId: "app.acme.example" }))).status).toBe(200);
  });

  it("takes a challenge once, however its answer is repeated", async () => {
    const ada = await signUpPerson(service);
    const { authenticator } = await addPasskey(ada);
    const options = await askToSignIn();
    const credential = await authenticator.get(options);
    expect((await signInWith(credential)).status).toBe(200);
    expectProblem(await signInWith(credential), "invalid_passkey");
    expectProblem(await signInWith(await authenticator.get(options)), "invalid_passkey");
  });

  it("spends the challenge of a wrong answer too", async () => {
    const { ada, authenticator } = await makeAda();
    const options = await askToSignIn();
    await expectRefusal(ada, await authenticator.get(options, { userVerified: false }));
    await expectRefusal(ada, await authenticator.get(options));
  });

  it("succeeds once of 50 at once with one answer, and of those with one counter", async () => {
    const { ada, authenticator } = await makeAda();
    const successes = (answers: Answer[]) => answers.filter(({ status }) => status === 200).length;
    const credential = await authenticator.get(await askToSignIn());
    expect(successes(await Promise.all(Array.from({ length: 50 }, () => signInWith(credential))))).toBe(1);
    const cloned = await Promise.all(
      Array.from({ length: 50 }, async () => authenticator.get(await askToSignIn(), { counter: 90 })),
    );
    expect(successes(await Promise.all(cloned.map((each) => signInWith(each))))).toBe(1);
    expect((await usedAt(ada))?.["sign_count"]).toBe(90);
  });

  it("makes a network wait after 20 wrong ones, and no other, nor for passwords", async () => {
    const { ada, authenticator } = await makeAda();
    const address = newAddress();
    const right = await authenticator.get(await askToSignIn());
    expect((await signInWith(right, {}, address)).status).toBe(200);
    for (let n = 0; n < 20; n++) {
      const wrong = await authenticator.get(await askToSignIn(), { origin: "https://evil.example" });
      expectProblem(await signInWith(wrong, {}, address), "invalid_passkey");
    }
    const credential = await authenticator.get(await askToSignIn());
    const refused = await signInWith(credential, {}, address);
    expectProblem(refused, "too_many_attempts");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    // It was not even spent.
    expect((await signInWith(credential)).status).toBe(200);
    expect((await signIn(ada.email, ada.password)).status).toBe(202);
  });
});

describe("A statement that somebody injects", () => {
  const keys = ["", "0d", "0d".repeat(32), "0d".repeat(64), "0d".repeat(96)].map((digits) => `\\x${digits}`);

  it("signs in with nobody's passkey, though it knows the credential", async () => {
    const { ada, authenticator } = await makeAda();
    await signInWith(await authenticator.get(await askToSignIn()));
    const before = await storedSessions(ada.id);
    for (const key of keys) {
      const attempt = asWorker([
        `select app.sign_in_with_passkey($1::bytea, $2::bytea, 6, 7, false, '\\x00', gen_random_uuid(), '\\x01', '1 day', '1 day', null, null)`,
        [key, toBytea(authenticator.credentialId)],
      ]);
      await expect(attempt).rejects.toMatchObject({ code: "APWRK" });
    }
    expect(await storedSessions(ada.id)).toEqual(before);
  });

  it("completes no session, and adds no passkey to anybody", async () => {
    const { ada, authenticator } = await makeAda();
    await signInWith(await authenticator.get(await askToSignIn()));
    const handle = await sessionOf(await beginSignIn(ada));
    const credential = toBytea(authenticator.credentialId);
    for (const key of keys) {
      const completion = asWorker(
        ["select app.admit($1::bytea, null, null, false, false, true)", [handle]],
        [
          "select app.complete_sign_in_with_passkey($1::bytea, $2::bytea, 6, 7, false, '\\x01', '1 day', '1 day')",
          [key, credential],
        ],
      );
      await expect(completion).rejects.toMatchObject({ code: "APWRK" });
      const addition = asWorker(
        ["select app.admit($1::bytea)", [await sessionOf(ada.token)]],
        [
          `select app.add_passkey($1::bytea, '\\x02', gen_random_uuid(), 'Mine', sha256('mine'), '\\x00', 0, '', false, '{}', null, null)`,
          [key],
        ],
      );
      await expect(addition).rejects.toMatchObject({ code: "APWRK" });
    }
  });
});
