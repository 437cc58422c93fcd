import { describe, expect, it } from "vitest";
import { readMe } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { giveIdentity, makeProof } from "./support/identities.ts";
import { mailsTo } from "./support/mailbox.ts";
import { codeVerifier, exchangeCode, getCode, newLogin, signInWith } from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";

const service = openService();

const list = (token: string, query = "") => service.call("GET", `/v1/users/me/identities${query}`, { token });
const link = (token: string, code: string, verifier = codeVerifier) =>
  service.call("POST", "/v1/users/me/identities", { token, body: { code, codeVerifier: verifier } });
const unlink = (token: string, id: string) => service.call("DELETE", `/v1/users/me/identities/${id}`, { token });

/** Somebody who has an account by a provider alone. */
async function signUpWithProvider() {
  const { body } = await signInWith(service, newLogin());
  const { body: page } = await list(body.accessToken);
  return { id: body.user.id as string, token: body.accessToken as string, identityId: page.data[0].id as string };
}

describe("GET /v1/users/me/identities", () => {
  it("lists the caller's, newest first, and nothing of their subject", async () => {
    const { body } = await signInWith(service, newLogin());
    const older = await giveIdentity(body.user.id, { provider: "github", email: "ada@github.example" });
    const { body: page } = await list(body.accessToken);
    expect(page.data.map(({ provider }: { provider: string }) => provider).toSorted()).toEqual(["github", "google"]);
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(page.data).toContainEqual({
      id: older,
      provider: "github",
      email: "ada@github.example",
      createdAt: instant,
      lastUsedAt: null,
    });
    expect(page.data).toContainEqual({
      id: expect.any(String),
      provider: "google",
      email: body.user.email,
      createdAt: instant,
      lastUsedAt: instant,
    });
  });

  it("pages, and shows nobody another's", async () => {
    const ada = await signUpPerson(service);
    const ids = await Promise.all([1, 2, 3].map((n) => giveIdentity(ada.id, { subject: `${ada.id} ${n}` })));
    const first = await list(ada.token, "?limit=2");
    const second = await list(ada.token, `?limit=2&cursor=${first.body.nextCursor}`);
    const seen = [...first.body.data, ...second.body.data].map(({ id }) => id);
    expect(seen).toEqual(ids.toSorted().toReversed());
    expect(second.body.nextCursor).toBeNull();
    expect((await list((await signUpPerson(service)).token)).body.data).toEqual([]);
  });
});

describe("POST /v1/users/me/identities", () => {
  it("links an identity whatever its address, tells by mail, and signs in with it from then on", async () => {
    const ada = await signUpPerson(service);
    const login = `unverified-${newLogin()}`;
    const answer = await link(ada.token, await getCode(service, login));
    expect([answer.status, answer.body]).toMatchObject([
      200,
      { provider: "google", email: `${login}@example.com`, lastUsedAt: null },
    ]);
    expect((await list(ada.token)).body.data).toEqual([answer.body]);
    expect((await mailsTo(ada.email)).map(({ subject }) => subject)).toEqual(["A new way to sign in was added"]);
    expect((await signInWith(service, login)).body.user.id).toBe(ada.id);
    expect((await readMe(ada.token)).body.email).toBe(ada.email);
  });

  it("answers the same identity when it is linked again, and mails nothing more", async () => {
    const ada = await signUpPerson(service);
    const login = newLogin();
    const first = await link(ada.token, await getCode(service, login));
    const again = await link(ada.token, await getCode(service, login));
    expect([again.status, again.body]).toEqual([200, first.body]);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("refuses somebody else's with 409, and leaves it theirs", async () => {
    const login = newLogin();
    const { body } = await signInWith(service, login);
    const eve = await signUpPerson(service, "Eve");
    expectProblem(await link(eve.token, await getCode(service, login)), "identity_taken");
    expect((await list(eve.token)).body.data).toEqual([]);
    expect((await signInWith(service, login)).body.user.id).toBe(body.user.id);
    expect(await mailsTo(eve.email)).toEqual([]);
  });

  it("takes a code once, for linking or for signing in, and from who began its flow alone", async () => {
    const ada = await signUpPerson(service);
    const code = await getCode(service, newLogin());
    expectProblem(await link(ada.token, code, `${codeVerifier}x`), "invalid_oauth_code");
    expect((await link(ada.token, code)).status).toBe(200);
    expectProblem(await link(ada.token, code), "invalid_oauth_code");
    expectProblem(await exchangeCode(service, code), "invalid_oauth_code");
    const used = await getCode(service, newLogin());
    await exchangeCode(service, used);
    expectProblem(await link(ada.token, used), "invalid_oauth_code");
  });

  it("links it where no mail is set up", async () => {
    const ada = await signUpPerson(service);
    const { code } = await makeProof({ subject: crypto.randomUUID() });
    const body = { code, codeVerifier };
    const settings = { EMAIL_PROVIDER: undefined };
    const answer = await service.call("POST", "/v1/users/me/identities", { token: ada.token, body, settings });
    expect(answer.status).toBe(200);
  });
});

describe("DELETE /v1/users/me/identities/{identityId}", () => {
  it("unlinks it, and it signs nobody in to the account any more", async () => {
    const ada = await signUpPerson(service);
    const login = newLogin();
    const { body } = await link(ada.token, await getCode(service, login));
    expect((await unlink(ada.token, body.id)).status).toBe(204);
    expect((await list(ada.token)).body.data).toEqual([]);
    expectProblem(await unlink(ada.token, body.id), "not_found");
    expect((await signInWith(service, login)).body.user.id).not.toBe(ada.id);
  });

  it("refuses with 409 while nothing else is left to sign in with, and leaves it", async () => {
    const ada = await signUpWithProvider();
    expectProblem(await unlink(ada.token, ada.identityId), "last_sign_in_method");
    expect((await list(ada.token)).body.data).toHaveLength(1);
  });

  it.each<[string, string]>([
    [
      "another identity",
      "insert into identities (id, user_id, provider, subject) select gen_random_uuid(), id, 'github', id::text from users where id = $1",
    ],
    [
      "a passkey",
      `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
       values (gen_random_uuid(), $1, 'key', uuid_send(gen_random_uuid()), '\\x00', 0, '', false)`,
    ],
    [
      "a password",
      "update users set password_scheme = 1, password_salt = '$2b$04$' || repeat('a', 22), password_verifier = sha256('x') where id = $1",
    ],
  ])("unlinks the last one where there is %s", async (_, statement) => {
    const ada = await signUpWithProvider();
    await asOwner([statement, [ada.id]]);
    expect((await unlink(ada.token, ada.identityId)).status).toBe(204);
  });

  it("answers 404 for another's, which stays", async () => {
    const ada = await signUpPerson(service);
    const identityId = await giveIdentity(ada.id);
    expectProblem(await unlink((await signUpPerson(service)).token, identityId), "not_found");
    expect((await list(ada.token)).body.data).toHaveLength(1);
  });
});
