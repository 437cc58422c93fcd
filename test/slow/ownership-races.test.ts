import { describe, expect, it } from "vitest";
import { newOwnedHost } from "../support/ownership-transfers.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

describe("50 at once", tenRounds, () => {
  it("accept one offer: once", async () => {
    const host = await newOwnedHost();
    await host.offer(host.owner, host.member.id);
    expectTally(await atOnce(() => host.acceptOffer(host.member)), { 204: 1, "404 not_found": crowd - 1 });
    expect(await host.owners()).toEqual([host.member.id]);
    expect(await host.rolesOf(host.owner.id)).toEqual(["admin"]);
  });

  it("accept, decline and withdraw one offer: one of them does", async () => {
    const host = await newOwnedHost();
    await host.offer(host.owner, host.member.id);
    const answers = await atOnce(
      (i) =>
        [host.acceptOffer, host.withdraw, host.declineOffer][i % 3]?.(
          i % 3 === 1 ? host.owner : host.member,
        ) as ReturnType<typeof host.withdraw>,
    );
    const { 204: done, ...others } = tally(answers);
    expect(done).toBe(1);
    // Whoever was an owner may not withdraw any more.
    for (const outcome of Object.keys(others)) expect(["404 not_found", "403 forbidden"]).toContain(outcome);
    const accepted = answers.findIndex(({ status }) => status === 204) % 3 === 0;
    expect(await host.owners()).toEqual([accepted ? host.member.id : host.owner.id]);
  });

  it("accept an offer while its owner leaves: before it, or not at all", async () => {
    const host = await newOwnedHost();
    const another = await host.join("owner");
    await host.offer(host.owner, host.member.id);
    const answers = await atOnce((i) => (i % 2 === 0 ? host.leave(host.owner) : host.acceptOffer(host.member)));
    const accepted = answers.filter(({ status }, i) => i % 2 === 1 && status === 204).length;
    const left = answers.filter(({ status }, i) => i % 2 === 0 && status === 204).length;
    expect(accepted).toBeLessThanOrEqual(1);
    expect(left).toBe(1);
    expect(await host.owners()).toEqual((accepted ? [another.id, host.member.id] : [another.id]).toSorted());
    expect(await host.rolesOf(host.owner.id)).toEqual([]);
  });

  it("accept an only owner's offer while they leave: they leave after it, or stay", async () => {
    const host = await newOwnedHost();
    await host.offer(host.owner, host.member.id);
    const answers = await atOnce((i) => (i % 2 === 0 ? host.leave(host.owner) : host.acceptOffer(host.member)));
    expect(answers.filter(({ status }, i) => i % 2 === 1 && status === 204)).toHaveLength(1);
    expect(await host.owners()).toEqual([host.member.id]);
  });

  it("accept an offer while its owner is demoted, or its recipient removed: one owner stays at least", async () => {
    const host = await newOwnedHost();
    const another = await host.join("owner");
    await host.offer(host.owner, host.member.id);
    const answers = await atOnce((i) => {
      if (i === 20) return host.setRoles(another, host.owner.id, ["viewer"]);
      return i === 30 ? host.removeMember(another, host.member.id) : host.acceptOffer(host.member);
    });
    expect(answers[20]?.status).toBe(200);
    expect(answers[30]?.status).toBe(204);
    const accepted = answers.filter(({ status }, i) => i !== 20 && i !== 30 && status === 204).length;
    expect(accepted).toBeLessThanOrEqual(1);
    expect(await host.owners()).toEqual([another.id]);
  });

  it("offer, two owners to two people: one offer is open", async () => {
    const host = await newOwnedHost();
    const another = await host.join("owner");
    const viewer = await host.join("viewer");
    const answers = await atOnce((i) =>
      i % 2 === 0 ? host.offer(host.owner, host.member.id) : host.offer(another, viewer.id),
    );
    expectTally(answers, { 201: 1, "409 ownership_transfer_pending": crowd - 1 });
    const made = answers.find(({ status }) => status === 201);
    expect((await host.readOffer(host.owner)).body).toEqual(made?.body);
  });
});
