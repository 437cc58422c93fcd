import { describe, expect, it } from "vitest";
import { disableUser, signUpVerified } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { membersOf } from "./support/invitations.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { expireLink, join, lookUpLink, newSharingHost, signUpAt } from "./support/share-links.ts";
import { newDomain } from "./support/sso.ts";

const service = openService();

const unknown = "A".repeat(43);

describe("POST /v1/organizations/{organizationId}/share-links", () => {
  it("makes a link whose token is told once, and whose hash alone is kept", async () => {
    const host = await newSharingHost();
    const asked = {
      roles: ["viewer", "member"],
      allowedDomains: ["Acme.example", "acme.EXAMPLE", "sub.acme.example"],
      maxUses: 5,
      expiresInDays: 30,
    };
    const { status, body } = await host.create(host.owner, asked);
    expect(status).toBe(201);
    const { token, ...link } = body;
    expect(link).toEqual({
      id: expect.any(String),
      roles: ["member", "viewer"],
      allowedDomains: ["acme.example", "sub.acme.example"],
      maxUses: 5,
      uses: 0,
      createdBy: host.owner.id,
      createdAt: expect.any(String),
      expiresAt: expect.any(String),
    });
    expect(Date.parse(link.expiresAt) - Date.parse(link.createdAt)).toBe(30 * 86_400_000);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect((await host.listLinks(host.owner)).body.data).toEqual([link]);
    const [[row] = []] = await asOwner(["select share_links::text as kept from share_links where id = $1", [link.id]]);
    const bytes = Uint8Array.from(atob(token.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const hex = (value: Uint8Array) => Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const once = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const twice = new Uint8Array(await crypto.subtle.digest("SHA-256", once));
    expect(row?.["kept"]).toContain(hex(twice));
    for (const secret of [token, hex(bytes), hex(once)]) expect(row?.["kept"]).not.toContain(secret);
  });

  it("is good for seven days and any address, unless it is told otherwise", async () => {
    const host = await newSharingHost();
    const { body } = await host.create(host.owner);
    expect(body).toMatchObject({ allowedDomains: [], maxUses: 10 });
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(7 * 86_400_000);
  });

  it.each([
    { maxUses: 0 },
    { maxUses: 1001 },
    { maxUses: undefined },
    { expiresInDays: 31 },
    { roles: [] },
    { roles: ["viewer", "viewer"] },
    { allowedDomains: ["acme"] },
    { allowedDomains: ["@acme.example"] },
    { allowedDomains: Array.from({ length: 21 }, (_, n) => `d${n}.example`) },
    { token: unknown },
  ])("refuses %o with 400", async (body) => {
    const host = await newSharingHost();
    expectProblem(await host.create(host.owner, body), "invalid_request");
  });

  it("refuses roles that nobody has made, and those above the caller's; and the owner's, whoever asks", async () => {
    const host = await newSharingHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    expectProblem(await host.create(host.owner, { roles: ["member", "nobodys"] }), "unknown_role");
    expectProblem(await host.create(admin, { roles: ["owner"] }), "role_above_own");
    expectProblem(await host.create(host.owner, { roles: ["member", "owner"] }), "owner_role_refused");
    expect((await host.create(admin, { roles: ["admin"] })).status).toBe(201);
  });

  it("refuses members without invitations:write, and creators whose address is not verified", async () => {
    const host = await newSharingHost();
    const member = await signUpVerified();
    await addMember(host.id, member.id, "member");
    expectProblem(await host.create(member), "forbidden");
    expectProblem(await host.listLinks(member), "forbidden");
    const unverified = await signUpPerson(service);
    await addMember(host.id, unverified.id, "admin");
    expectProblem(await host.create(unverified), "email_unverified");
  });

  it("refuses the 21st that lives; those that are used up, expired or revoked are in the way of none", async () => {
    const host = await newSharingHost();
    const links = [];
    for (let n = 0; n < 20; n++) links.push(await host.share({ maxUses: 1 }));
    expectProblem(await host.create(host.owner), "share_link_limit");
    const [first, second, third] = links as [{ id: string; token: string }, { id: string }, { id: string }];
    expect((await join(await signUpVerified(), first.token)).status).toBe(201);
    await expireLink(second.id);
    expect((await host.revokeLink(host.owner, third.id)).status).toBe(204);
    for (let n = 0; n < 3; n++) await host.share();
    expectProblem(await host.create(host.owner), "share_link_limit");
  });
});

describe("GET /v1/organizations/{organizationId}/share-links", () => {
  it("lists the oldest first, by pages, and no token", async () => {
    const host = await newSharingHost();
    const made = [await host.share(), await host.share(), await host.share()];
    const first = (await host.listLinks(host.owner, "?limit=2")).body;
    const rest = (await host.listLinks(host.owner, `?limit=2&cursor=${first.nextCursor}`)).body;
    expect([...first.data, ...rest.data].map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    expect(rest.nextCursor).toBeNull();
    expect(JSON.stringify([first, rest])).not.toMatch(/token/);
  });
});

describe("DELETE /v1/organizations/{organizationId}/share-links/{shareLinkId}", () => {
  it("ends it at once; who has joined stays a member", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share();
    expect((await join(await signUpVerified(), token)).status).toBe(201);
    expect((await host.revokeLink(host.owner, id)).status).toBe(204);
    expectProblem(await host.revokeLink(host.owner, id), "not_found");
    expectProblem(await join(await signUpVerified(), token), "not_found");
    expect(await membersOf(host.id)).toHaveLength(2);
  });

  it("is refused where the link gives more than the caller has", async () => {
    const host = await newSharingHost();
    const desk = { key: "desk", name: "Desk", permissions: ["invitations:write"] };
    const made = await service.call("POST", `${host.path}/roles`, { token: host.owner.token, body: desk });
    expect(made.status).toBe(201);
    const clerk = await signUpVerified();
    await addMember(host.id, clerk.id, "desk");
    const { id } = await host.share({ roles: ["admin"] });
    expectProblem(await host.revokeLink(clerk, id), "role_above_own");
    expect((await host.listLinks(host.owner)).body.data).toHaveLength(1);
  });
});

describe("A share link's token", () => {
  it("tells whoever has it what it is for, and names no member", async () => {
    const host = await newSharingHost();
    const { token } = await host.share({ allowedDomains: ["acme.example"] });
    const { status, body } = await lookUpLink(token);
    expect(status).toBe(200);
    expect(body).toEqual({
      organizationName: "Acme",
      roles: ["member"],
      allowedDomains: ["acme.example"],
      expiresAt: expect.any(String),
    });
  });

  it("makes people members with its roles, counts them, and is used up", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share({ roles: ["viewer"], maxUses: 2 });
    const [ada, grace, eve] = [await signUpVerified(), await signUpVerified(), await signUpVerified()];
    const { status, body } = await join(ada, token);
    expect(status).toBe(201);
    expect(body).toMatchObject({ id: host.id, name: "Acme", roles: ["viewer"] });
    expectProblem(await join(ada, token), "already_member");
    expectProblem(await join(host.owner, token), "already_member");
    expect(await host.usesOf(id)).toBe(1);
    expect((await join(grace, token)).status).toBe(201);
    expectProblem(await join(eve, token), "not_found");
    const member = await service.call("GET", `${host.path}/members/${ada.id}`, { token: host.owner.token });
    expect(member.body).toMatchObject({ joinedBy: "share_link", invitedBy: host.owner.id, roles: ["viewer"] });
  });

  it("is refused in the same words when it is unknown, expired, used up, revoked or void", async () => {
    const host = await newSharingHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    const [expired, usedUp, revoked, orphan] = [
      await host.share(),
      await host.share({ maxUses: 1 }),
      await host.share(),
      await host.share({}, admin),
    ];
    await expireLink(expired.id);
    expect((await join(await signUpVerified(), usedUp.token)).status).toBe(201);
    await host.revokeLink(host.owner, revoked.id);
    await host.removeMember(host.owner, admin.id);
    const ada = await signUpVerified();
    for (const token of [unknown, ...[expired, usedUp, revoked, orphan].map((link) => link.token)]) {
      for (const answer of [await lookUpLink(token), await join(ada, token)]) {
        expectProblem(answer, "not_found");
        expect(answer.body.detail).toBe("There is nothing here.");
      }
    }
  });

  it("proves no mailbox: an account whose address is not verified does not join", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share();
    expectProblem(await join(await signUpPerson(service), token), "email_unverified");
    expectProblem(await service.call("POST", "/v1/share-links/accept", { body: { token } }), "unauthenticated");
    // Nor where no mail can verify one.
    const mailless = openService({ EMAIL_PROVIDER: undefined });
    const ada = await signUpPerson(mailless);
    const answer = await mailless.call("POST", "/v1/share-links/accept", { token: ada.token, body: { token } });
    expectProblem(answer, "email_unverified");
    expect(await host.usesOf(id)).toBe(0);
  });

  it("lets in the addresses of its domains alone, whatever their case, and not those of subdomains", async () => {
    const host = await newSharingHost();
    const domain = newDomain();
    const { id, token } = await host.share({ allowedDomains: ["other.example", domain.toUpperCase()] });
    for (const stranger of [`sub.${domain}`, `x${domain}`, `${domain}.evil.example`]) {
      expectProblem(await join(await signUpAt(stranger), token), "email_domain_not_allowed");
    }
    expect(await host.usesOf(id)).toBe(0);
    expect((await join(await signUpAt(domain), token)).status).toBe(201);
  });

  it("leaves the link unused where the organization is full", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share();
    await asOwner(["update organizations set member_limit = 1 where id = $1", [host.id]]);
    const ada = await signUpVerified();
    expectProblem(await join(ada, token), "member_limit");
    expect(await host.usesOf(id)).toBe(0);
    await asOwner(["update organizations set member_limit = 2 where id = $1", [host.id]]);
    expect((await join(ada, token)).status).toBe(201);
  });
});

