import { describe, expect, it } from "vitest";
import { at, days, meters, miscounted, newEvent, newUser, outcomesOf } from "./support/usage.ts";

describe("What is told at POST /v1/organizations/{organizationId}/usage/events", () => {
  it("records what the limit has room for, and nothing that counts after it (22)", async () => {
    const user = await newUser([
      { ...meters.sum, limit: "5" },
      { ...meters.unique, limit: "1" },
      { ...meters.max, limit: "5" },
    ]);
    const answer = await user.record([
      ...["3", "2.5", "1", "0"].map((value) => newEvent({ data: { value } })),
      ...["ada", "grace", "ada", "grace"].map((value) => newEvent({ type: "given-unique", data: { value } })),
      ...["6", "5"].map((value) => newEvent({ type: "given-monthly", data: { value } })),
    ]);
    const full = "402 quota_exceeded";
    expect(outcomesOf(answer)).toEqual(["201", full, full, "201", "201", full, "201", full, full, "201"]);
    expect(answer.body.usage.map(({ used, remaining }: Record<string, string>) => [used, remaining])).toEqual([
      ["3", "2"],
      ["5", null],
      ["1", "0"],
    ]);
    expect(await miscounted(user.id)).toEqual([]);
    const refused = newEvent({ data: { value: "2" } });
    expect(outcomesOf(await user.record([refused, newEvent()]))).toEqual(["201", full]);
  });

  it("keeps no refusal: what the limit had no room for is recorded once there is", async () => {
    const user = await newUser([{ ...meters.sum, limit: "1" }]);
    const event = newEvent({ data: { value: "2" } });
    expect(outcomesOf(await user.record([event, event]))).toEqual(["402 quota_exceeded", "402 quota_exceeded"]);
    await user.move([{ ...meters.sum, limit: "2" }]);
    expect(outcomesOf(await user.record([event]))).toEqual(["201"]);
  });

  it("counts a late event in the period that it is of, and none of too long ago or to come (23)", async () => {
    const user = await newUser([{ ...meters.sum, limit: "10" }]);
    await user.anchor(at(-days(10)));
    const answer = await user.record([
      newEvent({ time: at(-days(12)), data: { value: 8 } }),
      newEvent({ time: at(-days(34)), data: { value: 2 } }),
      newEvent({ time: at(-days(12)), data: { value: 1 } }),
      newEvent({ time: at(-days(36)) }),
      newEvent({ time: at(4 * 60_000), data: { value: 3 } }),
      newEvent({ time: at(6 * 60_000) }),
      newEvent({ time: "0000-01-01T00:00:00Z" }),
      newEvent({ time: "9999-12-31T23:59:59-23:59" }),
    ]);
    expect(outcomesOf(answer)).toEqual([
      "201",
      "201",
      "402 quota_exceeded",
      "409 event_too_old",
      "201",
      "409 event_in_future",
      "409 event_too_old",
      "409 event_in_future",
    ]);
    expect(await user.used()).toBe("3");
  });

  it("counts what is used at the end of a period in the next one (19)", async () => {
    const user = await newUser();
    const end = new Date(Date.now() - days(3)).toISOString();
    await user.anchor(end);
    await user.record([
      newEvent({ time: end, data: { value: 1 } }),
      newEvent({ time: new Date(Date.parse(end) - 1).toISOString(), data: { value: 2 } }),
    ]);
    expect((await user.usage())[0]).toMatchObject({ used: "1", startedAt: end });
  });

  it("keeps what was used when the plan changes, whose limit it has from then on (24)", async () => {
    const user = await newUser([{ ...meters.sum, limit: "10" }]);
    await user.record([newEvent({ data: { value: 8 } })]);
    await user.move([{ ...meters.sum, limit: "5" }]);
    expect((await user.usage())[0]).toMatchObject({ used: "8", limit: "5", remaining: "0" });
    expect(outcomesOf(await user.record([newEvent()]))).toEqual(["402 quota_exceeded"]);
    await user.move([{ ...meters.sum, limit: "20", per: "year" }]);
    expect((await user.usage())[0]).toMatchObject({ used: "8", limit: "20", remaining: "12" });
    expect(outcomesOf(await user.record([newEvent()]))).toEqual(["201"]);
    await user.move([{ ...meters.sum, limit: null }]);
    expect((await user.usage())[0]).toMatchObject({ used: "9", limit: null, remaining: null });
    expect(await miscounted(user.id)).toEqual([]);
  });

  it("counts in each period that was ever counted by, so that an earlier plan's is right again", async () => {
    const user = await newUser();
    const beginning = at(-days(1));
    await user.anchor(beginning);
    await user.record([newEvent({ time: at(-days(2)) })]);
    await user.move([{ ...meters.sum, per: "year" }]);
    await user.anchor(at(-days(3)));
    await user.record([newEvent(), newEvent({ time: at(-days(2)) })]);
    expect(await user.used()).toBe("3");
    await user.move([meters.sum]);
    await user.anchor(beginning);
    expect(await user.used()).toBe("1");
    await user.anchor(at(-days(4)));
    expect(await user.used()).toBe("3");
    expect(await miscounted(user.id)).toEqual([]);
  });
});
