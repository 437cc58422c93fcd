import { describe, expect, it } from "vitest";
import { signUpVerified } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { ageDeletion, purge } from "./support/deletions.ts";
import { joinSuggested, listSuggested, newDomainHost, signUpUnverifiedAt } from "./support/domains.ts";
import { accept, answerMine, decline, listMine, lookUp, newHost, signUpInvited } from "./support/invitations.ts";
import { readFragment } from "./support/oauth.ts";
import { giveToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";
import { join, lookUpLink, newSharingHost, signUpAt } from "./support/share-links.ts";
import { beginSso, giveConnection, setTxtRecords } from "./support/sso.ts";

const service = openService();

type Caller = Pick<Person, "token">;

const collection = "/v1/users/me/deleted-organizations";
const remove = async (by: Caller, id: string) => {
  expect((await service.call("DELETE", `/v1/organizations/${id}`, { token: by.token })).status).toBe(204);
};
const listDeleted = (by: Caller, query = "") => service.call("GET", `${collection}${query}`, { token: by.token });
const restore = (by: Caller, id: string, on = service) =>
  on.call("POST", `${collection}/${id}/restore`, { token: by.token });
const read = (by: Caller, id: string) => service.call("GET", `/v1/organizations/${id}`, { token: by.token });
const idsOf = (answer: { body: any }): string[] => answer.body.data.map(({ id }: { id: string }) => id);

describe("A deleted organization", () => {
  it("is gone for all of its members, in the list too, and answers as one that never was", async () => {
    const host = await newHost();
    const viewer = await signUpVerified();
    await addMember(host.id, viewer.id, "viewer");
    await remove(host.owner, host.id);
    for (const { token } of [host.owner, viewer]) {
      const answer = await service.call("GET", host.path, { token });
      const none = await service.call("GET", `/v1/organizations/${crypto.randomUUID()}`, { token });
      expectProblem(answer, "not_found");
      expect({ ...answer.body, instance: "", requestId: "" }).toEqual({ ...none.body, instance: "", requestId: "" });
      expect(idsOf(await service.call("GET", "/v1/organizations", { token }))).toEqual([]);
      const permissions = `/v1/users/me/permissions?organizationId=${host.id}`;
      expectProblem(await service.call("GET", permissions, { token }), "not_found");
      expectProblem(await service.call("DELETE", host.path, { token }), "not_found");
      expectProblem(await service.call("PATCH", host.path, { token, body: { name: "Mine" } }), "not_found");
    }
  });

  it("leaves whole pages of those that are there", async () => {
    const ada = await signUpVerified();
    const ids = [];
    for (let n = 0; n < 5; n++) {
      const { body } = await service.call("POST", "/v1/organizations", {
        token: ada.token,
        body: { name: `No. ${n}` },
      });
      ids.push(body.id);
    }
    await remove(ada, ids[0]);
    await remove(ada, ids[2]);
    const first = await service.call("GET", "/v1/organizations?limit=2", { token: ada.token });
    expect(idsOf(first)).toEqual([ids[1], ids[3]]);
    const next = `/v1/organizations?limit=2&cursor=${first.body.nextCursor}`;
    const second = await service.call("GET", next, { token: ada.token });
    expect([idsOf(second), second.body.nextCursor]).toEqual([[ids[4]], null]);
  });

  it("takes nobody in by an invitation, and does again when it is restored", async () => {
    const host = await newHost();
    const invited = await host.inviteSomebody();
    const grace = await signUpPerson(service);
    const mine = await host.inviteSomebody(["viewer"]);
    await asOwner(["update users set email = $2, email_verified_at = now() where id = $1", [grace.id, mine.email]]);
    await remove(host.owner, host.id);
    expectProblem(await lookUp(invited.token), "invalid_token");
    expectProblem(await decline(invited.token), "invalid_token");
    expectProblem(await signUpInvited(invited.token, invited.email), "invalid_token");
    expectProblem(await accept(grace, mine.token), "invalid_token");
    expect(idsOf(await listMine(grace))).toEqual([]);
    for (const answer of ["accept", "decline"] as const) {
      expectProblem(await answerMine(grace, mine.id, answer), "not_found");
    }
    expect((await restore(host.owner, host.id)).status).toBe(200);
    expect((await signUpInvited(invited.token, invited.email)).status).toBe(201);
    expect((await accept(grace, mine.token)).status).toBe(201);
  });

  it("takes nobody in by a share link, nor counts a use", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share();
    await remove(host.owner, host.id);
    expectProblem(await lookUpLink(token), "not_found");
    expectProblem(await join(await signUpVerified(), token), "not_found");
    expect(await host.usesOf(id)).toBe(0);
    expect((await restore(host.owner, host.id)).status).toBe(200);
    expect((await join(await signUpVerified(), token)).status).toBe(201);
  });

  it("takes nobody in by its domain, and suggests itself to nobody", async () => {
    const host = await newDomainHost();
    const [joining, suggesting] = [await host.enroll("auto_join"), await host.enroll("suggest")];
    const [ada, grace] = [await signUpUnverifiedAt(joining.domain), await signUpAt(suggesting.domain)];
    await remove(host.owner, host.id);
    const token = await giveToken(ada.id, "verify_email");
    const verified = await service.call("POST", "/v1/auth/verify-email", { token: ada.token, body: { token } });
    expect(verified.status).toBe(200);
    expect(idsOf(await listSuggested(grace))).toEqual([]);
    expectProblem(await joinSuggested(grace, host.id), "not_found");
    expect((await restore(host.owner, host.id)).status).toBe(200);
    expect(idsOf(await service.call("GET", "/v1/organizations", { token: ada.token }))).toEqual([]);
    expect((await joinSuggested(grace, host.id)).status).toBe(201);
  });

  it("signs nobody in by its connection", async () => {
    const host = await newHost();
    const { domain } = await giveConnection(host.id);
    expect((await beginSso(service, `ada@${domain}`)).headers.getSetCookie()).toHaveLength(1);
    await remove(host.owner, host.id);
    expect(readFragment(await beginSso(service, `ada@${domain}`))).toEqual({ error: "sso_not_found" });
    await restore(host.owner, host.id);
    expect((await beginSso(service, `ada@${domain}`)).headers.getSetCookie()).toHaveLength(1);
  });

  it("keeps its slug, and gives its verified domains to whoever verifies them next", async () => {
    const [gone, heir] = [await newDomainHost(), await newDomainHost()];
    const { id, domain } = await gone.enroll("suggest");
    const { body: organization } = await read(gone.owner, gone.id);
    const connection = await giveConnection(gone.id, { domain });
    const { body: added } = await heir.add(domain);
    const own = await giveConnection(heir.id, { domain, verified: false });
    const verifyConnection = () =>
      service.call("POST", `${heir.path}/sso-connections/${own.id}/verify-domain`, { token: heir.owner.token });
    await setTxtRecords(domain, [added.txtRecord.value, own.txtRecord]);
    expectProblem(await heir.verify(added.id), "domain_taken");
    expectProblem(await verifyConnection(), "domain_taken");
    await remove(gone.owner, gone.id);
    const body = { name: "Heir", slug: organization.slug };
    expectProblem(await service.call("POST", "/v1/organizations", { token: heir.owner.token, body }), "slug_taken");
    expect((await heir.verify(added.id)).status).toBe(200);
    expect((await verifyConnection()).status).toBe(200);
    await restore(gone.owner, gone.id);
    expect((await gone.listDomains()).body.data).toMatchObject([{ id, domain, verifiedAt: null }]);
    const [left] = await asOwner(["select domain_verified_at from sso_connections where id = $1", [connection.id]]);
    expect(left).toEqual([{ domain_verified_at: null }]);
  });

  it("is in nobody's way who deletes their account, and goes with the last of its members", async () => {
    const host = await newHost();
    const viewer = await signUpVerified();
    await addMember(host.id, viewer.id, "viewer");
    await remove(host.owner, host.id);
    const leave = ({ token }: Caller) => service.call("DELETE", "/v1/users/me", { token });
    expect((await leave(host.owner)).status).toBe(204);
    const count = async () => (await asOwner(["select from organizations where id = $1", [host.id]]))[0]?.length;
    expect(await count()).toBe(1);
    expect((await leave(viewer)).status).toBe(204);
    expect(await count()).toBe(0);
  });

  it("is purged after 30 days with everything in it, and not before", async () => {
    const [old, young] = [await newDomainHost(), await newHost()];
    await old.enroll("suggest");
    await old.inviteSomebody();
    for (const { owner, id } of [old, young]) await remove(owner, id);
    await ageDeletion(old.id, 30);
    await ageDeletion(young.id, 29);
    expectProblem(await restore(old.owner, old.id), "not_found");
    expect(idsOf(await listDeleted(old.owner))).toEqual([]);
    await purge();
    const [organizations, ...rest] = await asOwner(
      ["select id from organizations where id in ($1, $2)", [old.id, young.id]],
      ["select from memberships where organization_id = $1", [old.id]],
      ["select from invitations where organization_id = $1", [old.id]],
      ["select from organization_domains where organization_id = $1", [old.id]],
    );
    expect(organizations).toEqual([{ id: young.id }]);
    expect(rest).toEqual([[], [], []]);
    expect((await restore(young.owner, young.id)).status).toBe(200);
  });
});

