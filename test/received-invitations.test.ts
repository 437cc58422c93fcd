import { describe, expect, it } from "vitest";
import { readMe, signUpVerified } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import {
  accept,
  answerMine,
  decline,
  expireInvitation,
  listMine,
  lookUp,
  membersOf,
  newHost,
  signUpInvited,
} from "./support/invitations.ts";
import { lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { giveToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { newEmail, openService, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();

describe("An invitation's token", () => {
  it("shows, to whoever has it, what it is for", async () => {
    const host = await newHost();
    const { email, token } = await host.inviteSomebody(["viewer", "member"]);
    const { status, body } = await lookUp(token);
    expect(status).toBe(200);
    expect(body).toEqual({
      email,
      organizationName: "Acme",
      inviterName: "Ada Lovelace",
      roles: ["member", "viewer"],
      expiresAt: expect.any(String),
    });
  });

  it("is refused in the same words when it is unknown, expired, used, declined or revoked", async () => {
    const host = await newHost();
    const [expired, used, declined, revoked] = await Promise.all([
      host.inviteSomebody(),
      host.inviteSomebody(),
      host.inviteSomebody(),
      host.inviteSomebody(),
    ]);
    await expireInvitation(expired.id);
    expect((await signUpInvited(used.token, used.email)).status).toBe(201);
    expect((await decline(declined.token)).status).toBe(204);
    expect((await host.revoke(host.owner, revoked.id)).status).toBe(204);
    const ada = await signUpPerson(service);
    const unknown = "A".repeat(43);
    for (const token of [unknown, ...[expired, used, declined, revoked].map(({ token }) => token)]) {
      const answers = [await lookUp(token), await decline(token), await accept(ada, token)];
      for (const answer of [...answers, await signUpInvited(token, newEmail())]) {
        expectProblem(answer, "invalid_token");
        expect([answer.body.title, answer.body.detail]).toEqual([
          "The link is not valid, was used already, or has expired",
          "The link is not valid, was used already, or has expired.",
        ]);
      }
    }
    expect(await membersOf(host.id)).toHaveLength(2);
  });

  it("makes the account of its address a member, once, and verifies the address", async () => {
    const host = await newHost();
    const grace = await signUpPerson(service);
    const { token, id } = await host.inviteSomebody(["viewer"], host.owner, grace.email);
    const change = await giveToken(grace.id, "change_email_new", newEmail());
    expect((await readMe(grace.token)).body.emailVerified).toBe(false);
    const { status, body } = await accept(grace, token);
    expect(status).toBe(201);
    expect(body).toMatchObject({ id: host.id, name: "Acme", roles: ["viewer"], mfaRequired: false });
    expect((await readMe(grace.token)).body.emailVerified).toBe(true);
    const member = await service.call("GET", `${host.path}/members/${grace.id}`, { token: host.owner.token });
    expect(member.body).toMatchObject({ joinedBy: "invitation", invitedBy: host.owner.id, roles: ["viewer"] });
    expectProblem(await accept(grace, token), "invalid_token");
    const { data } = (await host.list(host.owner, "?status=accepted")).body;
    expect(data).toMatchObject([{ id, endedAt: expect.any(String) }]);
    // A change of address that was asked for before it was verified would not have asked that address.
    const confirmed = await service.call("POST", "/v1/auth/change-email/confirm", {
      token: grace.token,
      body: { token: change },
    });
    expectProblem(confirmed, "invalid_token");
  });

  it("is of no use to an account of another address: 403, and it stays good", async () => {
    const host = await newHost();
    const { email, token } = await host.inviteSomebody();
    expectProblem(await accept(await signUpVerified(), token), "invitation_email_mismatch");
    expectProblem(await signUpInvited(token, newEmail()), "invitation_email_mismatch");
    expect(await membersOf(host.id)).toHaveLength(1);
    expect((await signUpInvited(token, email.toUpperCase())).status).toBe(201);
  });

  it("is of no use to a member: 409, who stays what they are", async () => {
    const host = await newHost();
    const grace = await signUpVerified();
    const { token, id } = await host.inviteSomebody(["admin"], host.owner, grace.email);
    await addMember(host.id, grace.id, "viewer");
    expectProblem(await accept(grace, token), "already_member");
    expectProblem(await answerMine(grace, id, "accept"), "already_member");
    const grown = (await membersOf(host.id)).find(({ email }) => email === grace.email);
    expect(grown?.["roles"]).toEqual(["viewer"]);
  });

  it("is declined without an account, and is then in the way of no other", async () => {
    const host = await newHost();
    const { email, token } = await host.inviteSomebody();
    expect((await decline(token)).status).toBe(204);
    expect((await host.list(host.owner, "?status=declined")).body.data).toHaveLength(1);
    expect(await host.invite(host.owner, email)).toMatchObject({ status: 201 });
  });
});

describe("Signing up with an invitation's token", () => {
  it.each([undefined, "required"])(
    "makes an account of a verified address that is a member at once, and mails nothing (EMAIL_VERIFICATION %s)",
    async (EMAIL_VERIFICATION) => {
      const host = await newHost();
      const { email, token } = await host.inviteSomebody(["admin", "viewer"]);
      const { status, body } = await signUpInvited(token, email, openService({ EMAIL_VERIFICATION }));
      expect(status).toBe(201);
      expect(body).toMatchObject({ email, emailVerified: true, name: "Grace Hopper" });
      expect(await mailsTo(email)).toHaveLength(1);
      const grace = await signInPerson(service, email);
      const { body: organizations } = await service.call("GET", "/v1/organizations", { token: grace.token });
      expect(organizations.data).toMatchObject([{ id: host.id, roles: ["admin", "viewer"] }]);
      expectProblem(await lookUp(token), "invalid_token");
    },
  );

  it("tells whoever has the mailbox that the address has an account, and the invitation stays good", async () => {
    const host = await newHost();
    const grace = await signUpPerson(service);
    const { token } = await host.inviteSomebody(["member"], host.owner, grace.email);
    const required = openService({ EMAIL_VERIFICATION: "required" });
    expectProblem(await signUpInvited(token, grace.email, required), "email_taken");
    expect((await accept(grace, token)).status).toBe(201);
  });

  it("leaves no account behind where the invitation cannot be accepted", async () => {
    const host = await newHost();
    const { email, token } = await host.inviteSomebody();
    await asOwner(["update organizations set member_limit = 1 where id = $1", [host.id]]);
    expectProblem(await signUpInvited(token, email), "member_limit");
    const [accounts] = await asOwner(["select from users where email = $1", [email]]);
    expect(accounts).toEqual([]);
    await asOwner(["update organizations set member_limit = 2 where id = $1", [host.id]]);
    expect((await signUpInvited(token, email)).status).toBe(201);
  });
});

describe("/v1/users/me/invitations", () => {
  it("lists what can be accepted, oldest first, by pages", async () => {
    const grace = await signUpVerified();
    const hosts = [await newHost(), await newHost(), await newHost()];
    const ids: string[] = [];
    for (const host of hosts) ids.push((await host.inviteSomebody(["viewer"], host.owner, grace.email)).id);
    const first = (await listMine(grace, "?limit=2")).body;
    const rest = (await listMine(grace, `?limit=2&cursor=${first.nextCursor}`)).body;
    expect([...first.data, ...rest.data].map(({ id }) => id)).toEqual(ids);
    expect(first.data[0]).toEqual({
      id: ids[0],
      organizationName: "Acme",
      inviterName: "Ada Lovelace",
      roles: ["viewer"],
      expiresAt: expect.any(String),
    });
    await expireInvitation(ids[0] as string);
    expect((await answerMine(grace, ids[1] as string, "decline")).status).toBe(204);
    const accepted = await answerMine(grace, ids[2] as string, "accept");
    expect(accepted.status).toBe(201);
    expect(accepted.body).toMatchObject({ id: hosts[2]?.id, roles: ["viewer"] });
    expect((await listMine(grace)).body.data).toEqual([]);
    for (const id of ids) {
      expectProblem(await answerMine(grace, id, "accept"), "not_found");
      expectProblem(await answerMine(grace, id, "decline"), "not_found");
    }
  });

  it("asks for a verified address: whoever registers a stranger's sees and answers nothing of theirs", async () => {
    const host = await newHost();
    const eve = await signUpPerson(service);
    const { id } = await host.inviteSomebody(["owner"], host.owner, eve.email);
    expectProblem(await listMine(eve), "email_unverified");
    expectProblem(await answerMine(eve, id, "accept"), "email_unverified");
    expectProblem(await answerMine(eve, id, "decline"), "email_unverified");
    expect(await membersOf(host.id)).toHaveLength(1);
  });

  it("knows nobody else's", async () => {
    const host = await newHost();
    const { id } = await host.inviteSomebody();
    const eve = await signUpVerified();
    expect((await listMine(eve)).body).toEqual({ data: [], nextCursor: null });
    expectProblem(await answerMine(eve, id, "accept"), "not_found");
    expectProblem(await answerMine(eve, id, "decline"), "not_found");
    expect((await host.list(host.owner, "?status=pending")).body.data).toHaveLength(1);
  });

  it("follows the address: after a change the old one's are no longer mine", async () => {
    const host = await newHost();
    const grace = await signUpVerified();
    const { id, email, token } = await host.inviteSomebody(["member"], host.owner, grace.email);
    await asOwner(["update users set email = $2 where id = $1", [grace.id, newEmail()]]);
    expectProblem(await answerMine(grace, id, "accept"), "not_found");
    expectProblem(await accept(grace, token), "invitation_email_mismatch");
    const again = tokenOf(await lastMailTo(email));
    expect((await signUpInvited(again, email)).status).toBe(201);
  });
});

describe("An organization of limited size", () => {
  it("takes nobody more by invitation, or by its provider: 409, and the invitation stays good", async () => {
    const host = await newHost();
    const grace = await signUpVerified();
    const { id, token } = await host.inviteSomebody(["member"], host.owner, grace.email);
    await asOwner(["update organizations set member_limit = 1 where id = $1", [host.id]]);
    expectProblem(await accept(grace, token), "member_limit");
    expectProblem(await answerMine(grace, id, "accept"), "member_limit");
    await asOwner(["update organizations set member_limit = 2 where id = $1", [host.id]]);
    expect((await accept(grace, token)).status).toBe(201);
  });
});
