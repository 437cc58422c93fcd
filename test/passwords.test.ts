import { describe, expect, it } from "vitest";
import { readMe, signIn, signUp, storedUser } from "./support/accounts.ts";
import { newEmail, openService } from "./support/service.ts";

const pepper = "a-pepper-for-tests-alone-Hn4kR7sWp2cB";

const signUpWith = (password: string, account: { email?: string; name?: string } = {}, by = openService()) =>
  signUp({ email: newEmail(), name: "Ada Lovelace", password, ...account }, undefined, by);

/** Signs a new person up and says with which status a second password signs in. */
async function statusOf(password: string, attempt: string): Promise<number> {
  const email = newEmail();
  const { status, body } = await signUpWith(password, { email });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return (await signIn(email, attempt)).status;
}

const refusal = (reason: RegExp) => ({
  status: 400,
  body: {
    code: "invalid_request",
    detail: expect.stringMatching(reason),
    errors: [{ path: "body.password", message: expect.stringMatching(reason) }],
  },
});

describe("a new password's length", () => {
  it("is 8 characters at least", async () => {
    expect(await signUpWith("7 chars")).toMatchObject(refusal(/at least 8 characters/));
    expect((await signUpWith("8 chars!")).status).toBe(201);
  });

  it("is what PASSWORD_MIN_LENGTH says", async () => {
    const strict = openService({ PASSWORD_MIN_LENGTH: "15" });
    expect(await signUpWith("fourteen chars", {}, strict)).toMatchObject(refusal(/at least 15 characters/));
    expect((await signUpWith("fifteen chars!!", {}, strict)).status).toBe(201);
  });

  it("is counted in code points, so an emoji is one character", async () => {
    expect(await signUpWith("🦊🦉🐢🐙🦋🐝🦀")).toMatchObject(refusal(/at least 8 characters/));
    expect((await signUpWith("🦊🦉🐢🐙🦋🐝🦀🐬")).status).toBe(201);
  });

  it("is 256 characters at most, and a longer one is refused, not cut", async () => {
    const longest = "a quiet harbour ".repeat(16);
    expect(longest).toHaveLength(256);
    expect(await statusOf(longest, longest)).toBe(200);
    expect(await statusOf(longest, `${longest}!`)).toBe(401);
    expect(await signUpWith(`${longest}!`)).toMatchObject(refusal(/at most 256 characters/));
  });

  it("may be 64 emoji", async () => {
    const password = "🦊🦉🐢🐙🦋🐝🦀🐬".repeat(8);
    expect(await statusOf(password, password)).toBe(200);
    expect(await statusOf(password, password.slice(0, -2))).toBe(401);
  });
});

describe("a new password's content", () => {
  it.each(["password1", "QWERTYUIOP", "iloveyou", "sunshine1", "\uff50assword1"])(
    "must not be a common one: %s",
    async (password) => expect(await signUpWith(password)).toMatchObject(refusal(/most used passwords/)),
  );

  it.each(["aaaaaaaaaaaa", "abcdefghijkl", "9876543210", "🦊🦊🦊🦊🦊🦊🦊🦊"])(
    "must not be a run: %s",
    async (password) => expect(await signUpWith(password)).toMatchObject(refusal(/repeats one character or counts/)),
  );

  it.each([
    ["address", { email: "ada-at-passwords@example.com" }, "Ada-at-Passwords@Example.com"],
    ["address before the @", { email: "ada-at-passwords@example.com" }, "ada-at-passwords"],
    ["name", { name: "Ada Lovelace" }, "ADA LOVELACE"],
    ["name in fullwidth characters", { name: "Ａｄａ　Ｌｏｖｅｌａｃｅ" }, "ada lovelace"],
  ])("must not be the account's own %s", async (_, account, password) =>
    expect(await signUpWith(password, account)).toMatchObject(refusal(/own name or e-mail address/)),
  );

  it.each(["only lower case words", "ONLY UPPER CASE WORDS", "82749164027", "ще не вмерла", "       leading"])(
    "follows no rules of composition: %s",
    async (password) => expect(await statusOf(password, password)).toBe(200),
  );
});

