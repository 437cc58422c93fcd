import { describe, expect, it } from "vitest";
import { readMe, signIn, signUpVerified, storedSessions, storedUser } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { receiveMail, verify } from "./support/email-sign-in.ts";
import { giveResetToken, giveToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { newEmail, openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();

const addApp = ({ id }: Person, activatedAt: string | null) =>
  asOwner([
    "insert into totp_factors (id, user_id, sealed_seed, key_hash, activated_at) values (gen_random_uuid(), $1, 'sealed', sha256('key'), $2)",
    [id, activatedAt],
  ]);
const addRecoveryCode = ({ id }: Person) =>
  asOwner(["insert into recovery_codes (user_id, key_hash) values ($1, sha256('code'))", [id]]);
const addIdentity = ({ id }: Person) =>
  asOwner([
    "insert into identities (id, user_id, provider, subject) values (gen_random_uuid(), $1, 'google', gen_random_uuid()::text)",
    [id],
  ]);

async function countWaysIn({ id }: Person): Promise<number> {
  const [rows] = await asOwner([
    `select (select count(*) from identities where user_id = $1) + (select count(*) from recovery_codes where user_id = $1)
          + (select count(*) from totp_factors where user_id = $1) + (select count(*) from users where id = $1 and password_verifier is not null) as count`,
    [id],
  ]);
  return Number(rows?.[0]?.["count"]);
}

async function signInByMail({ email }: Person) {
  const { token } = await receiveMail(email);
  return verify({ token });
}

describe("A sign-in by mail to an account that somebody made with an address which they never proved", () => {
  it("puts them out: their password and all their sessions", async () => {
    const attacker = await signUpPerson(service);
    const second = await signInPerson(service, attacker.email);
    const { status, body } = await signInByMail(attacker);
    expect([status, body.user.emailVerified]).toEqual([200, true]);
    for (const { token } of [attacker, second]) expectProblem(await readMe(token), "unauthenticated");
    for (const { refreshToken } of [attacker, second])
      expectProblem(await service.call("POST", "/v1/auth/refresh", { body: { refreshToken } }), "unauthenticated");
    expectProblem(await signIn(attacker.email, attacker.password), "invalid_credentials");
    expect((await readMe(body.accessToken)).status).toBe(200);
  });

  it("ends what they have prepared: tokens, identities, an app that is not active, recovery codes", async () => {
    const attacker = await signUpPerson(service);
    for (const add of [addIdentity, addRecoveryCode]) await add(attacker);
    await addApp(attacker, null);
    const reset = await giveResetToken(attacker.id);
    const change = await giveToken(attacker.id, "change_email_new", newEmail());
    expect(await countWaysIn(attacker)).toBe(4);
    const { body } = await signInByMail(attacker);
    expect(await countWaysIn(attacker)).toBe(0);
    const body1 = { token: reset, password: "another harbour at dusk" };
    expectProblem(await service.call("POST", "/v1/auth/reset-password", { body: body1 }), "invalid_token");
    const body2 = { token: change };
    const confirmed = await service.call("POST", "/v1/auth/change-email/confirm", {
      body: body2,
      token: body.accessToken,
    });
    expectProblem(confirmed, "invalid_token");
  });

  it("lets its owner choose a password afterwards", async () => {
    const attacker = await signUpPerson(service);
    await signInByMail(attacker);
    const body = { token: await giveResetToken(attacker.id), password: "another harbour at dusk" };
    expect((await service.call("POST", "/v1/auth/reset-password", { body })).status).toBe(204);
    expect((await signIn(attacker.email, body.password)).status).toBe(200);
  });

  it("neither passes nor removes a second factor, and does not prove the address for whoever has it", async () => {
    const attacker = await signUpPerson(service);
    await addApp(attacker, "now");
    const { status, body } = await signInByMail(attacker);
    expect([status, body.status]).toEqual([202, "mfa_required"]);
    expect(await countWaysIn(attacker)).toBe(2);
    expect((await storedUser(attacker.email))?.["email_verified_at"]).toBeNull();
    expectProblem(await readMe(body.mfaToken), "mfa_required");
  });
});

describe("A sign-in by mail to an account whose address is proved", () => {
  it("leaves its password, its other sessions and identities as they are", async () => {
    const ada = await signUpVerified();
    await addIdentity(ada);
    expect((await signInByMail(ada)).status).toBe(200);
    expect((await readMe(ada.token)).status).toBe(200);
    expect((await signIn(ada.email, ada.password)).status).toBe(200);
    expect(await countWaysIn(ada)).toBe(2);
    expect((await storedSessions(ada.id)).filter(({ revoked_at }) => revoked_at !== null)).toEqual([]);
  });

  it("leaves everybody else's alone", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const hers = await receiveMail(grace.email);
    await signInByMail(ada);
    expect((await readMe(grace.token)).status).toBe(200);
    expect((await signIn(grace.email, grace.password)).status).toBe(200);
    expect((await verify({ token: hers.token })).status).toBe(200);
  });
});
