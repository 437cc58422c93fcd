import { describe, expect, it } from "vitest";
import { readMe, refresh, signIn, signUp, storedSessions, storedUser } from "../support/accounts.ts";
import { addMember, asOwner } from "../support/database.ts";
import { deleteAccount, isLocked, organizationExists, rolesIn, traces } from "../support/deletions.ts";
import { mailsTo } from "../support/mailbox.ts";
import { giveResetToken } from "../support/one-time-tokens.ts";
import { signInFrom } from "../support/guesses.ts";
import { expectProblem } from "../support/problems.ts";
import {
  createOrganization,
  goodPassword,
  newAddress,
  openService,
  type Person,
  signInPerson,
  signUpPerson,
} from "../support/service.ts";
import { atOnce, counted, crowd, expectTally, tally, tenRounds } from "./at-once.ts";
import { insertMembers } from "../support/members-sql.ts";

const service = openService();

const signUpPeople = (count: number) => atOnce(() => signUpPerson(service), count);
const create = ({ token }: Person, headers: Record<string, string> = {}, by = service) =>
  by.call("POST", "/v1/organizations", { token, body: { name: "Made meanwhile" }, headers });
const reset = (token: string, by = service) =>
  by.call("POST", "/v1/auth/reset-password", { body: { token, password: "another harbour at dusk" } });

/** Runs the work while a transaction that did these statements, and has the organization, is not committed yet. */
async function meanwhile<T>(organizationId: string, statements: [string, unknown[]][], work: () => Promise<T>) {
  const held = asOwner(["select from organizations where id = $1 for key share", [organizationId]], ...statements, [
    "select pg_sleep(2)",
  ]);
  await expect.poll(() => isLocked("organizations", organizationId), { interval: 5, timeout: 2000 }).toBe(true);
  const result = await work();
  await held;
  return result;
}

/** Whether somebody waits for the transaction that has this session. */
async function isAwaited(sessionId: string): Promise<boolean> {
  const [rows] = await asOwner([
    `select exists (select from pg_locks l join sessions s on s.xmax = l.transactionid
                     where s.id = $1 and l.locktype = 'transactionid' and not l.granted) as waits`,
    [sessionId],
  ]);
  return rows?.[0]?.["waits"];
}

/** Deletes an account, and runs the work while the deletion has all its locks and is not committed yet. */
async function duringDeletion(
  ada: Person,
  organizationId: string,
  work: () => Promise<void>,
  by = service,
): Promise<void> {
  const [session] = await storedSessions(ada.id);
  const held = asOwner(["select from sessions where id = $1 for update", [session?.["id"]]], ["select pg_sleep(2)"]);
  await expect.poll(() => isLocked("sessions", session?.["id"]), { interval: 5, timeout: 2000 }).toBe(true);
  const deletion = deleteAccount(ada, by);
  // The sessions go last, with the account.
  await expect.poll(() => isAwaited(session?.["id"]), { interval: 5, timeout: 2000 }).toBe(true);
  expect(await isLocked("organizations", organizationId)).toBe(true);
  const working = work();
  await held;
  expect((await deletion).status).toBe(204);
  await working;
}

describe("A deletion that meets a change of its organization", () => {
  it("waits for another owner who goes, and is then refused as the last one's", async () => {
    const [ada, grace, edsger] = (await signUpPeople(3)) as [Person, Person, Person];
    const { id } = await createOrganization(service, ada);
    await addMember(id, grace.id, "owner");
    await addMember(id, edsger.id, "member");
    const leaving: [string, unknown[]] = ["delete from memberships where user_id = $1", [grace.id]];
    const lock: [string, unknown[]] = ["select from organizations where id = $1 for update", [id]];
    expectProblem(await meanwhile(id, [lock, leaving], () => deleteAccount(ada)), "sole_owner");
    expect(await rolesIn(id)).toEqual({ [ada.id]: "owner", [edsger.id]: "member" });
  });

  it("waits for somebody who is added, and is then refused", async () => {
    const [ada, grace] = (await signUpPeople(2)) as [Person, Person];
    const { id } = await createOrganization(service, ada);
    const insert = insertMembers("select $1::uuid, $2::uuid, 'member'");
    expectProblem(await meanwhile(id, [[insert, [id, grace.id]]], () => deleteAccount(ada)), "sole_owner");
    expect(await rolesIn(id)).toEqual({ [ada.id]: "owner", [grace.id]: "member" });
  });

  it("waits until it is given the ownership, and is then refused", async () => {
    const [ada, grace] = (await signUpPeople(2)) as [Person, Person];
    const { id } = await createOrganization(service, grace);
    await addMember(id, ada.id, "member");
    const transfer =
      "update membership_roles set role = case user_id when $2::uuid then 'owner' else 'admin' end where organization_id = $1";
    const lock: [string, unknown[]] = ["select from organizations where id = $1 for update", [id]];
    expectProblem(await meanwhile(id, [lock, [transfer, [id, ada.id]]], () => deleteAccount(ada)), "sole_owner");
    expect(await rolesIn(id)).toEqual({ [ada.id]: "owner", [grace.id]: "admin" });
  });

  it("waits for the organization's own deletion, and is done", async () => {
    const [ada, grace] = (await signUpPeople(2)) as [Person, Person];
    const { id } = await createOrganization(service, ada);
    await addMember(id, grace.id, "member");
    const remove: [string, unknown[]] = ["delete from organizations where id = $1", [id]];
    expect((await meanwhile(id, [remove], () => deleteAccount(ada))).status).toBe(204);
    expect(await traces(ada)).toEqual([]);
  });

  it("takes along an organization that was begun before it and committed after", async () => {
    const ada = await signUpPerson(service);
    const { id } = await createOrganization(service, ada);
    const begun = crypto.randomUUID();
    const statements: [string, unknown[]][] = [
      ["insert into organizations (id, name, slug) values ($1, 'Begun', $2)", [begun, begun]],
      [insertMembers("select $1::uuid, $2::uuid, 'owner'"), [begun, ada.id]],
    ];
    expect((await meanwhile(id, statements, () => deleteAccount(ada))).status).toBe(204);
    expect([await organizationExists(begun), await traces(ada)]).toEqual([false, []]);
  });
});

