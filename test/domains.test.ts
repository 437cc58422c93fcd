import { describe, expect, inject, it } from "vitest";
import { signUpVerified } from "./support/accounts.ts";
import { addMember } from "./support/database.ts";
import { newDomainHost } from "./support/domains.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";
import { newDomain, setTxtRecords } from "./support/sso.ts";

const service = openService();

describe("POST /v1/organizations/{organizationId}/domains", () => {
  it("adds a domain in its canonical form, with the record that proves it, and of which nobody joins", async () => {
    const host = await newDomainHost();
    const domain = newDomain();
    const { status, body } = await host.add(domain.toUpperCase());
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(String),
      domain,
      txtRecord: {
        name: `_saas-challenge.${domain}`,
        value: expect.stringMatching(/^saas-verification=[\w-]{43}$/),
      },
      verifiedAt: null,
      enrollment: "none",
      roles: ["member"],
      enrollmentSetBy: null,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    });
    expect((await service.call("GET", `${host.domainsPath}/${body.id}`, { token: host.owner.token })).body).toEqual(
      body,
    );
    expect((await host.add("bücher.example")).body.domain).toBe("xn--bcher-kva.example");
  });

  it.each([
    "gmail.com",
    "Outlook.com",
    "proton.me",
    "acme",
    "localhost",
    "10.0.0.1",
    "acme.example/x",
    "a@acme.example",
  ])("refuses %s with 400", async (domain) => {
    const host = await newDomainHost();
    const answer = await host.add(domain);
    expectProblem(answer, "invalid_request");
    expect(answer.body.errors).toMatchObject([{ path: "body.domain" }]);
  });

  it("refuses one that the organization has, and the 21st", async () => {
    const host = await newDomainHost();
    const domains = Array.from({ length: 20 }, newDomain);
    for (const domain of domains) expect((await host.add(domain)).status).toBe(201);
    expectProblem(await host.add(newDomain()), "domain_limit");
    const other = await newDomainHost();
    await other.add(domains[0] as string);
    expectProblem(await other.add(domains[0] as string), "domain_taken");
  });

  it("adds one that another organization has verified, and does not tell", async () => {
    const { domain } = await (await newDomainHost()).enroll("none");
    const { status, body } = await (await newDomainHost()).add(domain);
    expect([status, body.verifiedAt]).toEqual([201, null]);
  });

  it("is the owners'; admins read", async () => {
    const host = await newDomainHost();
    const { id } = await host.enroll("none");
    const [admin, member] = [await signUpVerified(), await signUpVerified()];
    await addMember(host.id, admin.id, "admin");
    await addMember(host.id, member.id, "member");
    expectProblem(await host.add(newDomain(), admin), "forbidden");
    expectProblem(await host.update(id, { enrollment: "suggest" }, admin), "forbidden");
    expect((await host.listDomains("", admin)).body.data).toHaveLength(1);
    expectProblem(await host.listDomains("", member), "forbidden");
  });
});