describe("A share link by somebody", () => {
  it("who may not give its roles any more is void, until they may again", async () => {
    const host = await newSharingHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    const { token } = await host.share({ roles: ["admin"] }, admin);
    const setRoles = (roles: string[]) =>
      service.call("PATCH", `${host.path}/members/${admin.id}`, { token: host.owner.token, body: { roles } });
    const ada = await signUpVerified();
    expect((await setRoles(["member"])).status).toBe(200);
    expectProblem(await join(ada, token), "not_found");
    expect((await setRoles(["admin"])).status).toBe(200);
    expect((await join(ada, token)).status).toBe(201);
  });

  it("who is disabled, or whose account is gone, is void", async () => {
    const host = await newSharingHost();
    const [disabled, gone] = [await signUpVerified(), await signUpVerified()];
    for (const { id } of [disabled, gone]) await addMember(host.id, id, "admin");
    const links = [await host.share({}, disabled), await host.share({}, gone)];
    await disableUser(disabled.id);
    expect((await service.call("DELETE", "/v1/users/me", { token: gone.token })).status).toBe(204);
    for (const { token } of links) {
      expectProblem(await lookUpLink(token), "not_found");
      expectProblem(await join(await signUpVerified(), token), "not_found");
    }
    expect((await host.listLinks(host.owner)).body.data.map((link: any) => link.createdBy)).toEqual([
      disabled.id,
      null,
    ]);
  });

  it("whose role is deleted is void: nobody joins with a role that is gone", async () => {
    const host = await newSharingHost();
    const desk = { key: "desk", name: "Desk", permissions: ["members:read"] };
    const at = `${host.path}/roles`;
    const { body: role } = await service.call("POST", at, { token: host.owner.token, body: desk });
    const { token } = await host.share({ roles: ["desk"] });
    expect((await service.call("DELETE", `${at}/${role.id}`, { token: host.owner.token })).status).toBe(204);
    expectProblem(await join(await signUpVerified(), token), "not_found");
  });
});