describe("GET /v1/users/me/deleted-organizations", () => {
  it("lists those that the caller may delete, until when they can be restored, a page at a time", async () => {
    const ada = await signUpVerified();
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { body } = await service.call("POST", "/v1/organizations", {
        token: ada.token,
        body: { name: `No. ${n}` },
      });
      ids.push(body.id);
      if (n < 2) await remove(ada, body.id);
    }
    const first = await listDeleted(ada, "?limit=1");
    const [{ deletedAt, restorableUntil, ...rest }] = first.body.data;
    expect(rest).toEqual({ id: ids[0], name: "No. 0", slug: expect.stringMatching(/^no-0/) });
    expect(Date.parse(restorableUntil) - Date.parse(deletedAt)).toBe(30 * 86_400_000);
    expect(Math.abs(Date.parse(deletedAt) - Date.now())).toBeLessThan(60_000);
    const second = await listDeleted(ada, `?limit=1&cursor=${first.body.nextCursor}`);
    expect([idsOf(second), second.body.nextCursor]).toEqual([[ids[1]], null]);
  });

  it("shows nothing to members who may not delete it, to those who left, and to strangers", async () => {
    const host = await newHost();
    const others = [];
    for (const role of ["admin", "member", "viewer", undefined]) {
      const person = await signUpVerified();
      if (role) await addMember(host.id, person.id, role);
      others.push(person);
    }
    await remove(host.owner, host.id);
    for (const person of others) {
      expect((await listDeleted(person)).body).toEqual({ data: [], nextCursor: null });
      expectProblem(await restore(person, host.id), "not_found");
    }
    expectProblem(await read(host.owner, host.id), "not_found");
  });
});

