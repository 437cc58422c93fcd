import { describe, expect, inject, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, type Service, signUpPerson } from "./support/service.ts";
import {
  connectionInput,
  newConnectionOwner,
  giveConnection,
  newDomain,
  newIssuer,
  setTxtRecords,
} from "./support/sso.ts";

const service = openService();

const { owner, organizationId, pathOf } = await newConnectionOwner();

describe("The roles of an organization", () => {
  it.each([
    ["admin", 200, 403],
    ["member", 403, 403],
    ["viewer", 403, 403],
  ])("%s: reads %i, writes %i", async (role, reads, writes) => {
    const person = await signUpPerson(service);
    await addMember(organizationId, person.id, role);
    const { id, domain, txtRecord } = await giveConnection(organizationId, { verified: false });
    await setTxtRecords(domain, [txtRecord]);
    const call = async (method: string, path: string, body?: unknown) =>
      (await service.call(method, path, { token: person.token, ...(body !== undefined && { body }) })).status;
    expect([await call("GET", pathOf()), await call("GET", pathOf(id))]).toEqual([reads, reads]);
    expect([
      await call("POST", pathOf(), connectionInput()),
      await call("PATCH", pathOf(id), { clientId: "another" }),
      await call("POST", `${pathOf(id)}/verify-domain`),
      await call("DELETE", pathOf(id)),
    ]).toEqual([writes, writes, writes, writes]);
    const { body } = await service.call("GET", pathOf(id), { token: owner.token });
    expect(body).toMatchObject({ clientId: "a-client", domainVerifiedAt: null });
  });
});

describe("Another organization's connection", () => {
  it("is not there: to be read, changed, verified or deleted, below either path", async () => {
    const stranger = await signUpPerson(service);
    const theirs = (await createOrganization(service, stranger)).id;
    const { id, domain, txtRecord } = await giveConnection(organizationId, { verified: false });
    await setTxtRecords(domain, [txtRecord]);
    for (const path of [pathOf(id), pathOf(id, theirs)]) {
      for (const [method, target, body] of [
        ["GET", path, undefined],
        ["PATCH", path, { clientId: "taken" }],
        ["PATCH", path, { issuer: newIssuer() }],
        ["PATCH", path, { clientSecret: "taken" }],
        ["POST", `${path}/verify-domain`, undefined],
        ["DELETE", path, undefined],
      ] as const) {
        const answer = await service.call(method, target, { token: stranger.token, ...(body && { body }) });
        expectProblem(answer, "not_found");
      }
    }
    expect((await service.call("GET", pathOf(undefined, theirs), { token: stranger.token })).body.data).toEqual([]);
    const { body } = await service.call("GET", pathOf(id), { token: owner.token });
    expect(body).toMatchObject({ clientId: "a-client", domainVerifiedAt: null });
  });
});

