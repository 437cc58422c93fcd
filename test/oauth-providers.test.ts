import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { asOwner } from "./support/database.ts";
import {
  beginFlow,
  comeBack,
  exchangeCode,
  getScriptedCode,
  readFragment,
  scriptAnswer,
  type Script,
  tenant,
} from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { newEmail, openService } from "./support/service.ts";

const service = openService();

afterEach(() => vi.restoreAllMocks());

const signInAt = async (provider: string, script: Script) =>
  exchangeCode(service, await getScriptedCode(service, provider, script));

const errorAt = async (provider: string, script: Script, by = service) => {
  const flow = await beginFlow(by, provider);
  return readFragment(await comeBack(by, flow, scriptAnswer(flow, script)))["error"];
};

const subjectsOf = async (userId: string) => {
  const [rows = []] = await asOwner(["select provider, subject from identities where user_id = $1", [userId]]);
  return rows;
};

describe("GitHub", () => {
  const newUser = (changes: object = {}) => ({
    id: Math.floor(Math.random() * 2 ** 40) + 1,
    login: "ada",
    name: "Ada Lovelace",
    email: "public@example.com",
    ...changes,
  });
  const emailsOf = (email: string, verified = true) => [
    { email: "old@example.com", primary: false, verified: true, visibility: null },
    { email, primary: true, verified, visibility: "private" },
  ];

  it("is asked with PKCE and a state, for the addresses", async () => {
    const { url } = await beginFlow(service, "github");
    expect(url.href.split("?")[0]).toBe(`${inject("scriptedProviderUrl")}/github/login/oauth/authorize`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: "code",
      scope: "read:user user:email",
      code_challenge_method: "S256",
      redirect_uri: "https://api.example.com/v1/auth/oauth/github/callback",
    });
    expect(url.searchParams.has("nonce")).toBe(false);
  });

  it("signs in by the number, with the primary address, whatever the login and the public address are", async () => {
    const [email, user] = [newEmail(), newUser()];
    const first = await signInAt("github", { user, emails: emailsOf(email) });
    expect(first.body.user).toMatchObject({ email, emailVerified: true, name: "Ada Lovelace" });
    expect(await subjectsOf(first.body.user.id)).toEqual([{ provider: "github", subject: String(user.id) }]);
    const renamed = { ...user, login: "grace" };
    expect((await signInAt("github", { user: renamed, emails: emailsOf(newEmail()) })).body.user.id).toBe(
      first.body.user.id,
    );
    const { id } = newUser();
    const taker = await signInAt("github", { user: { ...user, id }, emails: emailsOf(newEmail()) });
    expect(taker.body.user.id).not.toBe(first.body.user.id);
  });

  it("names who has no name by the login", async () => {
    const { body } = await signInAt("github", { user: newUser({ name: null }), emails: emailsOf(newEmail()) });
    expect(body.user.name).toBe("ada");
  });

  it("is not believed an address that is not verified, not primary, or none", async () => {
    const email = newEmail();
    const secondary = [{ email, primary: false, verified: true }];
    for (const emails of [emailsOf(email, false), secondary, []]) {
      expectProblem(await signInAt("github", { user: newUser(), emails }), "provider_email_unverified");
    }
  });

  it("is not believed what is no user", async () => {
    const emails = emailsOf(newEmail());
    for (const user of [null, {}, { id: "1", login: "ada" }, { id: 0, login: "ada" }, { id: 1.5, login: "ada" }, []]) {
      expect(await errorAt("github", { user, emails })).toBe("provider_failed");
    }
    expect(await errorAt("github", { user: newUser(), emails: { message: "Not Found" } })).toBe("provider_failed");
  });

  it("refuses another verifier, and its error is none of ours", async () => {
    expect(await errorAt("github", { codeChallenge: "another", user: newUser(), emails: [] })).toBe("provider_failed");
    expect(await errorAt("github", { failure: "refused" })).toBe("provider_failed");
  });
});

