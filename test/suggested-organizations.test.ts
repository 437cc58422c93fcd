import { describe, expect, it } from "vitest";
import { disableUser, signUpVerified, verifyAddress } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { joinSuggested, listSuggested, newDomainHost, signUpUnverifiedAt } from "./support/domains.ts";
import { membersOf, signUpInvited } from "./support/invitations.ts";
import { giveToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person } from "./support/service.ts";
import { newDomain } from "./support/sso.ts";

const service = openService();

const post = (path: string, by: Pick<Person, "token"> | undefined, body?: unknown) =>
  service.call("POST", path, { ...(by && { token: by.token }), ...(body !== undefined && { body }) });

const verifyByMail = async (person: Person) =>
  post("/v1/auth/verify-email", person, { token: await giveToken(person.id, "verify_email") });

const changeAddress = async (person: Person, email: string) =>
  post("/v1/auth/change-email/confirm", person, { token: await giveToken(person.id, "change_email_new", email) });

const organizationsOf = async (person: Pick<Person, "token">): Promise<string[]> =>
  (await service.call("GET", "/v1/organizations", { token: person.token })).body.data.map(({ id }: any) => id);

describe("A domain that takes people in", () => {
  it("makes whoever verifies an address of it a member in that moment, with its roles", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join", ["viewer"]);
    const ada = await signUpUnverifiedAt(domain);
    expect(await organizationsOf(ada)).toEqual([]);
    const counted = openService();
    const token = await giveToken(ada.id, "verify_email");
    const answer = await counted.call("POST", "/v1/auth/verify-email", { token: ada.token, body: { token } });
    expect(answer.status).toBe(200);
    expect(await counted.databaseRequests()).toHaveLength(1);
    expect(await organizationsOf(ada)).toEqual([host.id]);
    const member = await service.call("GET", `${host.path}/members/${ada.id}`, { token: host.owner.token });
    expect(member.body).toMatchObject({ joinedBy: "domain", invitedBy: null, roles: ["viewer"] });
  });

  it("does so by whatever way the address is verified: another address, a new password, a sign-in by mail", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join");
    const changing = await signUpVerified();
    expect((await changeAddress(changing, `changed@${domain}`)).status).toBe(200);
    const forgetful = await signUpUnverifiedAt(domain);
    const password = "another harbour at dusk";
    const reset = { token: await giveToken(forgetful.id, "reset_password"), password };
    expect((await post("/v1/auth/reset-password", undefined, reset)).status).toBe(204);
    const mailed = await signUpUnverifiedAt(domain);
    const link = { token: await giveToken(mailed.id, "sign_in") };
    expect((await post("/v1/auth/email-sign-in/verify", undefined, link)).status).toBe(200);
    const emails = (await membersOf(host.id)).map((member) => member["email"]);
    expect(emails).toEqual(expect.arrayContaining([`changed@${domain}`, forgetful.email, mailed.email]));
  });

  it("takes in nobody of another domain, of a subdomain, or of a domain that is not verified", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join");
    const pending = newDomain();
    const { id } = (await host.add(pending)).body;
    expect((await host.update(id, { enrollment: "auto_join" })).status).toBe(200);
    for (const other of [`sub.${domain}`, `x${domain}`, `${domain}.evil.example`, pending]) {
      const eve = await signUpUnverifiedAt(other);
      expect((await verifyByMail(eve)).status).toBe(200);
      expect(await organizationsOf(eve)).toEqual([]);
      expect((await listSuggested(eve)).body.data).toEqual([]);
      expectProblem(await joinSuggested(eve, host.id), "not_found");
    }
  });

  it("is not in the way of a verification where the organization is full; they may join when it is not", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join");
    await asOwner(["update organizations set member_limit = 1 where id = $1", [host.id]]);
    const ada = await signUpUnverifiedAt(domain);
    expect((await verifyByMail(ada)).body.emailVerified).toBe(true);
    expect(await organizationsOf(ada)).toEqual([]);
    expectProblem(await joinSuggested(ada, host.id), "member_limit");
    await asOwner(["update organizations set member_limit = 2 where id = $1", [host.id]]);
    expect((await joinSuggested(ada, host.id)).status).toBe(201);
  });

  it("gives way to an invitation, whose roles count", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join", ["viewer"]);
    const { token, email } = await host.inviteSomebody(["admin"], host.owner, `invited@${domain}`);
    expect((await signUpInvited(token, email)).status).toBe(201);
    const invited = (await membersOf(host.id)).find((member) => member["email"] === email);
    expect(invited).toMatchObject({ roles: ["admin"], joined_by: "invitation" });
  });

  it("leaves memberships as they are when an address is changed to one of elsewhere", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join");
    const ada = await signUpUnverifiedAt(domain);
    await verifyByMail(ada);
    expect((await changeAddress(ada, `ada@${newDomain()}`)).body).toEqual({ status: "changed" });
    expect(await organizationsOf(ada)).toEqual([host.id]);
  });
});