describe("GET /v1/organizations/{organizationId}/domains", () => {
  it("lists the newest first, by pages", async () => {
    const host = await newDomainHost();
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.unshift((await host.add(newDomain())).body.id);
    const { body: first } = await host.listDomains("?limit=2");
    const { body: rest } = await host.listDomains(`?limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...rest.data].map(({ id }) => id)).toEqual(ids);
    expect(rest.nextCursor).toBeNull();
  });
});

describe("PATCH /v1/organizations/{organizationId}/domains/{domainId}", () => {
  it("sets what becomes of the domain's people, and who answers for it", async () => {
    const host = await newDomainHost();
    const { id, domain } = (await host.add(newDomain())).body;
    const first = await host.update(id, { enrollment: "auto_join" });
    expect(first.body).toMatchObject({
      domain,
      enrollment: "auto_join",
      roles: ["member"],
      enrollmentSetBy: host.owner.id,
    });
    const second = await host.update(id, { roles: ["viewer", "admin"] });
    expect(second.body).toMatchObject({ enrollment: "auto_join", roles: ["admin", "viewer"] });
  });

  it("refuses nothing to change, another domain, unknown roles, and the owner's", async () => {
    const host = await newDomainHost();
    const { id } = (await host.add(newDomain())).body;
    for (const body of [{}, { domain: newDomain() }, { enrollment: "always" }, { roles: [] }])
      expectProblem(await host.update(id, body), "invalid_request");
    expectProblem(await host.update(id, { roles: ["member", "nobodys"] }), "unknown_role");
    expectProblem(await host.update(id, { roles: ["owner"] }), "owner_role_refused");
    expectProblem(await host.update(crypto.randomUUID(), { enrollment: "none" }), "not_found");
  });

  it("refuses roles above the caller's, whatever else they may do", async () => {
    const host = await newDomainHost();
    const { id } = (await host.add(newDomain())).body;
    const clerks = { key: "clerk", name: "Clerk", permissions: ["domains:write", "members:read"] };
    await service.call("POST", `${host.path}/roles`, { token: host.owner.token, body: clerks });
    const clerk = await signUpVerified();
    await addMember(host.id, clerk.id, "clerk");
    expectProblem(await host.update(id, { roles: ["admin"] }, clerk), "role_above_own");
    expect((await host.update(id, { roles: ["member"] }, clerk)).status).toBe(200);
    // Nor are those of before taken over by somebody who could not give them.
    expect((await host.update(id, { roles: ["admin"] })).status).toBe(200);
    expectProblem(await host.update(id, { enrollment: "auto_join" }, clerk), "role_above_own");
  });
});

describe("DELETE /v1/organizations/{organizationId}/domains/{domainId}", () => {
  it("deletes it, once, and sets it free for others", async () => {
    const host = await newDomainHost();
    const { id, domain } = await host.enroll("suggest");
    expect((await host.remove(id)).status).toBe(204);
    expectProblem(await host.remove(id), "not_found");
    const other = await newDomainHost();
    const { id: theirs, txtRecord } = (await other.add(domain)).body;
    await setTxtRecords(domain, [txtRecord.value]);
    expect((await other.verify(theirs)).status).toBe(200);
  });
});

describe("POST /v1/organizations/{organizationId}/domains/{domainId}/verify", () => {
  it("verifies the domain that has the record, in two requests to the database, and for good", async () => {
    const host = await newDomainHost();
    const { id, domain, txtRecord } = (await host.add(newDomain())).body;
    await setTxtRecords(domain, ["v=spf1 -all", txtRecord.value]);
    const counted = openService();
    const answer = await host.verify(id, counted);
    expect([answer.status, answer.body.verifiedAt]).toEqual([200, expect.any(String)]);
    expect(await counted.databaseRequests()).toHaveLength(2);
    await setTxtRecords(domain, []);
    expect((await host.verify(id)).body).toEqual(answer.body);
    const asked = await fetch(`${inject("dnsUrl")}/asked/_saas-challenge.${domain}`);
    expect(await asked.text()).toBe("1");
  });

  it("refuses with 409 a domain without the record, and verifies nothing when the resolver fails", async () => {
    const host = await newDomainHost();
    const { id, domain, txtRecord } = (await host.add(newDomain())).body;
    const { txtRecord: another } = (await host.add(newDomain())).body;
    for (const values of [[], [another.value], [`${txtRecord.value}x`]]) {
      await setTxtRecords(domain, values);
      expectProblem(await host.verify(id), "domain_unverified");
    }
    await setTxtRecords(domain, [txtRecord.value]);
    const failing = openService({ DNS_OVER_HTTPS_URL: `${inject("dnsUrl")}/servfail/dns-query` });
    expectProblem(await host.verify(id, failing), "unavailable");
    expect((await host.listDomains()).body.data[1]).toMatchObject({ id, verifiedAt: null });
  });

  it("refuses with 409 a domain that another organization has verified, though it has both records", async () => {
    const { domain } = await (await newDomainHost()).enroll("none");
    const host = await newDomainHost();
    const { id, txtRecord } = (await host.add(domain)).body;
    expectProblem(await host.verify(id), "domain_unverified");
    await setTxtRecords(domain, [txtRecord.value]);
    expectProblem(await host.verify(id), "domain_taken");
  });
});
