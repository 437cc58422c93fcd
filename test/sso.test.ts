import { describe, expect, inject, it } from "vitest";
import { disableUser, readMe, signIn, signUpVerified, storedUser } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { makeProof } from "./support/identities.ts";
import { mailsTo } from "./support/mailbox.ts";
import { exchangeCode, readFragment, scriptAnswer, signInAtProvider } from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import {
  createOrganization,
  goodPassword,
  openService,
  type Person,
  signInPerson,
  signUpPerson,
} from "./support/service.ts";
import {
  beginSso,
  beginSsoFlow,
  comeBackFromSso,
  type Connection,
  getSsoCode,
  giveConnection,
  newDomain,
  newIssuer,
} from "./support/sso.ts";

const service = openService();

interface Company extends Connection {
  owner: Person;
}

async function newCompany(options: Parameters<typeof giveConnection>[1] = {}): Promise<Company> {
  const owner = await signUpPerson(service);
  const { id } = await createOrganization(service, owner);
  return { owner, ...(await giveConnection(id, options)) };
}

/** Signs in at the scripted provider of the company, as it says. */
const signInAt = async (company: Connection, claims: Record<string, unknown>) =>
  exchangeCode(service, await getSsoCode(service, company, claims));

const roleOf = async (company: Connection, userId: string): Promise<string | undefined> => {
  const [rows] = await asOwner([
    "select role from membership_roles where organization_id = $1 and user_id = $2",
    [company.organizationId, userId],
  ]);
  return rows?.[0]?.["role"];
};

const remove = ({ owner, organizationId, id }: Company) =>
  service.call("DELETE", `/v1/organizations/${organizationId}/sso-connections/${id}`, { token: owner.token });

/** Somebody with an address of this domain, who has a password. */
async function signUpAt(domain: string, { verified = true } = {}): Promise<Person> {
  const person = await signUpPerson(service);
  const email = `p${crypto.randomUUID()}@${domain}`;
  await asOwner([
    "update users set email = $2, email_verified_at = case when $3 then now() end where id = $1",
    [person.id, email, verified],
  ]);
  return { ...person, email };
}

describe("GET /v1/auth/sso", () => {
  it("sends the browser to the provider of the address's domain, and asks the database once", async () => {
    const { domain, issuer } = await newCompany();
    const own = openService();
    const answer = await beginSso(own, `Ada@${domain.toUpperCase()}`);
    const url = new URL(answer.headers.get("location") ?? "");
    expect(`${url.origin}${url.pathname}`).toBe(`${issuer}/authorize`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: "a-client",
      redirect_uri: "https://api.example.com/v1/auth/sso/callback",
      response_type: "code",
      code_challenge_method: "S256",
    });
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-oauth=.+; HttpOnly; Secure; SameSite=Lax$/),
    ]);
    expect(await own.databaseRequests()).toHaveLength(1);
  });

  it("says only that a domain has none: unknown, not verified, above or below one that has", async () => {
    const { domain } = await newCompany();
    const { domain: unverified } = await newCompany({ verified: false });
    for (const other of [newDomain(), unverified, `mail.${domain}`, domain.slice(1), "example"]) {
      const answer = await beginSso(service, `ada@${other}.`.replace(/\.$/, ""));
      if (other === "example") expectProblem(answer, "invalid_request");
      else {
        expect(readFragment(answer)).toEqual({ error: "sso_not_found" });
        expect(answer.headers.getSetCookie()).toEqual([]);
      }
    }
  });

  it("refuses what is no address, no challenge, and no path of the frontend", async () => {
    const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (const query of [
      `codeChallenge=${challenge}`,
      "email=ada@acme.example",
      `email=ada&codeChallenge=${challenge}`,
      `email=ada@acme.example&codeChallenge=${challenge}&redirectTo=//evil.example`,
      `email=ada@acme.example&email=eve@acme.example&codeChallenge=${challenge}`,
    ]) {
      expectProblem(await service.call("GET", `/v1/auth/sso?${query}`), "invalid_request");
    }
  });

  it("tells the frontend when the provider cannot be reached", async () => {
    const { domain } = await newCompany({
      issuer: `${inject("scriptedProviderUrl")}/broken/error/${crypto.randomUUID()}`,
    });
    expect(readFragment(await beginSso(service, `ada@${domain}`))).toEqual({ error: "provider_failed" });
  });
});

