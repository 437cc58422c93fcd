import { describe, expect, it } from "vitest";
import { signIn, signUp, storedSessions, storedUser } from "./support/accounts.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { goodPassword, newEmail, openService, signUpPerson } from "./support/service.ts";

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const newAccount = () => ({ email: newEmail(), password: goodPassword, name: "Ada Lovelace" });

const toFullwidth = (text: string) =>
  text.replace(/[!-~]/g, (character) => String.fromCharCode(character.charCodeAt(0) + 0xfee0));

async function countUsers(email: string): Promise<number> {
  const [rows] = await asOwner(["select count(*)::int as n from users where email = $1", [email]]);
  return rows?.[0]?.n;
}

describe("POST /v1/auth/sign-up", () => {
  it("answers 201 with the account and nothing of the password", async () => {
    const account = newAccount();
    const { status, body, headers } = await signUp(account);
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
      email: account.email,
      emailVerified: false,
      name: "Ada Lovelace",
      createdAt: instant,
      updatedAt: instant,
    });
    expect(headers.get("cache-control")).toBe("no-store");
  });

  it("keeps the canonical spelling of the address and the trimmed name", async () => {
    const email = newEmail();
    const { body } = await signUp({ ...newAccount(), email: ` ${email.toUpperCase()} `, name: "  Ada  " });
    expect(body).toMatchObject({ email, name: "Ada" });
  });

  it.each([
    ["as it is", (email: string) => email],
    ["in capitals", (email: string) => email.toUpperCase()],
    ["between spaces", (email: string) => `  ${email}\t`],
    ["in fullwidth characters", toFullwidth],
    ["with a fullwidth at sign", (email: string) => email.replace("@", "＠")],
    ["with the Kelvin sign for k", (email: string) => email.replace("k", "\u212a")],
  ])("refuses an address that is taken, written %s, with 409", async (_, respell) => {
    const email = `k-${newEmail()}`;
    expect((await signUp({ ...newAccount(), email })).status).toBe(201);
    const second = await signUp({ ...newAccount(), email: respell(email), name: "Mallory" });
    expect(second).toMatchObject({ status: 409, body: { code: "email_taken" } });
    expect((await storedUser(email))?.name).toBe("Ada Lovelace");
  });

  it.each([
    ["no address", { email: undefined }, "body.email"],
    ["an address without a domain", { email: "ada" }, "body.email"],
    ["an address with a zero-width space", { email: "ada\u200b@example.com" }, "body.email"],
    ["an address with a Cyrillic look-alike", { email: "\u0430da@example.com" }, "body.email"],
    ["an address of 255 characters", { email: `${"a".repeat(243)}@example.com` }, "body.email"],
    ["an address that is too long when canonical", { email: `${"\ufb03".repeat(100)}@example.com` }, "body.email"],
    ["no password", { password: undefined }, "body.password"],
    ["a password that is a number", { password: 1234567890 }, "body.password"],
    ["an empty name", { name: " " }, "body.name"],
    ["a name of 101 characters", { name: "a".repeat(101) }, "body.name"],
    ["an id", { id: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }, "body"],
  ])("refuses %s with 400", async (_, change, path) => {
    const refused = await signUp({ ...newAccount(), ...change });
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(refused.body.errors).toEqual([{ path, message: expect.stringMatching(/./) }]);
  });

  it("makes one account when one address signs up 50 times at once", async () => {
    const account = newAccount();
    const answers = await Promise.all(Array.from({ length: 50 }, () => signUp(account)));
    expect(Map.groupBy(answers, ({ status }) => status).get(201)).toHaveLength(1);
    expect(Map.groupBy(answers, ({ body }) => body.code).get("email_taken")).toHaveLength(49);
    expect(await countUsers(account.email)).toBe(1);
    expect((await signIn(account.email, account.password)).status).toBe(200);
  });

  it("stores nothing of the password that could be replayed", async () => {
    const own = openService();
    const ada = await signUpPerson(own);
    const stored = await storedUser(ada.email);
    expect(Object.keys(stored ?? {}).filter((column) => column.startsWith("password"))).toEqual([
      "password_salt",
      "password_scheme",
      "password_verifier",
    ]);
    expect(stored?.password_salt).toMatch(/^\$2b\$04\$.{22}$/);
    expect(stored?.password_verifier).toMatch(/^\\x[\da-f]{64}$/);

    const sent = (await own.databaseRequests()).flatMap(({ statements }) => statements.flatMap(({ params }) => params));
    const hash = String(sent.find((param) => /^\$2b\$04\$.{53}$/.test(String(param))));
    expect(JSON.stringify(stored)).not.toContain(hash.slice(29));
    expect(JSON.stringify(stored)).not.toContain(ada.password);

    const replay = (value: string) =>
      asWorker([
        "select id from app.sign_in($1, $2, gen_random_uuid(), sha256($3), interval '1 day', null, null)",
        [ada.email, value, ada.email],
      ]);
    expect(await replay(hash)).toEqual([[{ id: ada.id }]]);
    const { password_salt: salt, password_verifier: verifier } = stored ?? {};
    await Promise.allSettled([salt, verifier, verifier.slice(2), salt + verifier].map(replay));
    expect(await storedSessions(ada.id)).toHaveLength(2);
  });
});

