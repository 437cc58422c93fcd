import { describe, expect, it } from "vitest";
import { readMe, signUpVerified, storedUser } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { exchangeCode, readFragment, scriptAnswer } from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";
import { beginSsoFlow, comeBackFromSso, getSsoCode, newIssuer } from "./support/sso.ts";
import { newCompany, remove, roleOf, signInAt, signUpAt } from "./support/companies.ts";

const service = openService();

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
