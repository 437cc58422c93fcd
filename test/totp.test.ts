import { describe, expect, it } from "vitest";
import { signUpVerified, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { beginSignIn, beginTotp, enrolTotp, giveTotp, readBase32, totpCode, verify } from "./support/factors.ts";
import { lastMailTo } from "./support/mailbox.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person, type Service, signInPerson, withoutFrontend } from "./support/service.ts";
import { readStatus } from "./support/mfa.ts";
import { activate, remove, storedFactors } from "./support/totp.ts";

const service = openService();

const enrol = ({ token }: Person, by: Service = service) => by.call("POST", "/v1/auth/mfa/totp", { token });

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
