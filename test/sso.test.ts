import { describe, expect, inject, it } from "vitest";
import { disableUser, readMe, signIn, storedUser } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { makeProof } from "./support/identities.ts";
import { mailsTo } from "./support/mailbox.ts";
import { exchangeCode, readFragment, scriptAnswer, signInAtProvider } from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, openService, signInPerson, signUpPerson } from "./support/service.ts";
import { beginSso, beginSsoFlow, comeBackFromSso, getSsoCode, newDomain } from "./support/sso.ts";
import { newCompany, remove, roleOf, signInAt, signUpAt } from "./support/companies.ts";

const service = openService();

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