describe("GET /v1/users/me/suggested-organizations", () => {
  it.each(["suggest", "auto_join"])(
    "tells those whose address was verified before of what they may join (%s)",
    async (enrollment) => {
      const host = await newDomainHost();
      const { id, domain } = await host.enroll("none", ["viewer"]);
      const ada = await signUpUnverifiedAt(domain);
      await verifyByMail(ada);
      expect((await listSuggested(ada)).body).toEqual({ data: [] });
      expect((await host.update(id, { enrollment })).status).toBe(200);
      expect((await listSuggested(ada)).body).toEqual({
        data: [{ id: host.id, name: "Acme", domain, roles: ["viewer"] }],
      });
      expect(await organizationsOf(ada)).toEqual([]);
      const { status, body } = await joinSuggested(ada, host.id);
      expect(status).toBe(201);
      expect(body).toMatchObject({ id: host.id, name: "Acme", roles: ["viewer"] });
      expect((await listSuggested(ada)).body).toEqual({ data: [] });
      expectProblem(await joinSuggested(ada, host.id), "already_member");
    },
  );

  it("tells nothing to an address that is not verified, and lets nobody join with one", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join");
    const eve = await signUpUnverifiedAt(domain);
    const mailless = openService({ EMAIL_PROVIDER: undefined });
    for (const on of [service, mailless]) {
      const at = "/v1/users/me/suggested-organizations";
      expectProblem(await on.call("GET", at, { token: eve.token }), "email_unverified");
      expectProblem(await on.call("POST", `${at}/${host.id}/join`, { token: eve.token }), "email_unverified");
    }
    expect(await organizationsOf(eve)).toEqual([]);
  });
});

describe("Whoever was put out of an organization, or left it,", () => {
  it("does not come back by its domain: not with that address, not with another, not with another account", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join");
    const ada = await signUpUnverifiedAt(domain);
    await verifyByMail(ada);
    expect((await host.removeMember(host.owner, ada.id)).status).toBe(204);
    expect((await listSuggested(ada)).body).toEqual({ data: [] });
    expectProblem(await joinSuggested(ada, host.id), "not_found");
    for (const email of [`ada-again@${domain}`, ada.email]) {
      await asOwner(["update users set email_verified_at = null where id = $1", [ada.id]]);
      expect((await changeAddress(ada, email)).status).toBe(200);
      expect(await organizationsOf(ada)).toEqual([]);
    }
    expect((await service.call("DELETE", "/v1/users/me", { token: ada.token })).status).toBe(204);
    const again = await signUpUnverifiedAt(domain);
    await asOwner(["update users set email = $2 where id = $1", [again.id, ada.email]]);
    await verifyByMail(again);
    expect(await organizationsOf(again)).toEqual([]);
    expect((await listSuggested(again)).body).toEqual({ data: [] });
  });

  it("comes back by an invitation", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("suggest");
    const ada = await signUpUnverifiedAt(domain);
    await verifyByMail(ada);
    expect((await joinSuggested(ada, host.id)).status).toBe(201);
    expect((await post(`${host.path}/leave`, ada)).status).toBe(204);
    expectProblem(await joinSuggested(ada, host.id), "not_found");
    const { token } = await host.inviteSomebody(["member"], host.owner, ada.email);
    expect((await post("/v1/invitations/accept", ada, { token })).status).toBe(201);
  });
});

describe("An enrollment by somebody", () => {
  it("who has left, stepped down or is disabled takes nobody in, until another one sets it again", async () => {
    const host = await newDomainHost();
    const [left, demoted, disabled] = [await signUpVerified(), await signUpVerified(), await signUpVerified()];
    for (const { id } of [left, demoted, disabled]) await addMember(host.id, id, "owner");
    const domains = [];
    for (const by of [left, demoted, disabled]) domains.push(await host.enroll("auto_join", ["member"], by));
    expect((await post(`${host.path}/leave`, left)).status).toBe(204);
    await service.call("PATCH", `${host.path}/members/${demoted.id}`, {
      token: host.owner.token,
      body: { roles: ["admin"] },
    });
    await disableUser(disabled.id);
    for (const { id, domain } of domains) {
      const ada = await signUpUnverifiedAt(domain);
      await verifyByMail(ada);
      expect(await organizationsOf(ada)).toEqual([]);
      expectProblem(await joinSuggested(ada, host.id), "not_found");
      expect((await host.update(id, { enrollment: "auto_join" })).status).toBe(200);
      expect((await joinSuggested(ada, host.id)).status).toBe(201);
    }
  });

  it("whose role is deleted takes nobody in", async () => {
    const host = await newDomainHost();
    const desk = { key: "desk", name: "Desk", permissions: ["members:read"] };
    const { body: role } = await post(`${host.path}/roles`, host.owner, desk);
    const { domain } = await host.enroll("auto_join", ["desk"]);
    const gone = await service.call("DELETE", `${host.path}/roles/${role.id}`, { token: host.owner.token });
    expect(gone.status).toBe(204);
    const ada = await signUpUnverifiedAt(domain);
    await verifyAddress(ada);
    expect(await organizationsOf(ada)).toEqual([]);
  });
});