describe("a password at sign-in", () => {
  it("counts to its last byte: 72 equal bytes and another tail are refused", async () => {
    const head = "0123456789ab".repeat(6);
    expect(await statusOf(`${head} tail one`, `${head} tail two`)).toBe(401);
    expect(await statusOf(`${head} tail one`, head)).toBe(401);
    expect(await statusOf(`${head} tail one`, `${head} tail one`)).toBe(200);
  });

  it("may be typed in another Unicode spelling (NFKC)", async () => {
    expect(await statusOf("cr\u00e8me br\u00fbl\u00e9e", "cre\u0300me bru\u0302le\u0301e")).toBe(200);
    expect(await statusOf("harbour \uff11\uff12", "harbour 12")).toBe(200);
    expect(await statusOf("harbour o\ufb03ce", "harbour office")).toBe(200);
  });

  it.each([
    ["case", "a quiet Harbour"],
    ["a trailing space", "a quiet harbour "],
    ["an accent", "a quiet h\u00e1rbour"],
  ])("must be right to %s", async (_, attempt) => expect(await statusOf("a quiet harbour", attempt)).toBe(401));
});

describe("an account's password hash", () => {
  const password = "a quiet harbour at dawn";

  async function newAccount(by = openService()): Promise<string> {
    const email = newEmail();
    const { status } = await signUpWith(password, { email }, by);
    expect(status).toBe(201);
    return email;
  }

  it("has the work factor that BCRYPT_WORK_FACTOR asks for", async () => {
    const email = await newAccount(openService({ BCRYPT_WORK_FACTOR: "5" }));
    expect((await storedUser(email))?.password_salt).toMatch(/^\$2b\$05\$/);
  });

  it("has a salt of its own", async () => {
    const [one, two] = [await newAccount(), await newAccount()].map(storedUser);
    expect((await one)?.password_salt).not.toBe((await two)?.password_salt);
    expect((await one)?.password_verifier).not.toBe((await two)?.password_verifier);
  });

  it("is renewed by a sign-in under another BCRYPT_WORK_FACTOR, within the two database requests", async () => {
    const email = await newAccount();
    expect((await storedUser(email))?.password_salt).toMatch(/^\$2b\$04\$/);

    const harder = openService({ BCRYPT_WORK_FACTOR: "5" });
    expect((await signIn(email, password, harder)).status).toBe(200);
    expect(await harder.databaseRequests()).toHaveLength(2);
    const renewed = await storedUser(email);
    expect(renewed?.password_salt).toMatch(/^\$2b\$05\$/);

    expect((await signIn(email, password, harder)).status).toBe(200);
    expect((await storedUser(email))?.password_salt).toBe(renewed?.password_salt);
  });

  it("stays as it is when the password is wrong", async () => {
    const email = await newAccount();
    const before = await storedUser(email);
    const harder = openService({ BCRYPT_WORK_FACTOR: "5" });
    expect((await signIn(email, "not the password", harder)).status).toBe(401);
    expect(await storedUser(email)).toEqual(before);
  });

  it("is renewed by a sign-in once there is a PASSWORD_PEPPER, within the two database requests", async () => {
    const email = await newAccount();
    expect((await storedUser(email))?.password_scheme).toBe(1);

    const peppered = openService({ PASSWORD_PEPPER: pepper });
    expect((await signIn(email, password, peppered)).status).toBe(200);
    expect(await peppered.databaseRequests()).toHaveLength(2);
    expect((await storedUser(email))?.password_scheme).toBe(2);
    expect((await signIn(email, password, peppered)).status).toBe(200);
    expect((await signIn(email, "not the password", peppered)).status).toBe(401);
  });

  it("is worth nothing under another PASSWORD_PEPPER", async () => {
    const email = await newAccount(openService({ PASSWORD_PEPPER: pepper }));
    const other = openService({ PASSWORD_PEPPER: `another-${pepper}` });
    expect((await signIn(email, password, other)).status).toBe(401);
  });

  it("that needs a PASSWORD_PEPPER which is gone is an error that names the setting", async () => {
    const email = await newAccount(openService({ PASSWORD_PEPPER: pepper }));
    const { status, body } = await signIn(email, password);
    expect(status).toBe(500);
    expect(body).toMatchObject({ code: "misconfigured", detail: expect.stringContaining("PASSWORD_PEPPER") });
    expect((await signIn(email, password, openService({ PASSWORD_PEPPER: pepper }))).status).toBe(200);
  });

  it("renewed by 5 sign-ins at once is still the password's, and all of them get a session", async () => {
    const email = await newAccount();
    const harder = openService({ BCRYPT_WORK_FACTOR: "5" });
    const answers = await Promise.all(Array.from({ length: 5 }, () => signIn(email, password, harder)));
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(200));
    expect((await signIn(email, password, harder)).status).toBe(200);
    for (const { body } of answers) expect((await readMe(body.accessToken)).status).toBe(200);
  });
});
