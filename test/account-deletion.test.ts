import { describe, expect, it } from "vitest";
import { readMe, refresh, signIn, signUp, storedSessions, storedUser, makeStale } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { deleteAccount, organizationExists, rolesIn, traces } from "./support/deletions.ts";
import { failMail, lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, goodPassword, openService, signInPerson, signUpPerson } from "./support/service.ts";
import { insertMembers } from "./support/members-sql.ts";

const service = openService();
const withoutMail = openService({ EMAIL_PROVIDER: undefined });

const resetPassword = (token: string) =>
  service.call("POST", "/v1/auth/reset-password", { body: { token, password: "another harbour at dusk" } });
const signUpAs = (email: string) => signUp({ email, password: goodPassword, name: "Somebody else" });

describe("DELETE /v1/users/me", () => {
  it("leaves nothing of the person in any table, but their id in the audit trail", async () => {
    const ada = await signUpPerson(withoutMail);
    const grace = await signUpPerson(service);
    await createOrganization(withoutMail, ada);
    const shared = await createOrganization(service, grace);
    await addMember(shared.id, ada.id, "admin");
    await failMail({ to: ada.email, status: 500 });
    await service.call("POST", "/v1/auth/forgot-password", { body: { email: ada.email } });
    await service.call("POST", "/v1/organizations", {
      token: ada.token,
      body: { name: "Kept" },
      headers: { "idempotency-key": crypto.randomUUID() },
    });
    const before = (await traces(ada)).map((trace) => trace.split(":")[0]);
    expect([...new Set(before)]).toEqual([
      "idempotency_keys",
      "member_terms",
      "membership_roles",
      "memberships",
      "one_time_tokens",
      "outbox",
      "sessions",
      "users",
    ]);
    expect((await deleteAccount(ada, withoutMail)).status).toBe(204);
    expect(await traces(ada)).toEqual([]);
  });

  it("refuses every token of the account at once, and answers a repetition with 401", async () => {
    const ada = await signUpPerson(service);
    const other = await signInPerson(service, ada.email);
    expect((await deleteAccount(ada)).status).toBe(204);
    for (const { token, refreshToken } of [ada, other]) {
      expectProblem(await readMe(token), "unauthenticated");
      expectProblem(await refresh(refreshToken), "unauthenticated");
      expectProblem(await deleteAccount({ token }), "unauthenticated");
    }
    expectProblem(await signIn(ada.email, goodPassword), "invalid_credentials");
  });

  it("frees the address for somebody who sees nothing of what was before", async () => {
    const ada = await signUpPerson(service);
    const grace = await signUpPerson(service);
    const own = await createOrganization(service, ada);
    const shared = await createOrganization(service, grace);
    await addMember(shared.id, ada.id, "owner");
    const link = await giveResetToken(ada.id);
    await deleteAccount(ada);

    const { status, body: account } = await signUpAs(ada.email);
    expect([status, account.id === ada.id]).toEqual([201, false]);
    const { token } = await signInPerson(service, ada.email);
    const see = async (path: string) => (await service.call("GET", path, { token })).body;
    expect(await see("/v1/users/me")).toMatchObject({ id: account.id, emailVerified: false, name: "Somebody else" });
    expect((await see("/v1/organizations")).data).toEqual([]);
    expect((await see("/v1/auth/sessions")).data).toHaveLength(1);
    for (const { id } of [own, shared]) expect(await see(`/v1/organizations/${id}`)).toMatchObject({ status: 404 });
    expectProblem(await readMe(ada.token), "unauthenticated");
    expectProblem(await resetPassword(link), "invalid_token");
    expect((await signIn(ada.email, goodPassword)).status).toBe(200);
  });

  it("ends the Idempotency-Keys: no earlier answer comes again, whoever repeats the request", async () => {
    const ada = await signUpPerson(service);
    const request = { body: { name: "Acme" }, headers: { "idempotency-key": crypto.randomUUID() } };
    const create = (token: string) => service.call("POST", "/v1/organizations", { ...request, token });
    const first = await create(ada.token);
    await deleteAccount(ada);
    expectProblem(await create(ada.token), "unauthenticated");
    await signUpAs(ada.email);
    const anew = await create((await signInPerson(service, ada.email)).token);
    expect(anew.status).toBe(201);
    expect(anew.headers.has("idempotent-replayed")).toBe(false);
    expect(anew.body.id).not.toBe(first.body.id);
  });

  it("leaves everybody else, and what they share, as they were", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service, "Grace Hopper")];
    const shared = await createOrganization(service, grace);
    const other = await createOrganization(service, grace);
    await addMember(shared.id, ada.id, "member");
    const key = { "idempotency-key": crypto.randomUUID() };
    const create = () =>
      service.call("POST", "/v1/organizations", { token: grace.token, body: { name: "Hers" }, headers: key });
    const created = await create();
    const link = await giveResetToken(grace.id);
    const before = [await storedUser(grace.email), await storedSessions(grace.id)];
    await deleteAccount(ada);
    expect([await storedUser(grace.email), await storedSessions(grace.id)]).toEqual(before);
    for (const { id } of [shared, other]) expect(await rolesIn(id)).toEqual({ [grace.id]: "owner" });
    expect((await create()).body).toEqual(created.body);
    expect((await resetPassword(link)).status).toBe(204);
    expect(await mailsTo(grace.email)).toHaveLength(1);
  });

  it("asks for a password given within 10 minutes, and else changes nothing", async () => {
    const ada = await signUpPerson(service);
    await makeStale(ada);
    const before = await traces(ada);
    expectProblem(await deleteAccount(ada), "reauthentication_required");
    expect(await traces(ada)).toEqual(before);
    expect(await mailsTo(ada.email)).toEqual([]);
  });

  it("is open to an address that is not verified, so that a stranger's can be given back", async () => {
    const strict = openService({ EMAIL_VERIFICATION: "required" });
    const ada = await signUpPerson(service);
    expect((await readMe(ada.token, strict)).status).toBe(200);
    expect((await deleteAccount(ada, strict)).status).toBe(204);
    expect(await storedUser(ada.email)).toBeUndefined();
  });

  it("is one request to the database", async () => {
    const own = openService();
    const ada = await signUpPerson(service);
    await deleteAccount(ada, own);
    expect(await own.databaseRequests()).toHaveLength(1);
  });
});

