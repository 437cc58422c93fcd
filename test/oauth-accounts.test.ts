import { describe, expect, it } from "vitest";
import { disableUser, readMe, signIn, signUpVerified, storedUser } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { giveIdentity, makeProof } from "./support/identities.ts";
import { mailsTo } from "./support/mailbox.ts";
import { exchangeCode, signInWith } from "./support/oauth.ts";
import { giveToken, type TokenPurpose } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, newEmail, openService, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();

const countOf = async (table: string, userId: string): Promise<number> => {
  const [rows] = await asOwner([`select count(*)::int as count from ${table} where user_id = $1`, [userId]]);
  return rows?.[0]?.["count"];
};

/** All that is stored of people, and of what they sign in with. */
async function printAll(email: string): Promise<unknown> {
  return asOwner(
    ["select u::text from users u where email = $1", [email]],
    ["select i::text from identities i join users u on u.id = i.user_id where u.email = $1", [email]],
    ["select s::text from sessions s join users u on u.id = s.user_id where u.email = $1 order by s.id", [email]],
  );
}

describe("Signing in with a provider, to an account that has verified the address,", () => {
  it("links it, keeps the password and the sessions, and mails a notice", async () => {
    const ada = await signUpVerified();
    const answer = await signInWith(service, ada.email);
    expect([answer.status, answer.body.user.id]).toEqual([200, ada.id]);
    expect((await readMe(ada.token)).status).toBe(200);
    expect((await signIn(ada.email, goodPassword)).status).toBe(200);
    const mails = await mailsTo(ada.email);
    expect(mails.map(({ subject }) => subject)).toEqual(["A new way to sign in was added"]);
    expect((await signInWith(service, ada.email)).body.user.id).toBe(ada.id);
    expect(await countOf("identities", ada.id)).toBe(1);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("finds it by any case of the address", async () => {
    const ada = await signUpVerified();
    expect((await signInWith(service, ada.email.toUpperCase())).body.user.id).toBe(ada.id);
  });

  it("asks for the second factor all the same", async () => {
    const ada = await signUpVerified();
    await asOwner([
      "insert into totp_factors (id, user_id, sealed_seed, key_hash, activated_at) values (gen_random_uuid(), $1, '\\x00', sha256('key'), now())",
      [ada.id],
    ]);
    expect((await signInWith(service, ada.email)).status).toBe(202);
  });

  it("links it where no mail is set up", async () => {
    const ada = await signUpVerified();
    const proof = await makeProof({ subject: ada.id, email: ada.email, emailVerified: true });
    expect((await exchangeCode(openService({ EMAIL_PROVIDER: undefined }), proof.code)).body.user.id).toBe(ada.id);
    expect(await countOf("identities", ada.id)).toBe(1);
  });
});

describe("Signing in with a provider, to an account that somebody else may have registered before,", () => {
  it("hands it over: the password, the sessions and the links of before are good for nothing", async () => {
    const attacker = await signUpPerson(service, "Eve");
    const second = await signInPerson(service, attacker.email);
    const purposes: TokenPurpose[] = ["reset_password", "verify_email", "change_email_old", "change_email_new"];
    for (const purpose of purposes) await giveToken(attacker.id, purpose);

    const answer = await signInWith(service, attacker.email);
    expect([answer.status, answer.body.user]).toMatchObject([200, { id: attacker.id, emailVerified: true }]);

    expectProblem(await signIn(attacker.email, goodPassword), "invalid_credentials");
    for (const { token, refreshToken } of [attacker, second]) {
      expectProblem(await readMe(token), "unauthenticated");
      expectProblem(await service.call("POST", "/v1/auth/refresh", { body: { refreshToken } }), "unauthenticated");
    }
    expect((await readMe(answer.body.accessToken)).status).toBe(200);
    const [tokens] = await asOwner([
      "select purpose from one_time_tokens where user_id = $1 and expires_at > now()",
      [attacker.id],
    ]);
    expect(tokens).toEqual([]);
    expect(await storedUser(attacker.email)).toMatchObject({
      password_scheme: null,
      password_salt: null,
      password_verifier: null,
    });
    expect((await mailsTo(attacker.email)).map(({ subject }) => subject)).toContain("A new way to sign in was added");
  });

  it("takes away identities, and an app that was being set up, which were planted in it", async () => {
    const attacker = await signUpPerson(service, "Eve");
    const subject = `planted ${crypto.randomUUID()}`;
    await giveIdentity(attacker.id, { subject });
    await asOwner(
      [
        "insert into totp_factors (id, user_id, sealed_seed, key_hash) values (gen_random_uuid(), $1, '\\x00', sha256('key'))",
        [attacker.id],
      ],
      ["insert into recovery_codes (user_id, key_hash) values ($1, sha256('x'))", [attacker.id]],
    );
    const answer = await signInWith(service, attacker.email);
    expect(answer.status).toBe(200);
    for (const table of ["totp_factors", "recovery_codes"]) expect(await countOf(table, attacker.id), table).toBe(0);
    expect(await countOf("identities", attacker.id)).toBe(1);
    expectProblem(await exchangeCode(service, (await makeProof({ subject })).code), "provider_email_unverified");
  });

  it.each([
    [
      "totp_factors",
      "(id, user_id, sealed_seed, key_hash, activated_at) values (gen_random_uuid(), $1, '\\x00', sha256('key'), now())",
    ],
    [
      "passkeys",
      "(id, user_id, name, credential_id, public_key, sign_count, transports, backed_up) values (gen_random_uuid(), $1, 'key', uuid_send(gen_random_uuid()), '\\x00', 0, '', false)",
    ],
  ])("leaves it alone where it has a second factor, for which no mailbox stands in: %s", async (table, row) => {
    const ada = await signUpPerson(service);
    await asOwner([`insert into ${table} ${row}`, [ada.id]]);
    const before = await printAll(ada.email);
    expectProblem(await signInWith(service, ada.email), "email_unverified");
    expect(await printAll(ada.email)).toEqual(before);
    expect(await countOf(table, ada.id)).toBe(1);
  });

  it("does so once: who has it now keeps their own password and sessions", async () => {
    const ada = await signUpPerson(service);
    const first = await signInWith(service, ada.email);
    await signInWith(service, ada.email);
    expect((await readMe(first.body.accessToken)).status).toBe(200);
  });
});

describe("Signing in with a provider that has not verified the address", () => {
  it("is refused with 403, and nothing is written", async () => {
    const email = `unverified-${newEmail()}`;
    expectProblem(await signInWith(service, email), "provider_email_unverified");
    expect(await storedUser(email)).toBeUndefined();
  });

  it.each([true, false])(
    "is refused for an address that has an account (verified: %s), which stays as it is",
    async (isVerified) => {
      const email = `unverified-${newEmail()}`;
      await service.call("POST", "/v1/auth/sign-up", { body: { email, password: goodPassword, name: "Ada" } });
      if (isVerified) await asOwner(["update users set email_verified_at = now() where email = $1", [email]]);
      await signIn(email, goodPassword);
      const before = await printAll(email);
      expectProblem(await signInWith(service, email), "provider_email_unverified");
      expect(await printAll(email)).toEqual(before);
      expect((await signIn(email, goodPassword)).status).toBe(200);
    },
  );

  it("leaves the code good, since nothing was done with it", async () => {
    const subject = crypto.randomUUID();
    const { code } = await makeProof({ subject });
    expectProblem(await exchangeCode(service, code), "provider_email_unverified");
    const ada = await signUpPerson(service);
    await giveIdentity(ada.id, { subject });
    expect((await exchangeCode(service, code)).body.user.id).toBe(ada.id);
  });

  it("is refused without an address, and with one that only looks like another here", async () => {
    const ada = await signUpVerified();
    const lookalikes = [
      null,
      "",
      "no address",
      ada.email.replace("@", "＠"),
      ada.email.replace("e", "ｅ"),
      "ada@例え.jp",
    ];
    for (const email of lookalikes) {
      const { newProfile } = await import("../src/services/oauth/profiles.ts");
      const profile = newProfile({ subject: crypto.randomUUID(), email, emailVerified: true, name: "Eve" });
      expect(profile).toMatchObject({ email: null, emailVerified: false });
      expectProblem(await exchangeCode(service, (await makeProof(profile)).code), "provider_email_unverified");
    }
  });
});

describe("Signing in with a provider, to a disabled account,", () => {
  it("is refused as a wrong password is, by identity and by address", async () => {
    const ada = await signUpVerified();
    await signInWith(service, ada.email);
    const other = await signUpVerified();
    await Promise.all([disableUser(ada.id), disableUser(other.id)]);
    const before = await printAll(other.email);
    for (const { email } of [ada, other]) expectProblem(await signInWith(service, email), "invalid_credentials");
    expect(await printAll(other.email)).toEqual(before);
  });
});
