import { beforeAll, describe, expect, it } from "vitest";
import { signUpVerified } from "../support/accounts.ts";
import { addMember, asOwner } from "../support/database.ts";
import { accept, answerMine, decline, membersOf, newHost, signUpInvited } from "../support/invitations.ts";
import type { Answer, Person } from "../support/service.ts";
import { newEmail } from "../support/service.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

let people: Person[];

beforeAll(async () => {
  people = await atOnce(() => signUpVerified());
});

/** As if an hour had passed: ten are mailed to one address in it. */
const forgetMails = () =>
  asOwner(
    ["set local role app_definer"],
    [
      "delete from throttles where scope in (select app_private.mail_scope('invitation|' || email) from unnest($1::text[]) email)",
      [people.map(({ email }) => email)],
    ],
  );

const countOf = async (email: string, organizationId: string) =>
  (await membersOf(organizationId)).filter((member) => member["email"] === email).length;

/** An organization of two, whose admin has invited all of the crowd. */
async function inviteCrowd() {
  const host = await newHost();
  const admin = await signUpVerified();
  await addMember(host.id, admin.id, "admin");
  const { body } = await host.inviteAll(
    admin,
    people.map(({ email }) => ({ email, roles: ["member"] })),
  );
  const ids: string[] = body.results.map(({ invitation }: { invitation: { id: string } }) => invitation.id);
  return { host, admin, acceptAs: (i: number) => answerMine(people[i] as Person, ids[i] as string, "accept") };
}

describe("50 at once", tenRounds, () => {
  it("accept one invitation, by its token and by its id: one does, and there is one membership", async () => {
    const [host, grace] = [await newHost(), people[0] as Person];
    const { id, token } = await host.inviteSomebody(["viewer"], host.owner, grace.email);
    const answers = await atOnce((i) => (i % 2 === 0 ? accept(grace, token) : answerMine(grace, id, "accept")));
    const { 201: joined, ...others } = tally(answers);
    expect(joined).toBe(1);
    expect(Object.keys(others).toSorted()).toEqual(["400 invalid_token", "404 not_found"]);
    expect(await countOf(grace.email, host.id)).toBe(1);
    await forgetMails();
  });

  it("accept at ten places that are left: ten do, and the rest stay invited", async () => {
    const { host, acceptAs } = await inviteCrowd();
    await asOwner(["update organizations set member_limit = 12 where id = $1", [host.id]]);
    const answers = await atOnce((i) => acceptAs(i));
    expectTally(answers, { 201: 10, "409 member_limit": crowd - 10 });
    expect(await membersOf(host.id)).toHaveLength(12);
    expect((await host.list(host.owner, "?status=pending&limit=100")).body.data).toHaveLength(crowd - 10);
    await forgetMails();
  });

  it("sign up with one invitation: one account, which is a member", async () => {
    const host = await newHost();
    const { email, token } = await host.inviteSomebody();
    const { 201: made, ...others } = tally(await atOnce(() => signUpInvited(token, email)));
    expect(made).toBe(1);
    for (const outcome of Object.keys(others)) expect(["409 email_taken", "400 invalid_token"]).toContain(outcome);
    expect(await countOf(email, host.id)).toBe(1);
  });

  it("invite one address: one invitation and one mail", async () => {
    const host = await newHost();
    const email = newEmail();
    const results = await atOnce(() => host.invite(host.owner, email));
    const made = results.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    expect(results.filter(({ code }) => code === "invitation_pending")).toHaveLength(crowd - 1);
    expect((await host.list(host.owner)).body.data).toHaveLength(1);
  });

  it("accept, decline, revoke and send anew: one thing becomes of it, and all that answered agrees", async () => {
    const [host, grace] = [await newHost(), people[1] as Person];
    const { id, token } = await host.inviteSomebody(["viewer"], host.owner, grace.email);
    const ways: [string, () => Promise<Answer>][] = [
      ["accepted", () => accept(grace, token)],
      ["declined", () => decline(token)],
      ["revoked", () => host.revoke(host.owner, id)],
      ["accepted", () => answerMine(grace, id, "accept")],
      ["declined", () => answerMine(grace, id, "decline")],
    ];
    const answers = await atOnce((i) => ways[i % ways.length]?.[1]() as Promise<Answer>);
    const won = answers.flatMap(({ status }, i) => (status < 300 ? [ways[i % ways.length]?.[0]] : []));
    expect(won).toHaveLength(1);
    const [[row] = []] = await asOwner(["select status from invitations where id = $1", [id]]);
    expect([row?.["status"]]).toEqual(won);
    expect(await countOf(grace.email, host.id)).toBe(won[0] === "accepted" ? 1 : 0);
    await forgetMails();
  });

  it("accept while the inviter is put out: who joined did so before, and afterwards nobody does", async () => {
    const { host, admin, acceptAs } = await inviteCrowd();
    const remove = () => host.removeMember(host.owner, admin.id);
    const answers = await atOnce((i) => (i === 25 ? remove() : acceptAs(i)));
    expect(answers[25]?.status).toBe(204);
    const { 201: joined = 0, ...others } = tally(answers);
    for (const outcome of Object.keys(others)) expect(["204", "404 not_found"]).toContain(outcome);
    expect(await membersOf(host.id)).toHaveLength(joined + 1);
    expect((await acceptAs(25)).status).toBe(404);
    await forgetMails();
  });
});