describe("Microsoft", () => {
  const claims = () => ({ sub: crypto.randomUUID(), email: newEmail(), name: "Ada Lovelace" });

  it("signs in people of every tenant, each by an issuer of its own", async () => {
    const { sub, ...rest } = claims();
    const { body } = await signInAt("microsoft", { claims: { sub, ...rest, xms_edov: true } });
    expect(body.user).toMatchObject({ email: rest.email, emailVerified: true });
    expect(await subjectsOf(body.user.id)).toEqual([{ provider: "microsoft", subject: sub }]);
  });

  it.each([true, 1, "1", "true"])(
    "is believed an address whose domain is the tenant's own (xms_edov %s)",
    async (edov) => {
      expect((await signInAt("microsoft", { claims: { ...claims(), xms_edov: edov } })).status).toBe(200);
    },
  );

  it.each([undefined, false, 0, "0", "false", null, {}, 2])(
    "is not believed an address that an administrator could have written (xms_edov %s)",
    async (edov) => {
      const script = { claims: { ...claims(), email_verified: true, xms_edov: edov } };
      expectProblem(await signInAt("microsoft", script), "provider_email_unverified");
    },
  );

  it("is refused a token whose issuer is not that of its tenant", async () => {
    const other = "99999999-2222-4333-8444-555555555555";
    const base = `${inject("scriptedProviderUrl")}/microsoft`;
    for (const wrong of [
      { tid: other },
      { tid: null },
      { tid: "{tenantid}", iss: `${base}/{tenantid}/v2.0` },
      { tid: "../x", iss: `${base}/../x/v2.0` },
      { tid: tenant, iss: `${base}/${tenant}/v1.0` },
      { iss: "https://evil.example" },
    ]) {
      expect(await errorAt("microsoft", { claims: { ...claims(), ...wrong } })).toBe("provider_failed");
    }
  });

  it("of one tenant alone takes nobody of another", async () => {
    const other = "99999999-2222-4333-8444-555555555555";
    const single = openService({ MICROSOFT_TENANT: other });
    const ofTenant = (tid: string) => ({
      claims: { ...claims(), tid, iss: `${inject("scriptedProviderUrl")}/microsoft/${tid}/v2.0` },
    });
    expect(await errorAt("microsoft", ofTenant(other), single)).toBeUndefined();
    expect(await errorAt("microsoft", ofTenant(tenant), single)).toBe("provider_failed");
    expect(await errorAt("microsoft", ofTenant(tenant))).toBeUndefined();
  });
});

describe("Apple", () => {
  const claims = (changes: object = {}) => ({
    sub: `001234.${crypto.randomUUID()}.0123`,
    email: newEmail(),
    email_verified: "true",
    ...changes,
  });

  it("comes back with a form, and is given a secret that is signed for it", async () => {
    const { url } = await beginFlow(service, "apple");
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_mode: "form_post",
      scope: "openid email name",
    });
    const { status, body } = await signInAt("apple", { claims: claims() });
    expect([status, body.user.emailVerified]).toEqual([200, true]);
  });

  it("tells the name in the form, at the first time alone", async () => {
    const name = { firstName: "Ada", lastName: "Lovelace" };
    for (const [user, expected] of [
      [JSON.stringify({ name, email: "evil@example.com" }), "Ada Lovelace"],
      [JSON.stringify({ name: { firstName: "Ada" } }), "Ada"],
      [JSON.stringify({ name: { firstName: "a\u0000\nb", lastName: 7 } }), "a b"],
      [JSON.stringify({ name: { firstName: "x".repeat(200) } }), "x".repeat(100)],
      ["{", undefined],
      ["null", undefined],
      ['{"name":"Ada"}', undefined],
      ['{"name":null}', undefined],
    ] as const) {
      const own = claims();
      const flow = await beginFlow(service, "apple");
      const parameters = scriptAnswer(flow, { claims: own });
      parameters.set("user", user);
      const { code = "" } = readFragment(await comeBack(service, flow, parameters));
      const { body } = await exchangeCode(service, code);
      expect(body.user).toMatchObject({ email: own.email, name: expected ?? own.email.split("@")[0] });
    }
  });

  it.each([true, "true"])("is believed an address that it has verified (%s)", async (verified) => {
    expect((await signInAt("apple", { claims: claims({ email_verified: verified }) })).status).toBe(200);
  });

  it.each([false, "false", null, 1])("is not believed another (%s)", async (verified) => {
    const answer = await signInAt("apple", { claims: claims({ email_verified: verified }) });
    expectProblem(answer, "provider_email_unverified");
  });

  it("is refused a form that is no form", async () => {
    const flow = await beginFlow(service, "apple");
    for (const rawBody of ["", "{}", "%%%=%", "state", "=".repeat(1000)]) {
      const answer = await service.call("POST", "/v1/auth/oauth/apple/callback", {
        rawBody,
        headers: { cookie: flow.cookie, "content-type": "application/x-www-form-urlencoded" },
      });
      expect(readFragment(answer)).toEqual({ error: "invalid_state" });
    }
    const tooBig = await service.call("POST", "/v1/auth/oauth/apple/callback", { rawBody: "a".repeat(300_000) });
    expectProblem(tooBig, "payload_too_large");
  });

  it("names the setting, and nothing of it, where the key is none", async () => {
    const broken = "-----BEGIN PRIVATE KEY-----\\nAAAASECRET\\n-----END PRIVATE KEY-----";
    const other = openService({ APPLE_PRIVATE_KEY: broken });
    const flow = await beginFlow(other, "apple");
    const answer = await comeBack(other, flow, scriptAnswer(flow, { claims: claims() }));
    expectProblem(answer, "misconfigured");
    expect(answer.body.detail).toContain("APPLE_PRIVATE_KEY");
    expect(JSON.stringify(answer.body)).not.toContain("AAAASECRET");
  });
});