describe("While a deletion is not committed yet,", () => {
  it("nobody is added to an organization that goes with it", async () => {
    const [ada, grace] = (await signUpPeople(2)) as [Person, Person];
    const { id } = await createOrganization(service, ada);
    await duringDeletion(ada, id, async () => {
      await expect(addMember(id, grace.id, "member")).rejects.toMatchObject({ code: "23503" });
    });
    expect(await organizationExists(id)).toBe(false);
  });

  it("another owner who goes as well waits, and is refused as the last one", async () => {
    const [ada, grace, edsger] = (await signUpPeople(3)) as [Person, Person, Person];
    const { id } = await createOrganization(service, ada);
    await addMember(id, grace.id, "owner");
    await addMember(id, edsger.id, "member");
    await duringDeletion(ada, id, async () => expectProblem(await deleteAccount(grace), "sole_owner"));
    expect(await rolesIn(id)).toEqual({ [grace.id]: "owner", [edsger.id]: "member" });
  });

  it("the person creates nothing, signs in nowhere and is mailed no link", async () => {
    const ada = await signUpPerson(service);
    const link = await giveResetToken(ada.id);
    const { id } = await createOrganization(service, ada);
    const key = { "idempotency-key": crypto.randomUUID() };
    const own = openService();
    const work = async () => {
      const outcomes = await Promise.all([
        create(ada, {}, own),
        create(ada, key, own),
        signIn(ada.email, goodPassword, own),
        refresh(ada.refreshToken, own),
        reset(link, own),
        own.call("DELETE", "/v1/auth/sessions?scope=all", ada),
        own.call("POST", "/v1/auth/forgot-password", { body: { email: ada.email } }),
        deleteAccount(ada, own),
      ]);
      expect(outcomes.map(({ status, body }) => body?.code ?? status)).toEqual([
        "unauthenticated",
        "unauthenticated",
        "invalid_credentials",
        "unauthenticated",
        "invalid_token",
        // Admitted before; there was no session left to revoke.
        204,
        202,
        "unauthenticated",
      ]);
    };
    await duringDeletion(ada, id, work, own);
    expect(await traces(ada)).toEqual([]);
    // Two of them the sign-in's: nothing was tried again, as it would be after a deadlock.
    expect(await own.databaseRequests()).toHaveLength(10);
    expect((await mailsTo(ada.email)).map(({ subject }) => subject)).toEqual(["Your account was deleted"]);
  });

  it("an Idempotency-Key that is used again after 24 hours waits for it, and does not hinder it", async () => {
    const ada = await signUpPerson(service);
    const key = { "idempotency-key": crypto.randomUUID() };
    const { id } = (await create(ada, key)).body;
    const age = "update idempotency_keys set created_at = now() - interval '25 hours' where scope = $1";
    await asOwner([age, [`user:${ada.id}`]]);
    const own = openService();
    const answers = await meanwhile(id, [], async () => {
      const deletion = deleteAccount(ada, own);
      await expect.poll(() => isLocked("users", ada.id), { interval: 5, timeout: 2000 }).toBe(true);
      return Promise.all([deletion, create(ada, key, own)]);
    });
    expectTally(answers, { 204: 1, "401 unauthenticated": 1 });
    expect(await traces(ada)).toEqual([]);
    expect(await own.databaseRequests()).toHaveLength(2);
  });

  it("its address waits for it, and is free then", async () => {
    const ada = await signUpPerson(service);
    const { id } = await createOrganization(service, ada);
    await duringDeletion(ada, id, async () => {
      expect((await signUp({ email: ada.email, password: goodPassword, name: "New" })).status).toBe(201);
    });
    expect(await storedUser(ada.email)).toMatchObject({ name: "New" });
  });
});

