import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";
import { insertMembers } from "./support/members-sql.ts";

const service = openService();

async function newTenant() {
  const owner = await signUpPerson(service);
  const organization = await createOrganization(service, owner);
  return { owner, organization, path: `/v1/organizations/${organization.id}/members` };
}

describe("GET /v1/organizations/{organizationId}/members", () => {
  it("lists everyone with name, address and roles, page by page", async () => {
    const { owner, organization, path } = await newTenant();
    const grace = await signUpPerson(service, "Grace Hopper");
    await addMember(organization.id, grace.id, "viewer");

    const first = await service.call("GET", `${path}?limit=1`, { token: owner.token });
    const second = await service.call("GET", `${path}?limit=1&cursor=${first.body.nextCursor}`, { token: owner.token });
    expect(first.body.data).toEqual([
      {
        userId: owner.id,
        email: owner.email,
        name: "Ada Lovelace",
        roles: ["owner"],
        joinedBy: "creation",
        invitedBy: null,
        joinedAt: expect.stringMatching(/Z$/),
      },
    ]);
    expect(second.body).toEqual({
      data: [
        {
          userId: grace.id,
          email: grace.email,
          name: "Grace Hopper",
          roles: ["viewer"],
          joinedBy: "sso",
          invitedBy: null,
          joinedAt: expect.stringMatching(/Z$/),
        },
      ],
      nextCursor: null,
    });
  });

  it.each(["owner", "admin", "member"])("is open to a %s", async (role) => {
    const { organization, path } = await newTenant();
    const person = await signUpPerson(service);
    await addMember(organization.id, person.id, role);
    const { status, body } = await service.call("GET", path, { token: person.token });
    expect(status).toBe(200);
    expect(body.data).toHaveLength(2);
  });

  it("refuses a viewer with 403", async () => {
    const { organization, path } = await newTenant();
    const viewer = await signUpPerson(service);
    await addMember(organization.id, viewer.id, "viewer");
    expect((await service.call("GET", path, { token: viewer.token })).status).toBe(403);
  });

  it("refuses an outsider with 404", async () => {
    const { path } = await newTenant();
    const outsider = await signUpPerson(service);
    expect((await service.call("GET", path, { token: outsider.token })).status).toBe(404);
  });

  it("shows no member of another organization, the caller's own included", async () => {
    const [mine, theirs] = [await newTenant(), await newTenant()];
    await addMember(theirs.organization.id, mine.owner.id, "admin");
    const { body } = await service.call("GET", mine.path, { token: mine.owner.token });
    expect(body.data.map((member: { userId: string }) => member.userId)).toEqual([mine.owner.id]);
  });

  it("lists 20 of 2,000 members by an index, in one database request", async () => {
    const { owner, organization, path } = await newTenant();
    await asOwner(
      [
        `insert into users (id, email, name, password_scheme, password_salt, password_verifier)
         select uuidv7(), 'm' || n || '@' || $1 || '.example', 'Member', 1, '$2b$10$' || repeat('a', 22), sha256('x')
           from generate_series(1, 2000) n`,
        [organization.id],
      ],
      [
        insertMembers("select $1::uuid, id, 'member' from users where email like '%@' || $1 || '.example'"),
        [organization.id],
      ],
    );
    await service.databaseRequests();
    const { body } = await service.call("GET", path, { token: owner.token });
    expect(body.data).toHaveLength(20);
    expect(await service.databaseRequests()).toHaveLength(1);
  });
});
