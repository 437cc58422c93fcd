import { describe, expect, it } from "vitest";
import { readMe, signUpVerified } from "./support/accounts.ts";
import { Authenticator, type Ceremony } from "./support/authenticator.ts";
import { asOwner } from "./support/database.ts";
import { lastMailTo, mailsTo } from "./support/mailbox.ts";
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
import { openService, signInPerson, signUpPerson, withoutFrontend } from "./support/service.ts";

const service = openService();

const stored = async (userId: string) =>
  (await asOwner(["select * from passkeys where user_id = $1 order by id", [userId]]))[0] ?? [];

describe("POST /v1/auth/passkeys/registration-options", () => {
  it("asks for a discoverable credential that verifies its person, of the frontend's host", async () => {
    const ada = await signUpVerified();
    const options = await askToRegister(ada.token);
    expect(options).toMatchObject({
      rp: { id: "app.acme.example" },
      user: { name: ada.email, displayName: "Ada Lovelace" },
      pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: [],
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: "none",
    });
    expect(options.user.id).toMatch(/^[\w-]{22}$/);
    expect((await askToRegister(ada.token)).challenge).not.toBe(options.challenge);
  });

  it("excludes the passkeys that the person has, and nobody else's", async () => {
    const [ada, grace] = [await signUpVerified(), await signUpVerified()];
    const { authenticator } = await addPasskey(ada);
    expect((await askToRegister(ada.token)).excludeCredentials).toEqual([
      { type: "public-key", id: authenticator.id, transports: ["internal", "hybrid"] },
    ]);
    expect((await askToRegister(grace.token)).excludeCredentials).toEqual([]);
  });

  it("takes the RP ID from its setting, and says 501 where none can be known", async () => {
    const ada = await signUpVerified();
    const call = (settings: Record<string, string | undefined>) =>
      service.call("POST", "/v1/auth/passkeys/registration-options", { token: ada.token, settings });
    expect((await call({ PASSKEY_RP_ID: "acme.example" })).body.rp.id).toBe("acme.example");
    expectProblem(await call(withoutFrontend), "passkeys_off");
    const set = { ...withoutFrontend, CORS_ORIGINS: "https://www.acme.example", PASSKEY_RP_ID: "acme.example" };
    expect((await call(set)).status).toBe(200);
  });
});

