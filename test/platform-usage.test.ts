import { describe, expect, it } from "vitest";
import { makeStale } from "./support/accounts.ts";
import { newAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { at, days, meters, miscounted, newEvent, newUser, outcomesOf, type TestEvent } from "./support/usage.ts";

const named = ({ source, id }: TestEvent) => ({ source, id });

/** A user of these features, and what an administrator corrects of what they told. */
async function newCorrected(features?: object[]) {
  const [user, { admin, call }] = [await newUser(features), await newAdmin()];
  return {
    ...user,
    admin,
    correct: (corrections: object[], reason = "Ticket 4711") =>
      call("POST", `organizations/${user.id}/usage/corrections`, { corrections, reason }),
  };
}

describe("POST /v1/platform/organizations/{organizationId}/usage/corrections", () => {
  it("lets an event count by another value, and says how much that is now", async () => {
    const user = await newCorrected([{ ...meters.sum, limit: "10" }]);
    const events = [newEvent({ data: { value: "5" } }), newEvent({ data: { value: "3" } })] as const;
    await user.record([...events]);
    const { status, body } = await user.correct([{ ...named(events[0]), value: "1.25" }]);
    expect([status, body]).toEqual([
      207,
      {
        results: [{ ...named(events[0]), status: 200 }],
        usage: [expect.objectContaining({ used: "4.25", remaining: "5.75" })],
      },
    ]);
    expect(await user.used()).toBe("4.25");
    expect(await miscounted(user.id)).toEqual([]);
  });

  it("lets an event count no longer, though it stays told, and count again", async () => {
    const user = await newCorrected();
    const event = newEvent({ time: at(-1000), data: { value: "5" } });
    await user.record([event]);
    await user.correct([{ ...named(event), value: null }]);
    expect(await user.used()).toBe("0");
    expect(outcomesOf(await user.record([event]))).toEqual(["200"]);
    expect(outcomesOf(await user.record([{ ...event, data: { value: "6" } }]))).toEqual(["422 event_id_reused"]);
    await user.correct([{ ...named(event), value: "2" }]);
    expect(await user.used()).toBe("2");
  });

  it("makes room in the limit", async () => {
    const user = await newCorrected([{ ...meters.sum, limit: "5" }]);
    const event = newEvent({ data: { value: 5 } });
    await user.record([event]);
    expect(outcomesOf(await user.record([newEvent()]))).toEqual(["402 quota_exceeded"]);
    await user.correct([{ ...named(event), value: "4" }]);
    expect(outcomesOf(await user.record([newEvent(), newEvent()]))).toEqual(["201", "402 quota_exceeded"]);
  });

  it("counts anew what is left of the greatest, the last, and different ones (25)", async () => {
    const user = await newCorrected();
    const of = (type: string, ...values: (string | undefined)[]) =>
      values.map((value, i) => newEvent({ type, time: at(i - 1000), data: { ...(value && { value }) } }));
    const told = {
      max: of("given-monthly", "3", "10", "7"),
      last: of("given-last", "7", "8"),
      unique: of("given-unique", "ada", "ada", "grace"),
      count: of("given-ever", undefined, undefined),
    };
    await user.record(Object.values(told).flat());
    const none = (event: TestEvent | undefined) => ({ ...named(event as TestEvent), value: null });
    const answer = await user.correct([
      none(told.max[1]),
      none(told.last[1]),
      none(told.unique[0]),
      none(told.unique[2]),
      none(told.count[0]),
    ]);
    expect(new Set(outcomesOf(answer))).toEqual(new Set(["200"]));
    const used = await user.usage();
    expect(Object.fromEntries(used.map(({ meter, used: found }) => [meter, found]))).toEqual({
      "given-metered": "0",
      "given-monthly": "7",
      "given-ever": "1",
      "given-last": "7",
      "given-unique": "1",
    });
    expect(await miscounted(user.id)).toEqual([]);
    // Who counts no longer is somebody new.
    await user.record(of("given-unique", "grace", "ada"));
    expect(await user.used("given-unique")).toBe("2");
  });

  it("corrects what is of an earlier period there", async () => {
    const user = await newCorrected();
    const time = at(-days(8));
    const event = newEvent({ time, data: { value: "5" } });
    await user.record([event, newEvent({ data: { value: "2" } })]);
    await user.correct([{ ...named(event), value: "1" }]);
    expect(await user.used()).toBe("2");
    const { body } = await user.call("GET", `usage/given-metered?from=${time}&to=${at(-days(7))}&window=day`);
    expect(body.data[0].value).toBe("1");
    expect(await miscounted(user.id)).toEqual([]);
  });

  it("takes no value below zero (25), nor one for what has none, and says what there is not", async () => {
    const user = await newCorrected();
    const count = newEvent({ type: "given-ever", data: {} });
    const unique = newEvent({ type: "given-unique", data: { value: "ada" } });
    const sum = newEvent();
    await user.record([count, unique, sum]);
    expectProblem(await user.correct([{ ...named(sum), value: "-1" }]), "invalid_request");
    const answer = await user.correct([
      { ...named(count), value: "1" },
      { ...named(unique), value: "1" },
      { ...named(newEvent()), value: "1" },
      { ...named(sum), value: "2" },
    ]);
    expect(outcomesOf(answer)).toEqual(["409 value_refused", "409 value_refused", "404 not_found", "200"]);
  });

  it("is in the organization's audit trail, with its reason", async () => {
    const user = await newCorrected();
    const event = newEvent();
    await user.record([event]);
    await user.correct([{ ...named(event), value: "0.5" }], "Counted twice");
    const { body } = await user.call("GET", "audit-events?action=usage_correction.created");
    expect(body.data).toMatchObject([
      {
        actor: { type: "platform_admin", id: user.admin.id },
        after: { source: "/tests", id: event.id, value: "0.5", reason: "Counted twice" },
      },
    ]);
  });

  it("reaches no event of another organization by its id", async () => {
    const [user, other] = [await newCorrected(), await newUser()];
    const event = newEvent();
    await other.record([event]);
    expect(outcomesOf(await user.correct([{ ...named(event), value: null }]))).toEqual(["404 not_found"]);
    expect(await other.used()).toBe("1");
  });

  it("is nothing of an organization that there is not, and asks for a fresh session", async () => {
    const { admin, call } = await newAdmin();
    const correct = () =>
      call("POST", `organizations/${crypto.randomUUID()}/usage/corrections`, {
        corrections: [{ ...named(newEvent()), value: null }],
        reason: "Ticket",
      });
    expectProblem(await correct(), "not_found");
    await makeStale(admin);
    expectProblem(await correct(), "reauthentication_required");
  });
});
