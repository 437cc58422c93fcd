import { describe, expect, it } from "vitest";
import { readMe, signUpVerified, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import {
  beginSignIn,
  beginTotp,
  countFactorAttempts,
  currentStep,
  enrolTotp,
  forgetFactorAttempts,
  giveTotp,
  readBase32,
  totpCode,
  verify,
} from "./support/factors.ts";
import { lastMailTo, mailsTo } from "./support/mailbox.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person, type Service, signInPerson, withoutFrontend } from "./support/service.ts";

const service = openService();

const enrol = ({ token }: Person, by: Service = service) => by.call("POST", "/v1/auth/mfa/totp", { token });
const activate = ({ token }: Person, code: string, by: Service = service) =>
  by.call("POST", "/v1/auth/mfa/totp/activate", { token, body: { code } });
const remove = ({ token }: { token: string }, by: Service = service) =>
  by.call("DELETE", "/v1/auth/mfa/totp", { token });
const readStatus = async ({ token }: { token: string }) => (await service.call("GET", "/v1/auth/mfa", { token })).body;

const storedFactors = async ({ id }: Person) => {
  const [rows = []] = await asOwner([
    "select to_jsonb(f) as stored from totp_factors f where user_id = $1 order by created_at, id",
    [id],
  ]);
  return rows.map(({ stored }) => stored);
};

const wrongCode = async (seed: Uint8Array) => {
  const right = await Promise.all([-2, -1, 0, 1, 2].map((delta) => totpCode(seed, currentStep() + delta)));
  return ["000000", "111111", "222222", "333333", "444444", "555555"].find((code) => !right.includes(code)) ?? "";
};

describe("The codes of an app", () => {
  it.each([
    [59, "287082"],
    [1_111_111_109, "081804"],
    [1_111_111_111, "050471"],
    [1_234_567_890, "005924"],
    [2_000_000_000, "279037"],
    [20_000_000_000, "353130"],
  ])("are those of RFC 6238 (appendix B), at second %i", async (second, code) => {
    expect(await totpCode(new TextEncoder().encode("12345678901234567890"), Math.floor(second / 30))).toBe(code);
  });
});

describe("POST /v1/auth/mfa/totp", () => {
  it("answers a secret of 160 bits, and what a QR code is made of", async () => {
    const ada = await signUpVerified();
    const { status, headers, body } = await enrol(ada);
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(Object.keys(body)).toEqual(["secret", "uri"]);
    expect(body.secret).toMatch(/^[A-Z2-7]{32}$/);
    const uri = new URL(body.uri);
    expect(`${uri.protocol}//${uri.host}${decodeURIComponent(uri.pathname)}`).toBe(
      `otpauth://totp/app.acme.example:${ada.email}`,
    );
    expect(Object.fromEntries(uri.searchParams)).toEqual({
      issuer: "app.acme.example",
      secret: body.secret,
      algorithm: "SHA1",
      digits: "6",
      period: "30",
    });
  });

  it.each([
    ["TOTP_ISSUER", { TOTP_ISSUER: "Acme & Söhne" }, "Acme & Söhne"],
    ["the host of APP_URL", {}, "app.acme.example"],
    ["the host of PUBLIC_ORIGIN", { ...withoutFrontend, PUBLIC_ORIGIN: "http://localhost:8787" }, "localhost"],
    ["a name all the same", withoutFrontend, "localhost"],
  ])("names the product by %s", async (_, settings, issuer) => {
    const { body } = await enrol(await signUpVerified(), openService(settings));
    expect(new URL(body.uri).searchParams.get("issuer")).toBe(issuer);
  });

  it("asks nobody for it until it is activated, and stores no seed that can be read", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    expect(await readStatus(ada)).toEqual({ totp: null, passkeys: 0, recoveryCodesLeft: 0 });
    await signInPerson(service, ada.email);
    const [stored] = await storedFactors(ada);
    const hex = Array.from(seed, (byte) => byte.toString(16).padStart(2, "0")).join("");
    expect(stored).toMatchObject({ last_step: null, activated_at: null });
    expect(JSON.stringify(stored)).not.toContain(hex);
    const [kept] = await asOwner([
      "select count(*)::int as n from idempotency_keys where scope = 'user:' || $1",
      [ada.id],
    ]);
    expect(kept?.[0]?.["n"]).toBe(0);
  });

  it("begins with another secret each time, and the one before is good for nothing", async () => {
    const ada = await signUpVerified();
    const first = await beginTotp(service, ada);
    const second = await beginTotp(service, ada);
    expect(await storedFactors(ada)).toHaveLength(1);
    expectProblem(await activate(ada, await totpCode(first)), "wrong_code");
    expect((await activate(ada, await totpCode(second))).status).toBe(200);
  });

  it("leaves one that is active in use", async () => {
    const ada = await signUpVerified();
    const { seed } = await enrolTotp(service, ada);
    const next = await beginTotp(service, ada);
    const mfaToken = await beginSignIn(service, ada);
    expectProblem(await verify(service, mfaToken, { code: await totpCode(next) }), "wrong_code");
    expect((await verify(service, mfaToken, { code: await totpCode(seed) })).status).toBe(200);
  });

  it("says so where seeds cannot be encrypted, and stores none", async () => {
    const ada = await signUpVerified();
    expectProblem(await enrol(ada, openService({ ENCRYPTION_KEY: undefined })), "encryption_off");
    expect(await storedFactors(ada)).toEqual([]);
  });

  it("keeps one of two that begin at once", async () => {
    const ada = await signUpVerified();
    const answers = await Promise.all(Array.from({ length: 8 }, () => enrol(ada)));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(await storedFactors(ada)).toHaveLength(1);
  });
});

