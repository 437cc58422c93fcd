import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";

const service = openService();

async function newTenant() {
  const owner = await signUpPerson(service);
  return { owner, organization: await createOrganization(service, owner) };
}

async function newMember(organizationId: string, role: string) {
  const person = await signUpPerson(service, "Grace Hopper");
  await addMember(organizationId, person.id, role);
  return person;
}

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe("POST /v1/organizations", () => {
  it("creates an organization whose creator is its owner", async () => {
    const owner = await signUpPerson(service);
    const slug = `acme-${crypto.randomUUID()}`;
    const { status, body } = await service.call("POST", "/v1/organizations", {
      token: owner.token,
      body: { name: "Acme", slug },
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
      name: "Acme",
      slug,
      mfaRequired: false,
      roles: ["owner"],
      createdAt: instant,
      updatedAt: instant,
    });
    const [members] = await asOwner([
      "select user_id, role from membership_roles where organization_id = $1",
      [body.id],
    ]);
    expect(members).toEqual([{ user_id: owner.id, role: "owner" }]);
  });

  it("makes the slug from the name, and another when that is taken", async () => {
    const owner = await signUpPerson(service);
    const unique = crypto.randomUUID().slice(0, 8);
    const create = () =>
      service.call("POST", "/v1/organizations", { token: owner.token, body: { name: `Crème & Brûlée ${unique}` } });
    const [first, second] = [await create(), await create()];
    expect(first.body.slug).toBe(`creme-brulee-${unique}`);
    expect(second.status).toBe(201);
    expect(second.body.slug).toMatch(new RegExp(`^creme-brulee-${unique}-[\\da-f]{8}$`));
  });

  it("makes a slug for a name without Latin letters", async () => {
    const owner = await signUpPerson(service);
    const { body } = await service.call("POST", "/v1/organizations", {
      token: owner.token,
      body: { name: "株式会社" },
    });
    expect(body.slug).toMatch(/^organization-[\da-f]{8}$/);
  });

  it("refuses a taken slug with 409, and changes nothing", async () => {
    const { organization } = await newTenant();
    const other = await signUpPerson(service);
    const { status, body } = await service.call("POST", "/v1/organizations", {
      token: other.token,
      body: { name: "Mine", slug: organization.slug },
    });
    expect([status, body.code]).toEqual([409, "slug_taken"]);
    const mine = await service.call("GET", "/v1/organizations", { token: other.token });
    expect(mine.body.data).toEqual([]);
  });

  it("gives one slug to one of 50 that want it at once", async () => {
    const owner = await signUpPerson(service);
    const slug = `race-${crypto.randomUUID()}`;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        service.call("POST", "/v1/organizations", { token: owner.token, body: { name: "Race", slug } }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(49);
  });
});

describe("GET /v1/organizations", () => {
  it("lists the caller's organizations with their roles, oldest first, page by page", async () => {
    const owner = await signUpPerson(service);
    const created = [];
    for (const name of ["One", "Two", "Three"]) created.push(await createOrganization(service, owner, name));
    const { organization: foreign } = await newTenant();
    await addMember(foreign.id, owner.id, "viewer");

    const first = await service.call("GET", "/v1/organizations?limit=3", { token: owner.token });
    const path = `/v1/organizations?limit=3&cursor=${first.body.nextCursor}`;
    const second = await service.call("GET", path, { token: owner.token });
    expect(first.body.data.map((o: { id: string }) => o.id)).toEqual(created.map((o) => o.id));
    expect(second.body.data).toMatchObject([{ id: foreign.id, roles: ["viewer"] }]);
    expect(second.body.nextCursor).toBeNull();
  });

  it("shows nobody else's organizations", async () => {
    await newTenant();
    const outsider = await signUpPerson(service);
    const { body } = await service.call("GET", "/v1/organizations", { token: outsider.token });
    expect(body).toEqual({ data: [], nextCursor: null });
  });
});

describe("GET /v1/organizations/{organizationId}", () => {
  it.each(["owner", "admin", "member", "viewer"])("shows it to a %s, with their roles", async (role) => {
    const { organization } = await newTenant();
    const member = await newMember(organization.id, role);
    const { status, body } = await service.call("GET", `/v1/organizations/${organization.id}`, { token: member.token });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: organization.id,
      name: "Acme",
      slug: organization.slug,
      mfaRequired: false,
      roles: [role],
      createdAt: instant,
      updatedAt: instant,
    });
  });

  it("answers an outsider as if there were nothing", async () => {
    const { organization } = await newTenant();
    const outsider = await signUpPerson(service);
    const real = await service.call("GET", `/v1/organizations/${organization.id}`, { token: outsider.token });
    const none = await service.call("GET", `/v1/organizations/${crypto.randomUUID()}`, { token: outsider.token });
    expect([real.status, real.body.code]).toEqual([404, "not_found"]);
    expect({ ...real.body, requestId: "" }).toEqual({ ...none.body, requestId: "" });
  });

  it("is closed to a member on the very next request after they are removed", async () => {
    const { organization } = await newTenant();
    const member = await newMember(organization.id, "member");
    const read = () => service.call("GET", `/v1/organizations/${organization.id}`, { token: member.token });
    expect((await read()).status).toBe(200);
    await asOwner(["delete from memberships where user_id = $1", [member.id]]);
    expect((await read()).status).toBe(404);
  });
});