describe("Signing in with a company's own provider", () => {
  it("signs in at a real one, makes the account and the membership, and does so again", async () => {
    const company = await newCompany({
      issuer: inject("identityProviderUrl"),
      clientSecret: "a-client-secret-of-the-identity-provider",
    });
    const login = `ada@${company.domain}`;
    const once = async () => {
      const flow = await beginSsoFlow(service, login);
      const { code = "", redirectTo } = readFragment(
        await comeBackFromSso(service, flow, await signInAtProvider(flow, login)),
      );
      expect(redirectTo).toBe("/");
      return exchangeCode(service, code);
    };
    const first = await once();
    expect([first.status, first.body.user]).toMatchObject([200, { email: login, emailVerified: true }]);
    expect(await roleOf(company, first.body.user.id)).toBe("member");
    const { body } = await service.call("GET", "/v1/organizations", { token: first.body.accessToken });
    expect(body.data).toMatchObject([{ id: company.organizationId, roles: ["member"] }]);
    expect((await once()).body.user.id).toBe(first.body.user.id);
  });

  it("asks the database once when the browser comes back, and once for the code", async () => {
    const { domain, issuer } = await newCompany();
    const own = openService();
    const flow = await beginSsoFlow(own, `ada@${domain}`);
    await own.databaseRequests();
    const parameters = scriptAnswer(flow, { claims: { iss: issuer, sub: "1", email: `ada@${domain}` } });
    const { code = "" } = readFragment(await comeBackFromSso(own, flow, parameters));
    expect(await own.databaseRequests()).toHaveLength(1);
    expect((await exchangeCode(own, code)).status).toBe(200);
    expect(await own.databaseRequests()).toHaveLength(1);
  });

  it("leaves the role of who is a member already", async () => {
    const company = await newCompany();
    const ada = await signUpAt(company.domain);
    await addMember(company.organizationId, ada.id, "admin");
    expect((await signInAt(company, { sub: "ada", email: ada.email })).status).toBe(200);
    expect(await roleOf(company, ada.id)).toBe("admin");
  });

  it("links an account that has verified its address, keeps its password, and mails a notice", async () => {
    const company = await newCompany();
    const ada = await signUpAt(company.domain);
    expect((await signInAt(company, { sub: "ada", email: ada.email })).body.user.id).toBe(ada.id);
    expect((await signIn(ada.email, goodPassword)).status).toBe(200);
    expect((await mailsTo(ada.email)).map(({ subject }) => subject)).toContain("A new way to sign in was added");
  });

  it("takes over one that somebody registered before, who then has neither password nor session", async () => {
    const company = await newCompany();
    const eve = await signUpAt(company.domain, { verified: false });
    const answer = await signInAt(company, { sub: "ada", email: eve.email });
    expect([answer.status, answer.body.user]).toMatchObject([200, { id: eve.id, emailVerified: true }]);
    expectProblem(await signIn(eve.email, goodPassword), "invalid_credentials");
    expectProblem(await readMe(eve.token), "unauthenticated");
    expect((await readMe(answer.body.accessToken)).status).toBe(200);
  });

  it("takes an address without the provider's word for it, and none that it says is not verified", async () => {
    const company = await newCompany();
    const emails = [1, 2, 3, 4].map((n) => `person-${n}@${company.domain}`);
    const words = [undefined, true, false, "false"];
    const statuses = await Promise.all(
      emails.map(async (email, n) => {
        const word = words[n] === undefined ? {} : { email_verified: words[n] };
        return (await signInAt(company, { sub: email, email, ...word })).status;
      }),
    );
    expect(statuses).toEqual([200, 200, 403, 403]);
    expect(await storedUser(emails[2] ?? "")).toBeUndefined();
  });

  it("asks for the second factor all the same", async () => {
    const company = await newCompany();
    const ada = await signUpAt(company.domain);
    await asOwner([
      "insert into totp_factors (id, user_id, sealed_seed, key_hash, activated_at) values (gen_random_uuid(), $1, '\\x00', sha256('key'), now())",
      [ada.id],
    ]);
    expect((await signInAt(company, { sub: "ada", email: ada.email })).status).toBe(202);
  });

  it("refuses a disabled account, and makes it no member", async () => {
    const company = await newCompany();
    const ada = await signUpAt(company.domain);
    await disableUser(ada.id);
    expectProblem(await signInAt(company, { sub: "ada", email: ada.email }), "invalid_credentials");
    expect(await roleOf(company, ada.id)).toBeUndefined();
  });

  it("makes one account and one membership of twenty flows at once", async () => {
    const company = await newCompany();
    const email = `ada@${company.domain}`;
    const codes = await Promise.all(
      Array.from({ length: 20 }, () => getSsoCode(service, company, { sub: "ada", email })),
    );
    const answers = await Promise.all(codes.map((code) => exchangeCode(service, code)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.user.id)).size).toBe(1);
    expect(await roleOf(company, answers[0]?.body.user.id)).toBe("member");
  });
});