describe("Idempotency-Key at POST /v1/auth/sign-up", () => {
  const newKey = () => ({ "idempotency-key": crypto.randomUUID() });

  it("gives the first answer again for the same key and body", async () => {
    const [account, key] = [newAccount(), newKey()];
    const first = await signUp(account, key);
    const second = await signUp(account, key);
    expect(first.status).toBe(201);
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    expect(second.status).toBe(201);
    expect(second.headers.get("idempotent-replayed")).toBe("true");
    expect(second.body).toEqual(first.body);
    expect(await countUsers(account.email)).toBe(1);
  });

  it("refuses the key with another body with 422", async () => {
    const [account, other, key] = [newAccount(), newAccount(), newKey()];
    await signUp(account, key);
    const refused = await signUp(other, key);
    expect(refused).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    expect(await countUsers(other.email)).toBe(0);
  });

  it("refuses the key with another password with 422", async () => {
    const [account, key] = [newAccount(), newKey()];
    await signUp(account, key);
    expect((await signUp({ ...account, password: "another quiet harbour" }, key)).status).toBe(422);
  });

  it("does not keep a refusal: the key is good for the corrected request", async () => {
    const [account, key] = [newAccount(), newKey()];
    expect((await signUp({ ...account, password: "short" }, key)).status).toBe(400);
    expect((await signUp(account, key)).status).toBe(201);
  });

  it("does not answer a caller at another address with the first one's account", async () => {
    const [account, key] = [newAccount(), newKey()];
    await signUp(account, { ...key, "cf-connecting-ip": "203.0.113.7" });
    const elsewhere = await signUp(account, { ...key, "cf-connecting-ip": "203.0.113.8" });
    expect(elsewhere).toMatchObject({ status: 409, body: { code: "email_taken" } });
  });

  it("makes one account and 50 equal answers when a key is sent 50 times at once", async () => {
    const [account, key] = [newAccount(), newKey()];
    const answers = await Promise.all(Array.from({ length: 50 }, () => signUp(account, key)));
    for (const { status, body } of answers) {
      expect(status).toBe(201);
      expect(body).toEqual(answers[0]?.body);
    }
    expect(answers.filter(({ headers }) => headers.has("idempotent-replayed"))).toHaveLength(49);
    expect(await countUsers(account.email)).toBe(1);
  });

  it.each([
    ["empty", ""],
    ["of two words", "two words"],
    ["of 256 characters", "k".repeat(256)],
  ])("refuses a key that is %s with 400", async (_, key) => {
    const refused = await signUp(newAccount(), { "idempotency-key": key });
    expect(refused.status).toBe(400);
    expect(refused.body.errors[0].path).toBe("headers.idempotency-key");
  });
});

describe("a sign-up whose answer is lost", () => {
  it("is answered 503, and its repetition under the same key gets the account", async () => {
    const flaky = openService();
    const [account, key] = [newAccount(), { "idempotency-key": crypto.randomUUID() }];
    await flaky.injectFault({ fault: "drop-after" });
    const lost = await signUp(account, key, flaky);
    expect(lost).toMatchObject({ status: 503, body: { code: "unavailable" } });
    const repeated = await signUp(account, key, flaky);
    expect(repeated).toMatchObject({ status: 201, body: { email: account.email } });
    expect(await countUsers(account.email)).toBe(1);
  });
});
