import { describe, expect, it } from "vitest";
import { asOwner } from "../support/database.ts";
import { newAdmin } from "../support/platform.ts";
import { at, meters, miscounted, newEvent, newUser } from "../support/usage.ts";
import { atOnce, crowd, tenRounds } from "./at-once.ts";

const eventsOf = async (organizationId: string) => {
  const [rows = []] = await asOwner([
    "select count(*)::int as events, coalesce(sum(value), 0)::int as total from usage_events where organization_id = $1",
    [organizationId],
  ]);
  return rows[0];
};

/** How often each outcome came, over all events of all answers. A repetition of what nobody had heard of is recorded as well. */
const outcomes = (answers: { body: any }[]) => {
  const counts: Record<string, number> = {};
  for (const { status } of answers.flatMap(({ body }) => body.results)) {
    const outcome = status === 200 ? 201 : status;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
};

describe("50 at once", tenRounds, () => {
  it("record up to a limit: exactly that, and never one more", async () => {
    const user = await newUser([{ ...meters.sum, limit: "70" }]);
    const events = Array.from({ length: crowd }, () => [newEvent(), newEvent(), newEvent()]);
    const answers = await atOnce((i) => user.record(events[i] ?? []));
    expect(outcomes(answers)).toEqual({ 201: 70, 402: crowd * 3 - 70 });
    expect(await eventsOf(user.id)).toEqual({ events: 70, total: 70 });
    expect(await user.used()).toBe("70");
    expect(await miscounted(user.id)).toEqual([]);
  });

  it("record the same events, in whatever order: each counts once", async () => {
    const user = await newUser();
    const events = Array.from({ length: 20 }, () => newEvent({ time: at(-1000), data: { value: "3" } }));
    const answers = await atOnce((i) => user.record(i % 2 === 0 ? events : events.toReversed()));
    expect(outcomes(answers)).toEqual({ 201: crowd * 20 });
    const recorded = answers.flatMap(({ body }) => body.results).filter(({ status }) => status === 201);
    expect(recorded.length).toBeLessThanOrEqual(20);
    expect(await eventsOf(user.id)).toEqual({ events: 20, total: 60 });
    expect(await user.used()).toBe("60");
  });

  it("record one id for two meters, and two ids for them crosswise: one event each, and the others are told", async () => {
    const user = await newUser();
    const [ids, time] = [[crypto.randomUUID(), crypto.randomUUID()], at(-1000)];
    const answers = await atOnce((i) =>
      user.record(ids.map((id, j) => newEvent({ id, type: (i + j) % 2 === 0 ? "given-metered" : "given-last", time }))),
    );
    for (const status of Object.keys(outcomes(answers))) expect(["201", "422"]).toContain(status);
    expect(await eventsOf(user.id)).toEqual({ events: 2, total: 2 });
    expect(await miscounted(user.id)).toEqual([]);
  });

  it("record while what was recorded is corrected: counters are what the events come to", async () => {
    const [user, { call }] = [await newUser([{ ...meters.sum, limit: "1000" }, meters.unique]), await newAdmin()];
    const events = Array.from({ length: 10 }, (_, i) => newEvent({ data: { value: String(i) } }));
    await user.record(events);
    await atOnce((i) =>
      i % 5 === 0
        ? call("POST", `organizations/${user.id}/usage/corrections`, {
            reason: "Race",
            corrections: [{ source: "/tests", id: events[i / 5]?.id, value: i % 10 === 0 ? null : "100" }],
          })
        : user.record([newEvent(), newEvent({ type: "given-unique", data: { value: `person ${i % 7}` } })]),
    );
    expect(await user.used()).toBe(String(5 * 100 + 40));
    expect(await user.used("given-unique")).toBe("7");
    expect(await miscounted(user.id)).toEqual([]);
  });
});

describe("A correction", () => {
  it("knows nothing of an event of another meter that is told while it waits", async () => {
    const [user, { call }] = [await newUser(), await newAdmin()];
    const [known, unknown] = [newEvent({ type: "given-last" }), newEvent()];
    await user.record([known]);
    const holding = asOwner(
      ["select pg_advisory_xact_lock(hashtextextended('usage:' || $1 || ':given-last', 0))", [user.id]],
      ["select pg_sleep(1)"],
    );
    await asOwner(["select pg_sleep(0.3)"]);
    const correcting = call("POST", `organizations/${user.id}/usage/corrections`, {
      reason: "Race",
      corrections: [known, unknown].map(({ source, id }) => ({ source, id, value: "7" })),
    });
    await asOwner(["select pg_sleep(0.3)"]);
    await user.record([unknown, ...Array.from({ length: 300 }, () => newEvent())]);
    await holding;
    expect((await correcting).body.results.map(({ status }: { status: number }) => status)).toEqual([200, 404]);
    expect(await user.used()).toBe("301");
    expect(await miscounted(user.id)).toEqual([]);
  });
});

describe("An organization that the statistics do not know", () => {
  it.each(["given-metered", "given-unique"])("records thousands of events of %s as fast as the first", async (type) => {
    const other = await newUser();
    await other.record(Array.from({ length: 1000 }, () => newEvent()));
    await asOwner(["analyze usage_events"]);
    const user = await newUser();
    for (let batch = 0; batch < 10; batch++) {
      const events = Array.from({ length: 1000 }, (_, i) =>
        newEvent({ type, data: { value: String(batch * 500 + i) } }),
      );
      expect((await user.record(events)).status).toBe(207);
    }
    expect(await miscounted(user.id)).toEqual([]);
  });
});
