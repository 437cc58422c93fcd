import { describe, expect, it } from "vitest";
import { signUpVerified } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { expireInvitation, newHost } from "./support/invitations.ts";
import { lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { expectProblem } from "./support/problems.ts";
import { newEmail, openService, signUpPerson } from "./support/service.ts";

const service = openService();

describe("POST /v1/organizations/{organizationId}/invitations", () => {
  it("invites an address and mails it a link, whose token is in no answer and no table", async () => {
    const host = await newHost();
    const email = newEmail();
    const answer = await host.inviteAll(host.owner, [{ email: email.toUpperCase(), roles: ["viewer", "member"] }]);
    expect(answer.status).toBe(207);
    const day = 24 * 60 * 60 * 1000;
    const [{ invitation, ...result }] = answer.body.results;
    expect(result).toEqual({ email, status: 201 });
    expect(invitation).toEqual({
      id: expect.any(String),
      email,
      roles: ["member", "viewer"],
      teamIds: [],
      status: "pending",
      invitedBy: host.owner.id,
      createdAt: invitation.sentAt,
      sentAt: expect.any(String),
      expiresAt: new Date(Date.parse(invitation.sentAt) + 7 * day).toISOString(),
      endedAt: null,
    });
    const mail = await lastMailTo(email);
    expect(mail.subject).toBe("You are invited");
    expect(mail.text).toContain(`“Ada Lovelace” invites you to join`);
    const token = tokenOf(mail);
    expect(mail.text).toContain(`https://app.acme.example/invitation#token=${token}`);
    expect(JSON.stringify(answer.body)).not.toContain(token);
    const [[row] = []] = await asOwner(["select i::text as row from invitations i where id = $1", [invitation.id]]);
    expect(row?.["row"]).not.toContain(token);
  });

  it("invites 100 at once: each has its own result, and none is in the way of another", async () => {
    const host = await newHost();
    const member = await signUpPerson(service);
    await addMember(host.id, member.id, "member");
    const addresses = Array.from({ length: 96 }, newEmail);
    const twice = newEmail();
    const asked = [
      { email: member.email, roles: ["member"] },
      { email: twice, roles: ["member"] },
      { email: twice, roles: ["viewer"] },
      { email: newEmail(), roles: ["no-such-role"] },
      ...addresses.map((email) => ({ email, roles: ["member"] })),
    ];
    const { status, body } = await host.inviteAll(host.owner, asked);
    expect(status).toBe(207);
    expect(body.results.map(({ email }: { email: string }) => email)).toEqual(asked.map(({ email }) => email));
    expect(body.results.slice(0, 4)).toEqual([
      { email: member.email, status: 409, code: "already_member", title: "The person is a member already" },
      { email: twice, status: 201, invitation: expect.objectContaining({ roles: ["member"] }) },
      { email: twice, status: 409, code: "invitation_pending", title: "The address is invited already" },
      { email: asked[3]?.email, status: 409, code: "unknown_role", title: "The organization has no such role" },
    ]);
    const rest: { status: number }[] = body.results.slice(4);
    expect(rest.every(({ status }) => status === 201)).toBe(true);
    // What goes out with the answer is bounded; the Cron Trigger sends the rest.
    const [[queued] = []] = await asOwner([
      "select count(*)::int from outbox where template = 'invitation' and recipient = any ($1)",
      [addresses],
    ]);
    expect(queued?.["count"]).toBeGreaterThan(0);
  });

  it("gives no roles above the inviter's: an admin makes no owner, nor by a role of the organization's own", async () => {
    const host = await newHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    const refused = { status: 403, code: "role_above_own" };
    expect(await host.invite(admin, newEmail(), ["owner"])).toMatchObject(refused);
    expect(await host.invite(admin, newEmail(), ["member", "owner"])).toMatchObject(refused);
    await service.call("POST", `${host.path}/roles`, {
      token: host.owner.token,
      body: { key: "closer", name: "Closer", permissions: ["organization:delete"] },
    });
    expect(await host.invite(admin, newEmail(), ["closer"])).toMatchObject(refused);
    expect(await host.invite(admin, newEmail(), ["admin"])).toMatchObject({ status: 201 });
    expect(await host.invite(host.owner, newEmail(), ["closer", "owner"])).toMatchObject({ status: 201 });
  });

  it.each([
    ["no roles", []],
    ["a role twice", ["member", "member"]],
    ["roles joined by a comma", ["admin,owner"]],
    ["roles that are no list", "member"],
  ])("takes no invitation with %s: 400, and nobody is invited", async (_, roles) => {
    const host = await newHost();
    const answer = await host.inviteAll(host.owner, [{ email: newEmail(), roles }]);
    expectProblem(answer, "invalid_request");
    expect(answer.body.errors[0].path).toMatch(/^body\.invitations\.0\.roles/);
    expect((await host.list(host.owner)).body.data).toEqual([]);
  });

  it("takes 100 at most, and one at least", async () => {
    const host = await newHost();
    const many = Array.from({ length: 101 }, () => ({ email: newEmail(), roles: ["member"] }));
    expectProblem(await host.inviteAll(host.owner, many), "invalid_request");
    expectProblem(await host.inviteAll(host.owner, []), "invalid_request");
  });

  it("is for those with invitations:write, of a verified address", async () => {
    const host = await newHost();
    const [member, admin] = [await signUpVerified(), await signUpPerson(service)];
    await addMember(host.id, member.id, "member");
    await addMember(host.id, admin.id, "admin");
    expectProblem(await host.inviteAll(member, [{ email: newEmail(), roles: ["viewer"] }]), "forbidden");
    expectProblem(await host.inviteAll(admin, [{ email: newEmail(), roles: ["viewer"] }]), "email_unverified");
    expectProblem(
      await host.inviteAll(await signUpVerified(), [{ email: newEmail(), roles: ["viewer"] }]),
      "not_found",
    );
    expect((await host.list(host.owner)).body.data).toEqual([]);
  });

  it("answers 501 where no mail can be sent", async () => {
    const host = await newHost();
    const off = openService({ EMAIL_PROVIDER: undefined });
    const body = { invitations: [{ email: newEmail(), roles: ["member"] }] };
    const answer = await off.call("POST", `${host.path}/invitations`, { token: host.owner.token, body });
    expectProblem(answer, "email_off");
  });

  it("answers a repetition under its Idempotency-Key with the same invitations, and mails once", async () => {
    const host = await newHost();
    const email = newEmail();
    const send = () =>
      service.call("POST", `${host.path}/invitations`, {
        token: host.owner.token,
        body: { invitations: [{ email, roles: ["member"] }] },
        headers: { "idempotency-key": "invite-once" },
      });
    const [first, second] = [await send(), await send()];
    expect([second.status, second.body]).toEqual([first.status, first.body]);
    expect(second.headers.get("idempotent-replayed")).toBe("true");
    expect(await mailsTo(email)).toHaveLength(1);
  });

  it("takes no 1,001st that is pending; those that have expired do not count", async () => {
    const host = await newHost();
    await asOwner([
      `insert into invitations (organization_id, id, email, roles, key_hash, invited_by, expires_at)
       select $1, gen_random_uuid(), gen_random_uuid() || '@example.com', '{member}',
              sha256(uuid_send(gen_random_uuid())), $2, now() + interval '1 day' from generate_series(1, 999)`,
      [host.id, host.owner.id],
    ]);
    const last = await host.inviteSomebody();
    const refused = { status: 409, code: "invitation_limit" };
    expect(await host.invite(host.owner, newEmail())).toMatchObject(refused);
    await expireInvitation(last.id);
    expect(await host.invite(host.owner, newEmail())).toMatchObject({ status: 201 });
  });

  it("mails ten an hour to one address, whatever organizations ask: then 429, and no invitation", async () => {
    const email = newEmail();
    const hosts = await Promise.all(Array.from({ length: 11 }, newHost));
    const results = [];
    for (const host of hosts) results.push(await host.invite(host.owner, email));
    expect(results.map(({ status }) => status)).toEqual([...Array<number>(10).fill(201), 429]);
    expect(results[10]).toMatchObject({ code: "rate_limited" });
    expect(await mailsTo(email)).toHaveLength(10);
    const last = hosts[10];
    expect((await last?.list(last.owner))?.body.data).toEqual([]);
  });

  it("mails 500 an hour for one person, from whatever organization", async () => {
    const host = await newHost();
    expect(await host.invite(host.owner, newEmail())).toMatchObject({ status: 201 });
    const scope = "app_private.mail_scope('inviter|' || $1::text)";
    await asOwner(
      ["set local role app_definer"],
      [`update throttles set attempts = 499 where scope = ${scope}`, [host.owner.id]],
    );
    expect(await host.invite(host.owner, newEmail())).toMatchObject({ status: 201 });
    expect(await host.invite(host.owner, newEmail())).toMatchObject({ status: 429, code: "rate_limited" });
  });

  it("replaces one that has expired", async () => {
    const host = await newHost();
    const { id, email } = await host.inviteSomebody();
    expect(await host.invite(host.owner, email)).toMatchObject({ status: 409, code: "invitation_pending" });
    await expireInvitation(id);
    expect(await host.invite(host.owner, email, ["viewer"])).toMatchObject({ status: 201 });
    const { body } = await host.list(host.owner);
    expect(body.data.map(({ status, roles }: { status: string; roles: string[] }) => [status, roles])).toEqual([
      ["expired", ["member"]],
      ["pending", ["viewer"]],
    ]);
  });
});
