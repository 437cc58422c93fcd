import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { at, days, meters, miscounted, newEvent, newUser, outcomesOf } from "./support/usage.ts";

const service = openService();

describe("POST /v1/organizations/{organizationId}/usage/events", () => {
  it("records what was used, and says how much that is now", async () => {
    const user = await newUser([{ ...meters.sum, limit: "100" }]);
    const [first, second] = [newEvent({ data: { value: "2.5" } }), newEvent({ data: { value: 4 }, subject: "job 1" })];
    const { status, body } = await user.record([first, second]);
    expect([status, body]).toEqual([
      207,
      {
        results: [
          { source: "/tests", id: first.id, status: 201 },
          { source: "/tests", id: second.id, status: 201 },
        ],
        usage: [
          {
            meter: "given-metered",
            name: "Metered",
            unit: "piece",
            aggregation: "sum",
            used: "6.5",
            reserved: "0",
            limit: "100",
            remaining: "93.5",
            per: "month",
            startedAt: expect.any(String),
            resetsAt: expect.any(String),
          },
        ],
      },
    ]);
    expect((await user.call("GET", "usage")).body).toEqual({ data: body.usage });
  });

  it("sums, counts, takes the greatest or the last, or counts different ones, as the meter says, and exactly (29)", async () => {
    const user = await newUser();
    const of = (type: string, ...values: (string | undefined)[]) =>
      values.map((value, i) => newEvent({ type, time: at(i - 1000), data: { ...(value && { value }) } }));
    const answer = await user.record([
      ...of("given-metered", "0.1", "0.2", "9007199254740993"),
      ...of("given-ever", undefined, undefined),
      ...of("given-monthly", "3", "10", "9.75"),
      ...of("given-last", "7", "8", "2"),
      ...of("given-unique", "ada", "grace", "ada"),
    ]);
    expect(new Set(outcomesOf(answer))).toEqual(new Set(["201"]));
    expect((await user.usage()).map(({ meter, used }) => [meter, used])).toEqual([
      ["given-metered", "9007199254740993.3"],
      ["given-monthly", "10"],
      ["given-ever", "2"],
      ["given-last", "2"],
      ["given-unique", "2"],
    ]);
    expect(await miscounted(user.id)).toEqual([]);
  });

  it("counts an event once, in one request and in several (20)", async () => {
    const user = await newUser();
    const event = newEvent({ time: at(-1000), data: { value: "1.50" } });
    expect(outcomesOf(await user.record([event, newEvent(), event]))).toEqual(["201", "201", "200"]);
    const same = { ...event, datacontenttype: "application/json", data: { value: "1.5", dimensions: {} } };
    expect(outcomesOf(await user.record([same]))).toEqual(["200"]);
    expect(await user.used()).toBe("2.5");
  });

  it("counts an event once that never says when it was", async () => {
    const user = await newUser();
    const event = newEvent();
    expect(outcomesOf(await user.record([event]))).toEqual(["201"]);
    expect(outcomesOf(await user.record([event]))).toEqual(["200"]);
  });

  it.each([
    ["value", { data: { value: "2" } }],
    ["time", { time: at(-days(1)) }],
    ["subject", { subject: "another" }],
    ["meter", { type: "given-last" }],
  ])("reports an id that was used for an event of another %s, and counts the first alone (21)", async (_, other) => {
    const user = await newUser();
    const event = newEvent({ time: at(-1000) });
    expect(outcomesOf(await user.record([event, { ...event, ...other }]))).toEqual(["201", "422 event_id_reused"]);
    expect(outcomesOf(await user.record([{ ...event, ...other }]))).toEqual(["422 event_id_reused"]);
    expect(await user.used()).toBe("1");
  });

  it("knows an event that it has recorded, whatever is against it by now", async () => {
    const user = await newUser();
    const event = newEvent({ time: at(-days(1)), data: { value: "1.50" } });
    await user.record([event]);
    await asOwner([
      "update usage_events set occurred_at = occurred_at - interval '40 days' where organization_id = $1",
      [user.id],
    ]);
    await user.move([meters.count]);
    expect(outcomesOf(await user.record([event]))).toEqual(["200"]);
    expect(outcomesOf(await user.record([{ ...event, subject: "another" }]))).toEqual(["422 event_id_reused"]);
    expect(outcomesOf(await user.record([newEvent()]))).toEqual(["402 entitlement_required"]);
  });

  it("tells what has the name of an event that was refused for its limit the same, and records neither", async () => {
    const user = await newUser([{ ...meters.sum, limit: "1" }, meters.last]);
    const event = newEvent({ data: { value: "2" } });
    const answer = await user.record([event, { ...event, type: "given-last" }]);
    expect(outcomesOf(answer)).toEqual(["402 quota_exceeded", "402 quota_exceeded"]);
    expect(outcomesOf(await user.record([{ ...event, type: "given-last" }]))).toEqual(["201"]);
  });

  it("refuses the source of reservations, and a dimension that is no name", async () => {
    const user = await newUser();
    expectProblem(await user.record([newEvent({ source: "/reservations" })]), "invalid_request");
    const rawBody = JSON.stringify({ events: [newEvent({ data: { value: "1", dimensions: { x: "1" } } })] });
    const answer = await service.call("POST", `${user.path}/usage/events`, {
      token: user.owner.token,
      rawBody: rawBody.replace('"x"', '"__proto__"'),
      headers: { "content-type": "application/json" },
    });
    expectProblem(answer, "invalid_request");
  });

  it("takes the same id from another source for another event", async () => {
    const user = await newUser();
    const event = newEvent();
    expect(outcomesOf(await user.record([event, { ...event, source: "/others" }]))).toEqual(["201", "201"]);
  });

  it.each([
    ["unknown_meter", 409, { type: "no-such-meter" }],
    ["unknown_meter", 409, { type: "members" }],
    ["entitlement_required", 402, { type: "given-last" }],
    ["value_refused", 409, { data: { value: "-1" } }],
    ["value_refused", 409, { data: { value: "1e3" } }],
    ["value_refused", 409, { data: { value: "0.1234567891" } }],
    ["value_refused", 409, { data: {} }],
    ["value_refused", 409, { data: undefined }],
    ["value_refused", 409, { type: "given-ever", data: { value: 1 } }],
    ["value_refused", 409, { type: "given-unique", data: {} }],
    ["unknown_dimension", 409, { type: "given-monthly", data: { value: 1, dimensions: { zone: "eu" } } }],
  ])(
    "refuses with %s (%i) what the meter does not take, and records what is beside it",
    async (code, status, event) => {
      const user = await newUser([meters.sum, meters.count, meters.unique, meters.max]);
      const answer = await user.record([newEvent(event), newEvent()]);
      expect(outcomesOf(answer)).toEqual([`${status} ${code}`, "201"]);
      expect(answer.body.results[0]).toEqual({
        source: "/tests",
        id: expect.any(String),
        status,
        code,
        title: expect.any(String),
      });
    },
  );

  it("takes the last by the time of its event, whenever it is told", async () => {
    const user = await newUser();
    const told = (time: number, value: number, id: string) =>
      newEvent({ type: "given-last", time: at(time), id, data: { value } });
    const latest = told(-1000, 5, "b");
    await user.record([latest, told(-2000, 9, "c")]);
    expect(await user.used("given-last")).toBe("5");
    await user.record([{ ...latest, id: "a", data: { value: 4 } }]);
    expect(await user.used("given-last")).toBe("5");
    await user.record([{ ...latest, id: "c1", data: { value: 6 } }]);
    expect(await user.used("given-last")).toBe("6");
  });

  it("takes 1,000 at once, and no more", async () => {
    const user = await newUser();
    const events = Array.from({ length: 1000 }, (_, i) => newEvent({ id: String(i) }));
    expect(new Set(outcomesOf(await user.record(events)))).toEqual(new Set(["201"]));
    expect(await user.used()).toBe("1000");
    expectProblem(await user.record([...events, newEvent()]), "invalid_request");
    expectProblem(await user.record([]), "invalid_request");
  });

  it.each([
    ["without a source", { source: undefined }],
    ["with a source that is no URI reference", { source: "not one" }],
    ["without an id", { id: "" }],
    ["of another version", { specversion: "0.3" }],
    ["of a time without a zone", { time: "2026-01-01T09:30:00" }],
    ["with a value below zero", { data: { value: -1 } }],
    ["with a value that is no whole number", { data: { value: 0.1 } }],
    ["with what no event has", { extra: 1 }],
  ])("refuses one %s, and records none", async (_, event) => {
    const user = await newUser();
    expectProblem(await user.record([newEvent(), newEvent(event)]), "invalid_request");
    expect(await user.used()).toBe("0");
  });

  it("is for those with usage:write, and for keys with that scope", async () => {
    const user = await newUser();
    const member = await signUpPerson(service);
    await addMember(user.id, member.id, "member");
    expectProblem(await user.record([newEvent()], member), "forbidden");
    const { body } = await user.call("POST", "api-keys", { name: "Meter", scopes: ["usage:write"] });
    expect(outcomesOf(await user.record([newEvent()], { token: body.key }))).toEqual(["201"]);
    expect(await user.used()).toBe("1");
  });

  it("tells nothing of another organization's events, whose ids may be the same (31)", async () => {
    const [user, other] = [await newUser(), await newUser()];
    const event = newEvent({ time: at(-1000) });
    await user.record([event]);
    expect(outcomesOf(await other.record([{ ...event, data: { value: "7" } }]))).toEqual(["201"]);
    expect([await user.used(), await other.used()]).toEqual(["1", "7"]);
    expectProblem(await user.record([event], other.owner), "not_found");
  });

  it("answers with the first answer under its Idempotency-Key", async () => {
    const user = await newUser();
    const ask = () =>
      service.call("POST", `${user.path}/usage/events`, {
        token: user.owner.token,
        body: { events: [event] },
        headers: { "idempotency-key": "once" },
      });
    const event = newEvent();
    const first = await ask();
    expect(outcomesOf(first)).toEqual(["201"]);
    expect((await ask()).body).toEqual(first.body);
    expect(await user.used()).toBe("1");
  });

  it("goes with its organization", async () => {
    const user = await newUser();
    await user.record([newEvent()]);
    await asOwner(["delete from organizations where id = $1", [user.id]]);
    const [events, counters] = await asOwner(
      ["select from usage_events where organization_id = $1", [user.id]],
      ["select from usage_counters where organization_id = $1", [user.id]],
    );
    expect([events, counters]).toEqual([[], []]);
  });
});