describe("A company's provider that is not to be trusted", () => {
  it("signs nobody in with an address outside of its domain, however close, and writes nothing", async () => {
    const company = await newCompany();
    const victim = await signUpVerified();
    const { domain } = company;
    for (const email of [
      victim.email,
      `ada@mail.${domain}`,
      `ada@x${domain}`,
      `ada@${domain}.evil.example`,
      `ada@${domain.slice(1)}`,
    ]) {
      expectProblem(await signInAt(company, { sub: email, email, email_verified: true }), "sso_domain_mismatch");
      if (email !== victim.email) expect(await storedUser(email)).toBeUndefined();
    }
    expect(await roleOf(company, victim.id)).toBeUndefined();
    const [identities] = await asOwner(["select 1 from identities where connection_id = $1", [company.id]]);
    expect(identities).toEqual([]);
    for (const email of [`"a@evil.example"@${domain}`, `ada@evil.example@${domain}`, `ada@${domain}\n`, null, 7]) {
      expectProblem(await signInAt(company, { sub: "x", email }), "provider_email_unverified");
    }
  });

  it("nor with an identity that it knows, once its address or the account's is of another domain", async () => {
    const company = await newCompany();
    const ada = await signUpAt(company.domain);
    expect((await signInAt(company, { sub: "ada", email: ada.email })).status).toBe(200);
    expectProblem(await signInAt(company, { sub: "ada", email: "ada@elsewhere.example" }), "sso_domain_mismatch");
    expectProblem(await signInAt(company, { sub: "ada" }), "sso_domain_mismatch");
    await asOwner(["update users set email = $2 where id = $1", [ada.id, `${crypto.randomUUID()}@example.com`]]);
    expectProblem(await signInAt(company, { sub: "ada", email: ada.email }), "sso_domain_mismatch");
  });

  it("is another one for each subject, though two of them use the same", async () => {
    const [one, two] = await Promise.all([newCompany(), newCompany()]);
    const [first, second] = [
      await signInAt(one, { sub: "1", email: `ada@${one.domain}` }),
      await signInAt(two, { sub: "1", email: `ada@${two.domain}` }),
    ];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(first.body.user.id).not.toBe(second.body.user.id);
    expect(await roleOf(one, second.body.user.id)).toBeUndefined();
    expect(await roleOf(two, first.body.user.id)).toBeUndefined();
  });

  it("is another one with another issuer: a subject of the one before is not its", async () => {
    const company = await newCompany();
    const ada = await signInAt(company, { sub: "1", email: `ada@${company.domain}` });
    const issuer = newIssuer();
    const path = `/v1/organizations/${company.organizationId}/sso-connections/${company.id}`;
    const changed = await service.call("PATCH", path, { token: company.owner.token, body: { issuer } });
    expect(changed.status).toBe(200);
    const bob = await signInAt({ ...company, issuer }, { sub: "1", email: `bob@${company.domain}` });
    expect([bob.status, bob.body.user.email]).toEqual([200, `bob@${company.domain}`]);
    expect(bob.body.user.id).not.toBe(ada.body.user.id);
  });

  it("signs nobody in with the tokens of another's provider", async () => {
    const [one, two] = await Promise.all([newCompany(), newCompany()]);
    const flow = await beginSsoFlow(service, `ada@${one.domain}`);
    const answer = scriptAnswer(flow, { claims: { iss: two.issuer, sub: "1", email: `ada@${one.domain}` } });
    expect(readFragment(await comeBackFromSso(service, flow, answer))).toEqual({ error: "provider_failed" });
  });

  it("whose endpoints are not public is not asked for anything", async () => {
    const { checkAddress } = await import("../src/services/oauth/provider-fetch.ts");
    const provider = { issuer: "https://login.acme.com", connectionId: crypto.randomUUID() };
    for (const url of [
      "https://10.0.0.1/token",
      "https://localhost/x",
      "https://[::1]/x",
      "http://login.acme.com/t",
      "https://a.internal/",
    ]) {
      expect(() => checkAddress(provider, url), url).toThrow("the provider's address");
    }
    expect(() => checkAddress(provider, "https://keys.acme.com/jwks")).not.toThrow();
  });
});