describe("POST /v1/users/me/deleted-organizations/{deletedOrganizationId}/restore", () => {
  it("brings it back as it was, in one database request, by any of its owners", async () => {
    const host = await newHost();
    const [owner, viewer] = [await signUpVerified(), await signUpVerified()];
    await addMember(host.id, owner.id, "owner");
    await addMember(host.id, viewer.id, "viewer");
    const { body: before } = await read(owner, host.id);
    await remove(host.owner, host.id);
    const counted = openService();
    const { status, body } = await restore(owner, host.id, counted);
    expect([status, { ...body, updatedAt: "" }]).toEqual([200, { ...before, updatedAt: "" }]);
    expect(await counted.databaseRequests()).toHaveLength(1);
    expect((await read(viewer, host.id)).body).toMatchObject({ id: host.id, roles: ["viewer"] });
    expect((await listDeleted(owner)).body.data).toEqual([]);
  });

  it("leaves one that is not deleted as it is, so that it can be asked for twice", async () => {
    const host = await newHost();
    const { body: before } = await read(host.owner, host.id);
    expect(await restore(host.owner, host.id)).toMatchObject({ status: 200, body: before });
  });

  it("asks for a second factor where the organization does", async () => {
    const { owner, id, path } = await newHost();
    await asOwner(["update sessions set second_factor = 'given' where user_id = $1", [owner.id]]);
    const body = { mfaRequired: true };
    expect((await service.call("PATCH", path, { token: owner.token, body })).status).toBe(200);
    await remove(owner, id);
    const withoutFactor = await signInPerson(service, owner.email);
    expect(idsOf(await listDeleted(withoutFactor))).toEqual([id]);
    expectProblem(await restore(withoutFactor, id), "mfa_enrollment_required");
    expect((await restore(owner, id)).status).toBe(200);
  });

  it("refuses one that never was, and what is no id", async () => {
    const ada = await signUpVerified();
    expectProblem(await restore(ada, crypto.randomUUID()), "not_found");
    expectProblem(await restore(ada, "acme"), "invalid_request");
  });
});