describe("POST /v1/auth/mfa/totp/activate", () => {
  it("answers 10 recovery codes once, and ends every other session", async () => {
    const ada = await signUpVerified();
    const other = await signInPerson(service, ada.email);
    const seed = await beginTotp(service, ada);
    const { status, body } = await activate(ada, await totpCode(seed));
    expect(status).toBe(200);
    expect(new Set(body.recoveryCodes).size).toBe(10);
    for (const code of body.recoveryCodes) expect(code).toMatch(/^[A-Z2-7]{4}(-[A-Z2-7]{4}){3}$/);
    expect(await readStatus(ada)).toEqual({
      totp: { activatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) },
      passkeys: 0,
      recoveryCodesLeft: 10,
    });
    expectProblem(await readMe(other.token), "unauthenticated");
    const refreshed = await service.call("POST", "/v1/auth/refresh", { body: { refreshToken: other.refreshToken } });
    expectProblem(refreshed, "unauthenticated");
    const own = await service.call("POST", "/v1/auth/refresh", { body: { refreshToken: ada.refreshToken } });
    expect(own.status).toBe(200);
    const text = JSON.stringify(await asOwner(["select * from recovery_codes where user_id = $1", [ada.id]]));
    expect(text).not.toContain(body.recoveryCodes[0]);
  });

  it("mails a notice, where mail is set up", async () => {
    const ada = await signUpVerified();
    await enrolTotp(service, ada);
    expect((await lastMailTo(ada.email)).subject).toBe("An authenticator app was set up for your account");
    const grace = await signUpVerified();
    const silent = openService({ EMAIL_PROVIDER: undefined });
    await enrolTotp(silent, grace);
    expect((await remove(grace, silent)).status).toBe(204);
    expect(await mailsTo(grace.email)).toEqual([]);
  });

  it.each([-1, 0, 1])("takes a code that is %i steps from now", async (delta) => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    // The step may end while the request is on its way: whoever is early is then on time, and whoever is late too late.
    let answer = await activate(ada, await totpCode(seed, currentStep() + delta));
    if (answer.status === 403) answer = await activate(ada, await totpCode(seed, currentStep() + delta));
    expect(answer.status).toBe(200);
  });

  it("refuses a wrong code, one of two steps ago and one of in three, and activates nothing", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    const before = await storedSessions(ada.id);
    for (const code of [
      await wrongCode(seed),
      await totpCode(seed, currentStep() - 2),
      await totpCode(seed, currentStep() + 3),
    ])
      expectProblem(await activate(ada, code), "wrong_code");
    expect(await readStatus(ada)).toEqual({ totp: null, passkeys: 0, recoveryCodesLeft: 0 });
    expect(await storedSessions(ada.id)).toEqual(before);
    expect(await mailsTo(ada.email)).toEqual([]);
    expect(await countFactorAttempts(ada)).toBe(3);
    expect((await activate(ada, await totpCode(seed))).status).toBe(200);
    expect(await countFactorAttempts(ada)).toBe(undefined);
  });

  it("refuses a right code after five wrong ones, until it has waited", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    for (let n = 0; n < 5; n++) expectProblem(await activate(ada, await wrongCode(seed)), "wrong_code");
    const refused = await activate(ada, await totpCode(seed));
    expectProblem(refused, "too_many_attempts");
    expect(refused.headers.get("retry-after")).toBe("2");
    await forgetFactorAttempts(ada);
    expect((await activate(ada, await totpCode(seed))).status).toBe(200);
  });

  it("has nothing to activate without a new app, or a second time", async () => {
    const ada = await signUpVerified();
    expectProblem(await activate(ada, "123456"), "not_found");
    const seed = await beginTotp(service, ada);
    const code = await totpCode(seed);
    expect((await activate(ada, code)).status).toBe(200);
    expectProblem(await activate(ada, code), "not_found");
  });

  it("takes no code of somebody else's app", async () => {
    const [ada, eve] = [await signUpVerified(), await signUpVerified()];
    await beginTotp(service, ada);
    expectProblem(await activate(ada, await totpCode(await beginTotp(service, eve))), "wrong_code");
  });

  it("replaces the older app, and keeps sessions and recovery codes", async () => {
    const ada = await signUpVerified();
    const { seed: old } = await enrolTotp(service, ada);
    const first = await verify(service, await beginSignIn(service, ada), { code: await totpCode(old) });
    const next = await beginTotp(service, ada);
    const { status, body } = await activate(ada, await totpCode(next));
    expect([status, body]).toEqual([200, { recoveryCodes: null }]);
    expect(await storedFactors(ada)).toHaveLength(1);
    expect((await readStatus(ada)).recoveryCodesLeft).toBe(10);
    expect((await readMe(first.body.accessToken)).status).toBe(200);
    const mfaToken = await beginSignIn(service, ada);
    expectProblem(await verify(service, mfaToken, { code: await totpCode(old, currentStep() + 1) }), "wrong_code");
    expect((await verify(service, mfaToken, { code: await totpCode(next, currentStep() + 1) })).status).toBe(200);
  });

  it("leaves the code that has activated the app good for nothing else", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    const code = await totpCode(seed);
    expect((await activate(ada, code)).status).toBe(200);
    expectProblem(await verify(service, await beginSignIn(service, ada), { code }), "wrong_code");
  });

  it("needs ENCRYPTION_KEY, or the one before it", async () => {
    const ada = await signUpVerified();
    const seed = await beginTotp(service, ada);
    const key = "yet-another-secret-for-tests-alone-rT6yH";
    expectProblem(await activate(ada, await totpCode(seed), openService({ ENCRYPTION_KEY: key })), "encryption_off");
    const previous = "another-secret-for-tests-alone-mB5kWq2R";
    const rotated = openService({ ENCRYPTION_KEY: key, ENCRYPTION_KEY_PREVIOUS: previous });
    expect((await activate(ada, await totpCode(seed), rotated)).status).toBe(200);
  });

  it("opens no seed that was put into another app's row", async () => {
    const [ada, eve] = [await signUpVerified(), await signUpVerified()];
    const seed = await beginTotp(service, eve);
    await beginTotp(service, ada);
    await asOwner([
      "update totp_factors set sealed_seed = (select sealed_seed from totp_factors where user_id = $1) where user_id = $2",
      [eve.id, ada.id],
    ]);
    expectProblem(await activate(ada, await totpCode(seed)), "encryption_off");
  });
});