describe("GET /v1/organizations/{organizationId}/sso-connections", () => {
  it("lists them page by page, newest first", async () => {
    const person = await signUpPerson(service);
    const { id } = await createOrganization(service, person);
    const connections = await Promise.all([1, 2, 3].map(() => giveConnection(id)));
    const expected = connections
      .map((connection) => connection.id)
      .toSorted()
      .toReversed();
    const list = (query: string) => service.call("GET", `${pathOf(undefined, id)}${query}`, { token: person.token });
    const { body: first } = await list("?limit=2");
    const { body: second } = await list(`?limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...second.data].map((connection) => connection.id)).toEqual(expected);
    expect(second.nextCursor).toBeNull();
  });
});

describe("PATCH /v1/organizations/{organizationId}/sso-connections/{connectionId}", () => {
  const update = (id: string, body: Record<string, unknown>) =>
    service.call("PATCH", pathOf(id), { token: owner.token, body });

  it("changes what it is given, and leaves the rest, the verification too", async () => {
    const { id, issuer } = await giveConnection(organizationId);
    expect((await update(id, { clientId: "another" })).body).toMatchObject({ clientId: "another", issuer });
    const other = newIssuer();
    const { body } = await update(id, { issuer: other, clientSecret: "another-secret" });
    expect(body).toMatchObject({ clientId: "another", issuer: other, domainVerifiedAt: expect.any(String) });
  });

  it("refuses another domain, and an issuer that does not answer, and changes nothing", async () => {
    const { id, issuer } = await giveConnection(organizationId);
    expectProblem(await update(id, { domain: newDomain() }), "invalid_request");
    expectProblem(await update(id, {}), "invalid_request");
    const broken = `${inject("scriptedProviderUrl")}/broken/error`;
    expectProblem(await update(id, { clientId: "another", issuer: broken }), "invalid_request");
    const { body } = await service.call("GET", pathOf(id), { token: owner.token });
    expect(body).toMatchObject({ clientId: "a-client", issuer });
  });
});

describe("DELETE /v1/organizations/{organizationId}/sso-connections/{connectionId}", () => {
  it("deletes it, once", async () => {
    const { id } = await giveConnection(organizationId);
    const remove = () => service.call("DELETE", pathOf(id), { token: owner.token });
    expect((await remove()).status).toBe(204);
    expectProblem(await remove(), "not_found");
  });

  it("sets the domain free for others", async () => {
    const { id, domain } = await giveConnection(organizationId);
    await service.call("DELETE", pathOf(id), { token: owner.token });
    expect((await giveConnection(organizationId, { domain })).domain).toBe(domain);
  });
});

describe("POST …/sso-connections/{connectionId}/verify-domain", () => {
  const verify = (id: string, by: Service = service, organization = organizationId, token = owner.token) =>
    by.call("POST", `${pathOf(id, organization)}/verify-domain`, { token });
  const resolver = (answer: string) => openService({ DNS_OVER_HTTPS_URL: `${inject("dnsUrl")}/${answer}/dns-query` });

  it("verifies the domain that has the record, in two requests to the database", async () => {
    const { id, domain, txtRecord } = await giveConnection(organizationId, { verified: false });
    await setTxtRecords(domain, ["v=spf1 -all", txtRecord]);
    const own = openService();
    const answer = await verify(id, own);
    expect([answer.status, answer.body.domainVerifiedAt]).toEqual([200, expect.any(String)]);
    expect(await own.databaseRequests()).toHaveLength(2);
  });

  it("leaves one that is verified as it is, and asks no DNS", async () => {
    const { id, domain } = await giveConnection(organizationId);
    const first = await verify(id);
    expect(first.status).toBe(200);
    expect((await verify(id)).body).toEqual(first.body);
    const asked = await fetch(`${inject("dnsUrl")}/asked/_saas-challenge.${domain}`);
    expect(await asked.text()).toBe("0");
  });

  it.each(["plain", "split", "alias"])("understands a resolver that answers so: %s", async (kind) => {
    const { id, domain, txtRecord } = await giveConnection(organizationId, { verified: false });
    await setTxtRecords(domain, [txtRecord]);
    expect((await verify(id, resolver(kind))).status).toBe(200);
  });

  it("refuses with 409 a domain without the record, or with what only looks like it", async () => {
    const { id, domain, txtRecord } = await giveConnection(organizationId, { verified: false });
    const { txtRecord: another } = await giveConnection(organizationId, { verified: false });
    for (const values of [[], [another], [`${txtRecord}x`], [`x${txtRecord}`], [txtRecord.toUpperCase()], [""]]) {
      await setTxtRecords(domain, values);
      expectProblem(await verify(id), "domain_unverified");
    }
    await setTxtRecords(domain, [txtRecord]);
    expectProblem(await verify(id, resolver("otherType")), "domain_unverified");
    const { body } = await service.call("GET", pathOf(id), { token: owner.token });
    expect(body.domainVerifiedAt).toBeNull();
  });

  it.each(["servfail", "error", "moved", "garbage", "wrong", "huge", "cut"])(
    "verifies nothing when the resolver fails: %s",
    async (kind) => {
      const { id, domain, txtRecord } = await giveConnection(organizationId, { verified: false });
      await setTxtRecords(domain, [txtRecord]);
      const answer = await verify(id, resolver(kind));
      expectProblem(answer, "unavailable");
      expect(answer.headers.get("retry-after")).toBe("2");
      const { body } = await service.call("GET", pathOf(id), { token: owner.token });
      expect(body.domainVerifiedAt).toBeNull();
    },
  );

  it("refuses with 409 a domain that another organization has verified, though it has both records", async () => {
    const stranger = await signUpPerson(service);
    const theirs = (await createOrganization(service, stranger)).id;
    const { domain, txtRecord } = await giveConnection(organizationId);
    const other = await giveConnection(theirs, { domain, verified: false });
    await setTxtRecords(domain, [txtRecord, other.txtRecord]);
    expectProblem(await verify(other.id, service, theirs, stranger.token), "domain_taken");
  });

  it("lets one of two organizations win that verify it at once", async () => {
    const domain = newDomain();
    const contenders = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(async () => {
        const person = await signUpPerson(service);
        const { id } = await createOrganization(service, person);
        return { person, connection: await giveConnection(id, { domain, verified: false }) };
      }),
    );
    await setTxtRecords(
      domain,
      contenders.map(({ connection }) => connection.txtRecord),
    );
    const answers = await Promise.all(
      contenders.map(({ person, connection }) =>
        verify(connection.id, service, connection.organizationId, person.token),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409, 409, 409, 409, 409]);
    const [rows] = await asOwner([
      "select 1 from sso_connections where domain = $1 and domain_verified_at is not null",
      [domain],
    ]);
    expect(rows).toHaveLength(1);
  });
});