describe("PATCH /v1/organizations/{organizationId}", () => {
  it.each(["owner", "admin"])("lets an %s rename it", async (role) => {
    const { organization } = await newTenant();
    const member = await newMember(organization.id, role);
    const slug = `renamed-${organization.id}`;
    const { status, body } = await service.call("PATCH", `/v1/organizations/${organization.id}`, {
      token: member.token,
      body: { name: "Renamed", slug },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: organization.id, name: "Renamed", slug, roles: [role] });
    expect(Date.parse(body.updatedAt)).toBeGreaterThanOrEqual(Date.parse(body.createdAt));
  });

  it.each(["member", "viewer"])("refuses a %s with 403", async (role) => {
    const { organization } = await newTenant();
    const member = await newMember(organization.id, role);
    const path = `/v1/organizations/${organization.id}`;
    const { status, body } = await service.call("PATCH", path, { token: member.token, body: { name: "Mine" } });
    expect([status, body.code]).toEqual([403, "forbidden"]);
  });

  it("refuses another organization's slug with 409", async () => {
    const [mine, theirs] = [await newTenant(), await newTenant()];
    const { status, body } = await service.call("PATCH", `/v1/organizations/${mine.organization.id}`, {
      token: mine.owner.token,
      body: { slug: theirs.organization.slug },
    });
    expect([status, body.code]).toEqual([409, "slug_taken"]);
  });

  it("refuses an outsider with 404 and leaves it as it was", async () => {
    const { owner, organization } = await newTenant();
    const outsider = await signUpPerson(service);
    const path = `/v1/organizations/${organization.id}`;
    const { status } = await service.call("PATCH", path, { token: outsider.token, body: { name: "Mine" } });
    expect(status).toBe(404);
    expect((await service.call("GET", path, { token: owner.token })).body.name).toBe("Acme");
  });
});

describe("A name or a slug of an organization", () => {
  it.each([
    ["an empty name", { name: "" }],
    ["a name of spaces", { name: "  " }],
    ["a name of 101 characters", { name: "x".repeat(101) }],
    ["an empty slug", { name: "Acme", slug: "" }],
    ["a slug in capitals", { name: "Acme", slug: "Acme" }],
    ["a slug of two words", { name: "Acme", slug: "acme inc" }],
    ["a slug that begins with a hyphen", { name: "Acme", slug: "-acme" }],
    ["no text", { name: null }],
  ])("is refused, when it is made and when it is changed: %s", async (_, body) => {
    const { owner, organization } = await newTenant();
    const { token } = owner;
    const path = `/v1/organizations/${organization.id}`;
    const { body: before } = await service.call("GET", path, { token });
    expect((await service.call("POST", "/v1/organizations", { token, body })).status).toBe(400);
    expect((await service.call("PATCH", path, { token, body })).status).toBe(400);
    expect((await service.call("GET", path, { token })).body).toEqual(before);
    expect((await service.call("GET", "/v1/organizations", { token })).body.data).toHaveLength(1);
  });
});

describe("DELETE /v1/organizations/{organizationId}", () => {
  it("refuses an outsider with 404, and leaves it as it was", async () => {
    const [mine, theirs] = [await newTenant(), await newTenant()];
    const path = `/v1/organizations/${mine.organization.id}`;
    expect((await service.call("DELETE", path, { token: theirs.owner.token })).status).toBe(404);
    expect((await service.call("GET", path, { token: mine.owner.token })).status).toBe(200);
  });

  it("lets the owner delete it, and keeps what is in it: see deleted-organizations.test.ts", async () => {
    const { owner, organization } = await newTenant();
    await newMember(organization.id, "member");
    const path = `/v1/organizations/${organization.id}`;
    expect((await service.call("DELETE", path, { token: owner.token })).status).toBe(204);
    expect((await service.call("GET", path, { token: owner.token })).status).toBe(404);
    const [kept] = await asOwner(["select from memberships where organization_id = $1", [organization.id]]);
    expect(kept).toHaveLength(2);
  });

  it.each(["admin", "member", "viewer"])("refuses an %s with 403", async (role) => {
    const { organization } = await newTenant();
    const member = await newMember(organization.id, role);
    const { status } = await service.call("DELETE", `/v1/organizations/${organization.id}`, { token: member.token });
    expect(status).toBe(403);
  });

  it("is done once of 50 times at once; the others find nothing", async () => {
    const { owner, organization } = await newTenant();
    const remove = () => service.call("DELETE", `/v1/organizations/${organization.id}`, { token: owner.token });
    const answers = await Promise.all(Array.from({ length: 50 }, remove));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(49);
  });
});