describe("DELETE /v1/auth/mfa/totp", () => {
  it("removes the app and the recovery codes, mails a notice, and sign-in asks for it no more", async () => {
    const ada = await signUpVerified();
    await enrolTotp(service, ada);
    await beginTotp(service, ada);
    const waiting = await beginSignIn(service, ada);
    expect((await remove(ada)).status).toBe(204);
    expect(await readStatus(ada)).toEqual({ totp: null, passkeys: 0, recoveryCodesLeft: 0 });
    expect(await storedFactors(ada)).toEqual([]);
    expect((await lastMailTo(ada.email)).subject).toBe("The authenticator app of your account was removed");
    expectProblem(await verify(service, waiting, { code: "123456" }), "unauthenticated");
    await signInPerson(service, ada.email);
    expect((await storedSessions(ada.id)).map(({ second_factor }) => second_factor)).toEqual([null, "pending", null]);
  });

  it("keeps the recovery codes while there is a passkey", async () => {
    const ada = await signUpVerified();
    await enrolTotp(service, ada);
    await asOwner([
      `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
       values (gen_random_uuid(), $1::uuid, 'Key', sha256($1::text::bytea), sha256($1::text::bytea), 0, 'usb', false)`,
      [ada.id],
    ]);
    expect((await remove(ada)).status).toBe(204);
    expect(await readStatus(ada)).toEqual({ totp: null, passkeys: 1, recoveryCodesLeft: 10 });
    const answer = await service.call("POST", "/v1/auth/sign-in", {
      body: { email: ada.email, password: ada.password },
    });
    expect([answer.status, answer.body.factors]).toEqual([202, ["passkey", "recovery_code"]]);
  });

  it("finds none that was never activated, and removes nobody else's", async () => {
    const [ada, eve] = [await signUpVerified(), await signUpVerified()];
    await giveTotp(ada, true);
    await beginTotp(service, eve);
    expectProblem(await remove(eve), "not_found");
    expect(await storedFactors(ada)).toHaveLength(1);
    expect(await storedFactors(eve)).toHaveLength(1);
  });

  it("is out of reach of a session without the second factor", async () => {
    const ada = await signUpVerified();
    await enrolTotp(service, ada);
    const mfaToken = await beginSignIn(service, ada);
    expectProblem(await remove({ token: mfaToken }), "mfa_required");
    expect((await storedSessions(ada.id)).filter(({ second_factor }) => second_factor === null)).toEqual([]);
    expect(await storedFactors(ada)).toHaveLength(1);
  });
});

it("base32 is read as it is written", () => {
  expect(new TextDecoder().decode(readBase32("JBSWY3DPEBLW64TMMQQQ"))).toBe("Hello World!");
});
