import { describe, expect, it } from "vitest";
import { disableUser, makeStale, signUpVerified } from "./support/accounts.ts";
import { deleteAccount } from "./support/deletions.ts";
import { lastMailTo } from "./support/mailbox.ts";
import { newOwnedHost } from "./support/ownership-transfers.ts";
import { expectProblem } from "./support/problems.ts";

describe("POST /v1/organizations/{organizationId}/ownership-transfer", () => {
  it("offers the caller's ownership for 7 days, by mail, and changes no role", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    const { status, body } = await host.offer(owner, member.id);
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(String),
      fromUserId: owner.id,
      toUserId: member.id,
      createdAt: expect.any(String),
      expiresAt: expect.any(String),
    });
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(7 * 86_400_000);
    expect((await lastMailTo(member.email)).subject).toBe("You are asked to own an organization");
    expect(await host.owners()).toEqual([owner.id]);
    expect((await host.readOffer(owner)).body).toEqual(body);
    expect((await host.readOffer(member)).body).toEqual(body);
  });

  it("is made to members alone, and to no owner", async () => {
    const { owner, ...host } = await newOwnedHost();
    const another = await host.join("owner");
    expectProblem(await host.offer(owner, (await signUpVerified()).id), "not_found");
    expectProblem(await host.offer(owner, crypto.randomUUID()), "not_found");
    expectProblem(await host.offer(owner, another.id), "already_owner");
    expectProblem(await host.offer(owner, owner.id), "already_owner");
  });

  it("is for owners alone, who have signed in a moment ago", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    const admin = await host.join("admin");
    expectProblem(await host.offer(admin, member.id), "forbidden");
    await makeStale(owner);
    expectProblem(await host.offer(owner, member.id), "reauthentication_required");
  });

  it("is refused while another is open, whoever made that; not when that has expired or is void", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    const another = await host.join("owner");
    const viewer = await host.join("viewer");
    await host.offer(owner, member.id);
    expectProblem(await host.offer(owner, viewer.id), "ownership_transfer_pending");
    expectProblem(await host.offer(another, viewer.id), "ownership_transfer_pending");
    await host.expireOffer();
    expect((await host.offer(owner, viewer.id)).body).toMatchObject({ toUserId: viewer.id });
    await disableUser(owner.id);
    expect((await host.offer(another, member.id)).body).toMatchObject({ fromUserId: another.id });
    expectProblem(await host.acceptOffer(viewer), "not_found");
  });

  it("mails ten an hour to one person, at most", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    for (let n = 0; n < 10; n++) {
      expect((await host.offer(owner, member.id)).status).toBe(201);
      expect((await host.withdraw(owner)).status).toBe(204);
    }
    expectProblem(await host.offer(owner, member.id), "rate_limited");
    expectProblem(await host.readOffer(owner), "not_found");
  });
});

describe("GET /v1/organizations/{organizationId}/ownership-transfer", () => {
  it("tells owners and whoever it is made to, and no other member", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    const viewer = await host.join("viewer");
    expectProblem(await host.readOffer(owner), "not_found");
    await host.offer(owner, viewer.id);
    for (const person of [owner, viewer, await host.join("owner")]) {
      expect((await host.readOffer(person)).status).toBe(200);
    }
    for (const person of [member, await host.join("admin"), await signUpVerified()]) {
      expectProblem(await host.readOffer(person), "not_found");
    }
    await host.expireOffer();
    expectProblem(await host.readOffer(viewer), "not_found");
  });
});

describe("POST /v1/organizations/{organizationId}/ownership-transfer/accept", () => {
  it("makes the recipient an owner and no more, and the offerer an admin beside other roles, who is told", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    await host.setRoles(owner, owner.id, ["owner", "viewer"]);
    await host.offer(owner, member.id);
    expect((await host.acceptOffer(member)).status).toBe(204);
    expect(await host.rolesOf(member.id)).toEqual(["owner"]);
    expect(await host.rolesOf(owner.id)).toEqual(["admin", "viewer"]);
    expect((await lastMailTo(owner.email)).subject).toBe("Your offer of ownership was accepted");
    expectProblem(await host.acceptOffer(member), "not_found");
    expectProblem(await host.readOffer(member), "not_found");
  });

  it("goes on when as many mails as there may be were sent in the hour", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    await host.offer(owner, member.id);
    await host.useUpMailsTo(owner);
    expect((await host.acceptOffer(member)).status).toBe(204);
    expect(await host.owners()).toEqual([member.id]);
  });

  it("leaves other owners what they are", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    const another = await host.join("owner");
    await host.offer(owner, member.id);
    expect((await host.acceptOffer(member)).status).toBe(204);
    expect(await host.owners()).toEqual([another.id, member.id].toSorted());
  });

  it("is for the recipient alone, who has signed in a moment ago", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    await host.offer(owner, member.id);
    for (const person of [owner, await host.join("admin"), await signUpVerified()]) {
      expectProblem(await host.acceptOffer(person), "not_found");
    }
    await makeStale(member);
    expectProblem(await host.acceptOffer(member), "reauthentication_required");
    expect(await host.owners()).toEqual([owner.id]);
  });

  it.each([
    ["has expired", (host: Host) => host.expireOffer()],
    ["was withdrawn", (host: Host, another: Person) => host.withdraw(another)],
    ["was declined", (host: Host) => host.declineOffer(host.member)],
    ["is of somebody who has left", (host: Host) => host.leave(host.owner)],
    [
      "is of somebody who is no owner any more",
      (host: Host, another: Person) => host.setRoles(another, host.owner.id, ["admin"]),
    ],
    ["is of somebody disabled", (host: Host) => disableUser(host.owner.id)],
    ["is of somebody whose account is gone", (host: Host) => deleteAccount(host.owner)],
    ["was made to somebody who has left", (host: Host) => host.leave(host.member)],
  ])("knows no offer that %s", async (_, end) => {
    const host = await newOwnedHost();
    const another = await host.join("owner");
    await host.offer(host.owner, host.member.id);
    await end(host, another);
    const before = await host.owners();
    expectProblem(await host.acceptOffer(host.member), "not_found");
    expectProblem(await host.readOffer(another), "not_found");
    expectProblem(await host.withdraw(another), "not_found");
    expect(await host.owners()).toEqual(before);
  });
});

describe("POST /v1/organizations/{organizationId}/ownership-transfer/decline", () => {
  it("is for the recipient alone, as withdrawing is for owners", async () => {
    const { owner, member, ...host } = await newOwnedHost();
    await host.offer(owner, member.id);
    expectProblem(await host.declineOffer(owner), "not_found");
    expectProblem(await host.withdraw(member), "forbidden");
    expect((await host.declineOffer(member)).status).toBe(204);
    expectProblem(await host.declineOffer(member), "not_found");
    expect(await host.rolesOf(member.id)).toEqual(["member"]);
  });
});

type Host = Awaited<ReturnType<typeof newOwnedHost>>;
type Person = Host["owner"];