describe("POST /v1/auth/passkeys", () => {
  it("keeps the passkey, and shows 10 recovery codes with the first factor alone", async () => {
    const ada = await signUpVerified();
    const authenticator = await Authenticator.open();
    const first = await register(ada.token, await authenticator.create(await askToRegister(ada.token)), " My laptop ");
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ name: "My laptop", backedUp: false, lastUsedAt: null });
    expect(new Set(first.body.recoveryCodes).size).toBe(10);
    for (const code of first.body.recoveryCodes) expect(code).toMatch(/^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$/);
    const { passkey } = await addPasskey(ada);
    expect(passkey).not.toHaveProperty("recoveryCodes");
    expect(await stored(ada.id)).toHaveLength(2);
  });

  it("keeps the codes' hashes, by which a code is known however it is typed", async () => {
    const ada = await signUpVerified();
    const { passkey } = await addPasskey(ada);
    const keys = (passkey.recoveryCodes ?? []).map((code) => code.replaceAll("-", ""));
    const [rows] = await asOwner([
      "select count(*)::int as count from recovery_codes where user_id = $1 and key_hash = any (select sha256(sha256(convert_to(key, 'UTF8'))) from unnest($2::text[]) key)",
      [ada.id, keys],
    ]);
    expect(rows?.[0]?.["count"]).toBe(10);
  });

  it("ends the person's other sessions, and goes on in this one with its second factor given", async () => {
    const ada = await signUpVerified();
    const other = await signInPerson(service, ada.email);
    await addPasskey(ada);
    expect((await readMe(ada.token)).status).toBe(200);
    expect((await readMe(other.token)).status).toBe(401);
    await beginSignIn(ada);
  });

  it("mails a notice", async () => {
    const ada = await signUpVerified();
    await addPasskey(ada);
    expect((await lastMailTo(ada.email)).subject).toBe("A passkey was added to your account");
  });

  it("works where mail is off, and mails nothing", async () => {
    const silent = openService({ EMAIL_PROVIDER: undefined });
    const ada = await signUpPerson(silent);
    const credential = await (await Authenticator.open()).create(await askToRegister(ada.token, silent));
    expect((await register(ada.token, credential, undefined, silent)).status).toBe(201);
    expect(await mailsTo(ada.email)).toEqual([]);
  });

  const refusals: Record<string, Ceremony> = {
    "of another origin": { origin: "https://evil.example" },
    "of an origin below ours": { origin: "https://evil.app.acme.example" },
    "for another RP ID": { rpId: "evil.example" },
    "without user verification": { userVerified: false },
    "without user presence": { userPresent: false },
    "that is an assertion": { type: "webauthn.get" },
    "of a page within another's": { crossOrigin: true },
    "with a challenge of its own": { challenge: "A".repeat(96) },
    "with a short challenge": { challenge: "AAAA" },
    "with an algorithm that was not asked for": { algorithm: -35 },
    "with an attestation that names certificates": {
      format: "packed",
      statement: new Map<string, any>([
        ["alg", -7],
        ["sig", new Uint8Array(70)],
        ["x5c", [new Uint8Array(300)]],
      ]),
    },
    "with another attestation": { format: "fido-u2f" },
    "with a statement that should be empty": { statement: new Map([["alg", -7]]) },
  };

  it.each(Object.entries(refusals))("refuses one %s", async (_, lies) => {
    const ada = await signUpVerified();
    const credential = await (await Authenticator.open()).create(await askToRegister(ada.token), lies);
    expectProblem(await register(ada.token, credential), "passkey_refused");
    expect(await stored(ada.id)).toEqual([]);
  });

  it("refuses credential ids that are too short to be secret, and keys that are too long to keep", async () => {
    const ada = await signUpVerified();
    const short = await Authenticator.open({ credentialId: crypto.getRandomValues(new Uint8Array(15)) });
    expectProblem(await register(ada.token, await short.create(await askToRegister(ada.token))), "passkey_refused");
    const credential = await (await Authenticator.open()).create(await askToRegister(ada.token));
    expectProblem(await register(ada.token, { ...credential, id: "AAAA", rawId: "AAAA" }), "passkey_refused");
    const garbage = { ...credential.response, attestationObject: "oA" };
    expectProblem(await register(ada.token, { ...credential, response: garbage }), "passkey_refused");
    const nonsense = { ...credential.response, clientDataJSON: "bnVsbA" };
    expectProblem(await register(ada.token, { ...credential, response: nonsense }), "passkey_refused");
  });

  it("takes the challenge of this session and of this use alone, for five minutes", async () => {
    const [ada, grace] = [await signUpVerified(), await signUpVerified()];
    const again = await signInPerson(service, ada.email);
    const authenticator = await Authenticator.open();
    const options = await askToRegister(ada.token);
    const credential = await authenticator.create(options);
    for (const { token } of [grace, again]) expectProblem(await register(token, credential), "passkey_refused");
    const { challenge } = await askToSignIn();
    expectProblem(await register(ada.token, await authenticator.create(options, { challenge })), "passkey_refused");
    const session = await sessionOf(ada.token);
    for (const [age, code] of [
      [299, 201],
      [301, 400],
    ] as const) {
      const aged = await makeChallenge({ purpose: "registration", session }, age);
      const other = await Authenticator.open();
      expect((await register(ada.token, await other.create(options, { challenge: aged }))).status).toBe(code);
    }
    expect((await register(ada.token, credential)).status).toBe(201);
  });

  it("takes a challenge once, also from 50 at once", async () => {
    const ada = await signUpVerified();
    const options = await askToRegister(ada.token);
    const credentials = await Promise.all(
      Array.from({ length: 50 }, async () => (await Authenticator.open()).create(options)),
    );
    const answers = await Promise.all(credentials.map((credential) => register(ada.token, credential)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, "passkey_refused");
    expect(await stored(ada.id)).toHaveLength(1);
  });

  it("knows challenges that were made with the secret before", async () => {
    const ada = await signUpVerified();
    const previous = "the-secret-before-for-tests-alone-pL2xK9";
    const { JWT_SECRET_PREVIOUS } = { JWT_SECRET_PREVIOUS: previous };
    const old = await service.call("POST", "/v1/auth/passkeys/authentication-options", {
      settings: { JWT_SECRET: previous },
    });
    const { authenticator } = await addPasskey(ada);
    const credential = await authenticator.get(old.body);
    expectProblem(await signInWith(credential), "invalid_passkey");
    const rotated = openService({ JWT_SECRET_PREVIOUS });
    expect((await signInWith(credential, {}, undefined, rotated)).status).toBe(200);
  });

  it("answers 409 for a credential that anybody has registered, and changes nothing of theirs", async () => {
    const [ada, mallory] = [await signUpVerified(), await signUpVerified()];
    const { authenticator } = await addPasskey(ada);
    const before = await stored(ada.id);
    const copy = await Authenticator.open({ credentialId: authenticator.credentialId });
    expectProblem(
      await register(mallory.token, await copy.create(await askToRegister(mallory.token))),
      "passkey_taken",
    );
    expect([await stored(ada.id), await stored(mallory.id)]).toEqual([before, []]);
    expect((await readMe(mallory.token)).status).toBe(200);
  });

  it("keeps 20 passkeys of a person at most, also when 10 are added at once", async () => {
    const ada = await signUpVerified();
    await addPasskey(ada);
    await asOwner([
      `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
       select gen_random_uuid(), $1, 'Passkey', sha256(('filler ' || gen_random_uuid())::bytea), '\\x00', 0, '', false from generate_series(1, 14) n`,
      [ada.id],
    ]);
    const credentials = await Promise.all(
      Array.from({ length: 10 }, async () => (await Authenticator.open()).create(await askToRegister(ada.token))),
    );
    const answers = await Promise.all(credentials.map((credential) => register(ada.token, credential)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, "passkey_limit");
    expect(await stored(ada.id)).toHaveLength(20);
  });
});
