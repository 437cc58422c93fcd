import { beforeAll, describe, expect, it } from "vitest";
import { signUpVerified } from "../support/accounts.ts";
import { addMember, asOwner } from "../support/database.ts";
import { membersOf } from "../support/invitations.ts";
import type { Person } from "../support/service.ts";
import { join, newSharingHost } from "../support/share-links.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

let people: Person[];

beforeAll(async () => {
  people = await atOnce(() => signUpVerified());
});

const joinAs = (i: number, token: string) => join(people[i] as Person, token);

describe("50 at once", tenRounds, () => {
  it("join by a link for ten: ten do, and so many are counted", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share({ maxUses: 10 });
    expectTally(await atOnce((i) => joinAs(i, token)), { 201: 10, "404 not_found": crowd - 10 });
    expect(await membersOf(host.id)).toHaveLength(11);
    expect(await host.usesOf(id)).toBe(10);
  });

  it("join for the last use of a link, and the last place of its organization: one does", async () => {
    const host = await newSharingHost();
    const { token } = await host.share({ maxUses: 1 });
    const { token: another } = await host.share({ maxUses: 1 });
    await asOwner(["update organizations set member_limit = 2 where id = $1", [host.id]]);
    const { 201: joined, ...others } = tally(await atOnce((i) => joinAs(i, i % 2 === 0 ? token : another)));
    expect(joined).toBe(1);
    expect(Object.keys(others).toSorted()).toEqual(["404 not_found", "409 member_limit"]);
    expect(await membersOf(host.id)).toHaveLength(2);
  });

  it("join at ten places that are left: ten do, and those who were refused have used nothing", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share({ maxUses: 40 });
    await asOwner(["update organizations set member_limit = 11 where id = $1", [host.id]]);
    expectTally(await atOnce((i) => joinAs(i, token)), { 201: 10, "409 member_limit": crowd - 10 });
    expect(await membersOf(host.id)).toHaveLength(11);
    expect(await host.usesOf(id)).toBe(10);
  });

  it("join as one person: one membership, which is counted once", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share({ maxUses: 40 });
    expectTally(await atOnce(() => joinAs(0, token)), { 201: 1, "409 already_member": crowd - 1 });
    expect(await membersOf(host.id)).toHaveLength(2);
    expect(await host.usesOf(id)).toBe(1);
  });

  it("join while the link is revoked: who joined did so before, and afterwards nobody does", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share({ maxUses: 100 });
    const answers = await atOnce((i) => (i === 25 ? host.revokeLink(host.owner, id) : joinAs(i, token)));
    expect(answers[25]?.status).toBe(204);
    const { 201: joined = 0, ...others } = tally(answers);
    for (const outcome of Object.keys(others)) expect(["204", "404 not_found"]).toContain(outcome);
    expect(await membersOf(host.id)).toHaveLength(joined + 1);
    expect((await joinAs(25, token)).status).toBe(404);
  });

  it("join while the maker of the link steps down: who joined did so before, and afterwards nobody does", async () => {
    const host = await newSharingHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    const { token } = await host.share({ maxUses: 100 }, admin);
    const answers = await atOnce((i) => (i === 25 ? host.removeMember(host.owner, admin.id) : joinAs(i, token)));
    expect(answers[25]?.status).toBe(204);
    const { 201: joined = 0, ...others } = tally(answers);
    for (const outcome of Object.keys(others)) expect(["204", "404 not_found"]).toContain(outcome);
    expect(await membersOf(host.id)).toHaveLength(joined + 1);
    expect((await joinAs(25, token)).status).toBe(404);
  });

  it("are made of one organization: 20 live, and no more", async () => {
    const host = await newSharingHost();
    expectTally(await atOnce(() => host.create(host.owner)), { 201: 20, "409 share_link_limit": crowd - 20 });
  });
});