describe("50 at once", tenRounds, () => {
  it("delete one account: one does, the others find no session, and one notice is mailed", async () => {
    const ada = await signUpPerson(service);
    await createOrganization(service, ada);
    const answers = await atOnce(() => deleteAccount(ada));
    expectTally(answers, { 204: 1, "401 unauthenticated": crowd - 1 });
    expect(await traces(ada)).toEqual([]);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("leave one organization as its owners: the last is kept by the member who stays", async () => {
    const [member, first, ...others] = await signUpPeople(crowd);
    if (!member || !first) throw new Error("nobody is there");
    const { id } = await createOrganization(service, first);
    await addMember(id, member.id, "member");
    for (const owner of others) await addMember(id, owner.id, "owner");
    const owners = [first, ...others];
    const own = openService();
    const leave = counted((i) => deleteAccount(owners[i] ?? first, own));
    const answers = await atOnce(leave, owners.length);
    expectTally(answers, { 204: owners.length - 1, "409 sole_owner": 1 });
    const last = owners[answers.findIndex(({ status }) => status === 409)];
    expect(await rolesIn(id)).toEqual({ [member.id]: "member", [last?.id ?? ""]: "owner" });
    // A deadlock would have been tried again.
    expect(await own.databaseRequests()).toHaveLength(leave.calls);
  });

  it("leave several organizations that nobody else is in: all go, and the organizations with the last", async () => {
    const people = await signUpPeople(crowd);
    const ids: string[] = [];
    for (const owner of people.slice(0, 5)) ids.push((await createOrganization(service, owner)).id);
    await asOwner([
      insertMembers("select o, u, 'owner' from unnest($1::uuid[]) o, unnest($2::uuid[]) u"),
      [ids, people.map(({ id }) => id)],
    ]);
    const own = openService();
    const leave = counted((i) => deleteAccount(people[i] as Person, own));
    const answers = await atOnce(leave);
    expectTally(answers, { 204: crowd });
    for (const id of ids) expect(await organizationExists(id)).toBe(false);
    expect(await own.databaseRequests()).toHaveLength(leave.calls);
  });

  it("use an account in every way while it is deleted: nothing fails, and nothing of it is left", async () => {
    const ada = await signUpPerson(service);
    const others = await atOnce(() => signInPerson(service, ada.email), 5);
    const old = crypto.randomUUID();
    await create(ada, { "idempotency-key": old });
    await asOwner([
      "update idempotency_keys set created_at = now() - interval '25 hours' where scope = $1",
      [`user:${ada.id}`],
    ]);
    const uses = [
      () => create(ada),
      () => create(ada, { "idempotency-key": old }),
      () => create(ada, { "idempotency-key": crypto.randomUUID() }),
      () => signInFrom(newAddress(), ada.email, goodPassword),
      (i: number) => refresh(others[i % 5]?.refreshToken),
      () => service.call("GET", "/v1/users/me/export", ada),
      () => service.call("POST", "/v1/auth/forgot-password", { body: { email: ada.email } }),
      () => service.call("PATCH", "/v1/users/me", { token: ada.token, body: { name: "Ada King" } }),
      () => readMe(ada.token),
      () => deleteAccount(ada),
    ];
    const answers = await atOnce((i) => uses[i % uses.length]?.(i) ?? expect.fail());
    const bad = answers.filter(({ status }) => status >= 400);
    expect(new Set(bad.map(({ body }) => body.code))).toEqual(new Set(["unauthenticated", "invalid_credentials"]));
    expect(answers.filter((_, i) => i % uses.length === uses.length - 1 && answers[i]?.status === 204)).toHaveLength(1);
    expect(await traces(ada)).toEqual([]);
  });

  it("set a new password with several links while the account is deleted: the one or the other, and no deadlock", async () => {
    const ada = await signUpPerson(service);
    const links: string[] = [];
    for (let n = 0; n < 5; n++) links.push(await giveResetToken(ada.id));
    const own = openService();
    const use = counted((i) => (i % 2 ? deleteAccount(ada, own) : reset(links[i % 5] ?? "", own)));
    const answers = await atOnce(use);
    const { 204: done = 0, "401 unauthenticated": noSession = 0, "400 invalid_token": noToken = 0 } = tally(answers);
    expect([done + noSession + noToken, done > 0 && done <= 2]).toEqual([crowd, true]);
    if (await storedUser(ada.email)) expect((await signIn(ada.email, "another harbour at dusk")).status).toBe(200);
    else expect(await traces(ada)).toEqual([]);
    expect(await own.databaseRequests()).toHaveLength(use.calls);
  });
});
