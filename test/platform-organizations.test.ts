import { describe, expect, it } from "vitest";
import { giveApiKey } from "./support/api-keys.ts";
import { eventsOf } from "./support/audit-events.ts";
import { addMember, asOwner } from "./support/database.ts";
import { newAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";

const service = openService();

const nobody = "019ab0de-8f6c-7cc4-9e6f-000000000000";

/** An administrator, and somebody else's organization. */
async function newCase(name = "Acme") {
  const { admin, call } = await newAdmin();
  const owner = await signUpPerson(service);
  const { id, slug } = await createOrganization(service, owner, name);
  return {
    admin,
    call,
    owner,
    id,
    slug,
    read: ({ token }: { token: string } = owner) => service.call("GET", `/v1/organizations/${id}`, { token }),
    suspend: (reason = "Unpaid") => call("POST", `organizations/${id}/suspend`, { reason }),
    unsuspend: () => call("POST", `organizations/${id}/unsuspend`),
  };
}

describe("GET /v1/platform/organizations", () => {
  it("lists organizations in the order of their slugs, a page at a time, by what they begin with", async () => {
    const name = `p${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
    const { call, owner, slug } = await newCase(name);
    for (const n of [2, 1]) await createOrganization(service, owner, `${name} ${n}`);
    const first = await call("GET", `organizations?limit=2&slug=${name}`);
    const second = await call("GET", `organizations?limit=2&slug=${name}&cursor=${first.body.nextCursor}`);
    const slugs = [...first.body.data, ...second.body.data].map((found: { slug: string }) => found.slug);
    expect(slugs).toEqual([slug, `${name}-1`, `${name}-2`]);
    expect(first.body.data[0]).toEqual({
      id: expect.any(String),
      slug,
      name,
      createdAt: expect.stringMatching(/Z$/),
      deletedAt: null,
      suspendedAt: null,
      suspensionReason: null,
    });
  });

  it("lists the suspended ones alone where it is asked to", async () => {
    const { call, slug, suspend } = await newCase(`Q${crypto.randomUUID().slice(0, 8)}`);
    const query = `organizations?suspended=true&slug=${slug}`;
    expect((await call("GET", query)).body.data).toEqual([]);
    await suspend();
    expect((await call("GET", query)).body.data).toMatchObject([{ slug, suspensionReason: "Unpaid" }]);
  });
});

describe("GET /v1/platform/organizations/{organizationId}", () => {
  it("tells of an organization and its owners, also of a deleted one", async () => {
    const { call, owner, id, slug } = await newCase();
    const member = await signUpPerson(service);
    await addMember(id, member.id, "admin");
    await asOwner(["update organizations set deleted_at = now() where id = $1", [id]]);
    const { status, body } = await call("GET", `organizations/${id}`);
    expect([status, body]).toMatchObject([200, { id, slug, deletedAt: expect.stringMatching(/Z$/) }]);
    expect(body.owners).toEqual([{ id: owner.id, email: owner.email, name: "Ada Lovelace" }]);
    expectProblem(await call("GET", `organizations/${nobody}`), "not_found");
  });
});

describe("POST /v1/platform/organizations/{organizationId}/suspend", () => {
  it("lets neither members nor API keys in, until it is taken back", async () => {
    const { owner, id, read, suspend, unsuspend } = await newCase();
    const keys = [
      await giveApiKey(id, owner.id, ["organization:read"]),
      await giveApiKey(id, null, ["organization:read"]),
    ];
    const { status, body } = await suspend();
    expect([status, body]).toMatchObject([200, { id, suspensionReason: "Unpaid" }]);
    for (const by of [owner, ...keys]) expectProblem(await read(by), "organization_suspended");
    const write = { token: owner.token, body: { name: "Renamed" } };
    expectProblem(await service.call("PATCH", `/v1/organizations/${id}`, write), "organization_suspended");
    const outsider = await signUpPerson(service);
    expectProblem(await read(outsider), "not_found");
    // Their other organizations are none of its.
    const other = await createOrganization(service, owner, "Other");
    expect((await service.call("GET", `/v1/organizations/${other.id}`, { token: owner.token })).status).toBe(200);
    expect((await unsuspend()).body).toMatchObject({ suspendedAt: null, suspensionReason: null });
    for (const by of [owner, ...keys]) expect((await read(by)).status).toBe(200);
  });

  it("is told of in its trail once, as done by an administrator, without the reason", async () => {
    const { admin, suspend, unsuspend } = await newCase();
    const by = { actor_type: "platform_admin", actor_id: admin.id, ip_address: null, before: null, after: null };
    const first = await suspend("Secret reason");
    expect(await eventsOf(first.headers.get("x-request-id"))).toMatchObject([
      { ...by, action: "organization.suspended" },
    ]);
    const again = await suspend("Another");
    expect(again.body).toEqual(first.body);
    expect(await eventsOf(again.headers.get("x-request-id"))).toEqual([]);
    const back = await unsuspend();
    expect(await eventsOf(back.headers.get("x-request-id"))).toMatchObject([
      { ...by, action: "organization.unsuspended" },
    ]);
  });

  it("finds none that is not there", async () => {
    const { call } = await newAdmin();
    expectProblem(await call("POST", `organizations/${nobody}/suspend`, { reason: "x" }), "not_found");
    expectProblem(await call("POST", `organizations/${nobody}/unsuspend`), "not_found");
  });
});