describe("The notice of a deleted account", () => {
  it("is the one mail that is sent to the address, without a link", async () => {
    const ada = await signUpPerson(service);
    await deleteAccount(ada);
    expect(await mailsTo(ada.email)).toHaveLength(1);
    const mail = await lastMailTo(ada.email);
    expect(mail.subject).toBe("Your account was deleted");
    expect(() => tokenOf(mail)).toThrow("no token");
    expect(await traces(ada)).toEqual([]);
  });

  it("waits for a provider that is down, while the mails before it are sent no more", async () => {
    const ada = await signUpPerson(service);
    await failMail({ to: ada.email, status: 500, times: 2 });
    await service.call("POST", "/v1/auth/forgot-password", { body: { email: ada.email } });
    await deleteAccount(ada);
    const [queued] = await asOwner(["select template, user_id from outbox where recipient = $1", [ada.email]]);
    expect(queued).toEqual([{ template: "account_deleted", user_id: null }]);
  });

  it("is not queued where no provider is set up", async () => {
    const ada = await signUpPerson(withoutMail);
    expect((await deleteAccount(ada, withoutMail)).status).toBe(204);
    expect(await traces(ada)).toEqual([]);
    expect(await mailsTo(ada.email)).toEqual([]);
  });

  it("is not queued for a deletion that is refused", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    await addMember((await createOrganization(service, ada)).id, grace.id, "viewer");
    expectProblem(await deleteAccount(ada), "sole_owner");
    const [queued] = await asOwner(["select from outbox where recipient = $1", [ada.email]]);
    expect([queued, await mailsTo(ada.email)]).toEqual([[], []]);
  });
});

describe("Deleting an account that owns organizations", () => {
  it("is refused with 409 while another member would be left without an owner, and changes nothing", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const [alone, shared] = [await createOrganization(service, ada), await createOrganization(service, ada, "Shared")];
    await addMember(shared.id, grace.id, "admin");
    const before = await traces(ada);
    const answer = await deleteAccount(ada);
    expectProblem(answer, "sole_owner");
    expect(answer.body.organizations).toEqual([{ id: shared.id, name: "Shared", slug: shared.slug }]);
    expect(await traces(ada)).toEqual(before);
    expect(await organizationExists(alone.id)).toBe(true);
    expect((await readMe(ada.token)).status).toBe(200);
  });

  it("names those alone that stand in the way: not those of others, nor those with a second owner", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const make = async (owner: typeof ada, other: typeof ada, role: string) => {
      const organization = await createOrganization(service, owner);
      await addMember(organization.id, other.id, role);
      return organization.id;
    };
    await make(grace, ada, "member");
    await make(grace, ada, "owner");
    await make(ada, grace, "owner");
    const first = await make(ada, grace, "member");
    await createOrganization(service, grace);
    const second = await make(ada, grace, "viewer");
    const { body } = await deleteAccount(ada);
    expect(body.organizations.map(({ id }: { id: string }) => id)).toEqual([first, second]);
  });

  it("names 20 of them at most", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    await asOwner(
      [
        `insert into organizations (id, name, slug)
         select gen_random_uuid(), 'One of many', $1 || '-' || n from generate_series(1, 23) n`,
        [ada.id],
      ],
      [
        insertMembers(
          `select o.id, m.user_id, m.role from organizations o, (values ($1::uuid, 'owner'), ($2::uuid, 'member')) m (user_id, role)
            where o.slug ^@ $1::text`,
        ),
        [ada.id, grace.id],
      ],
    );
    const answer = await deleteAccount(ada);
    expectProblem(answer, "sole_owner");
    expect(answer.body.organizations).toHaveLength(20);
  });

  it("is done once there is a second owner, who keeps the organization", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const { id } = await createOrganization(service, ada);
    await addMember(id, grace.id, "admin");
    expectProblem(await deleteAccount(ada), "sole_owner");
    await asOwner(["update membership_roles set role = 'owner' where user_id = $1", [grace.id]]);
    expect((await deleteAccount(ada)).status).toBe(204);
    expect(await rolesIn(id)).toEqual({ [grace.id]: "owner" });
    expect((await service.call("GET", `/v1/organizations/${id}`, grace)).body.roles).toEqual(["owner"]);
  });

  it("takes along those in which nobody else is, whose slugs are free again", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const { id, slug } = await createOrganization(service, ada, `Own ${crypto.randomUUID()}`);
    expect((await deleteAccount(ada)).status).toBe(204);
    expect(await organizationExists(id)).toBe(false);
    const again = await service.call("POST", "/v1/organizations", { token: grace.token, body: { name: "New", slug } });
    expect(again.status).toBe(201);
  });

  it.each(["admin", "member", "viewer"])("is open to a mere %s of somebody else's", async (role) => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const { id } = await createOrganization(service, grace);
    await addMember(id, ada.id, role);
    expect((await deleteAccount(ada)).status).toBe(204);
    expect(await rolesIn(id)).toEqual({ [grace.id]: "owner" });
  });
});