describe("A connection that ends while somebody is at the provider", () => {
  it("is not found when the browser comes back", async () => {
    const company = await newCompany();
    const flow = await beginSsoFlow(service, `ada@${company.domain}`);
    expect((await remove(company)).status).toBe(204);
    const parameters = scriptAnswer(flow, {
      claims: { iss: company.issuer, sub: "1", email: `ada@${company.domain}` },
    });
    expect(readFragment(await comeBackFromSso(service, flow, parameters))).toEqual({ error: "sso_not_found" });
  });

  it.each(["deleted", "not verified any more", "its organization deleted"])(
    "gives no session for a code of before: %s",
    async (how) => {
      const company = await newCompany();
      const email = `ada@${company.domain}`;
      const known = await signInAt(company, { sub: "known", email: `known@${company.domain}` });
      expect(known.status).toBe(200);
      const codes = await Promise.all([
        getSsoCode(service, company, { sub: "1", email }),
        getSsoCode(service, company, { sub: "known", email: `known@${company.domain}` }),
      ]);
      if (how === "deleted") await remove(company);
      else if (how === "not verified any more")
        await asOwner(["update sso_connections set domain_verified_at = null where id = $1", [company.id]]);
      else await service.call("DELETE", `/v1/organizations/${company.organizationId}`, { token: company.owner.token });
      for (const code of codes) expectProblem(await exchangeCode(service, code), "sso_not_found");
      expect(await storedUser(email)).toBeUndefined();
      expect((await readMe(known.body.accessToken)).status).toBe(200);
    },
  );

  it("leaves its people their accounts, which need another way to sign in", async () => {
    const company = await newCompany();
    const { body } = await signInAt(company, { sub: "1", email: `ada@${company.domain}` });
    await remove(company);
    const [identities] = await asOwner(["select 1 from identities where user_id = $1", [body.user.id]]);
    expect(identities).toEqual([]);
    expect(await roleOf(company, body.user.id)).toBe("member");
    expect((await readMe(body.accessToken)).status).toBe(200);
  });

  it("ends before or after a sign-in at the same time, and never within it", async () => {
    const rounds = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const company = await newCompany();
        const code = await getSsoCode(service, company, { sub: "1", email: `ada@${company.domain}` });
        const [answer, removed] = await Promise.all([exchangeCode(service, code), remove(company)]);
        return [answer.status, removed.status];
      }),
    );
    for (const [status, removed] of rounds) {
      expect([200, 404]).toContain(status);
      expect(removed).toBe(204);
    }
  });
});

describe("A flow of another kind", () => {
  it("does not come back as a company's, nor a company's as another", async () => {
    const { domain, issuer } = await newCompany();
    const flow = await beginSsoFlow(service, `ada@${domain}`);
    const parameters = scriptAnswer(flow, { claims: { iss: issuer, sub: "1", email: `ada@${domain}` } });
    const answer = await service.call("GET", `/v1/auth/oauth/google/callback?${parameters.toString()}`, {
      headers: { cookie: flow.cookie },
    });
    expect(readFragment(answer)).toEqual({ error: "invalid_state" });
    const { beginFlow } = await import("./support/oauth.ts");
    const google = await beginFlow(service, "google");
    const mixed = new URLSearchParams({ code: "x", state: google.state });
    expect(readFragment(await comeBackFromSso(service, google, mixed))).toEqual({ error: "invalid_state" });
  });

  it("comes back once", async () => {
    const { domain, issuer } = await newCompany();
    const flow = await beginSsoFlow(service, `ada@${domain}`);
    const parameters = scriptAnswer(flow, { claims: { iss: issuer, sub: "1", email: `ada@${domain}` } });
    const answers = await Promise.all(Array.from({ length: 5 }, () => comeBackFromSso(service, flow, parameters)));
    const fragments = answers.map(readFragment);
    expect(fragments.filter(({ code }) => code)).toHaveLength(1);
    expect(fragments.filter(({ error }) => error === "invalid_state")).toHaveLength(4);
  });
});

describe("Linking a company's identity to an account", () => {
  const link = (token: string, proof: { code: string; codeVerifier: string }) =>
    service.call("POST", "/v1/users/me/identities", { token, body: proof });

  it("is for accounts of the domain alone", async () => {
    const company = await newCompany();
    const [ada, stranger] = await Promise.all([signUpAt(company.domain), signUpPerson(service)]);
    const ticket = { provider: "sso" as const, connectionId: company.id, email: ada.email, emailVerified: true };
    const proofs = await Promise.all(["1", "2"].map((subject) => makeProof({ ...ticket, subject })));
    const [one, two] = proofs;
    if (!one || !two) throw new Error("there are no proofs");
    expectProblem(await link(stranger.token, one), "sso_domain_mismatch");
    const { token } = await signInPerson(service, ada.email);
    expect((await link(token, two)).status).toBe(200);
    await remove(company);
    expectProblem(await link(token, one), "sso_not_found");
  });
});
