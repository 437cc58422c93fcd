import { describe, expect, it } from "vitest";
import { addMember } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";
import { newCustomer } from "./support/subscriptions.ts";
import { at, days, meters, newEvent, newUser } from "./support/usage.ts";

const service = openService();

describe("GET /v1/organizations/{organizationId}/usage", () => {
  it("is nothing used where nothing was told, by the default plan without a subscription", async () => {
    const customer = await newCustomer();
    const { body } = await customer.call("GET", "usage");
    expect(body.data).toMatchObject([{ meter: "api-requests", used: "0", limit: "10000", remaining: "10000" }]);
  });

  it("counts from the organization's beginning without a subscription", async () => {
    const owner = await signUpPerson(service);
    const { id } = await createOrganization(service, owner);
    const { body: organization } = await service.call("GET", `/v1/organizations/${id}`, owner);
    const { body } = await service.call("GET", `/v1/organizations/${id}/usage`, owner);
    expect(body.data[0].startedAt).toBe(organization.createdAt);
  });

  it("counts by the calendar's month in UTC, or for ever, where the meter says so", async () => {
    const user = await newUser([meters.max, meters.count]);
    const [monthly, ever] = await user.usage();
    expect(monthly?.["startedAt"]).toMatch(/-01T00:00:00\.000Z$/);
    expect(monthly?.["resetsAt"]).toMatch(/-01T00:00:00\.000Z$/);
    expect(ever).toMatchObject({ startedAt: null, resetsAt: null, used: "0" });
  });

  it("is for those with usage:read", async () => {
    const user = await newUser();
    const [member, admin] = [await signUpPerson(service), await signUpPerson(service)];
    await addMember(user.id, member.id, "member");
    await addMember(user.id, admin.id, "admin");
    expectProblem(await user.call("GET", "usage", undefined, member), "forbidden");
    expect((await user.call("GET", "usage", undefined, admin)).status).toBe(200);
  });
});

/** The n-th last midnight in UTC, and so many hours later. */
const midnight = (days: number, hours = 0) =>
  new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000 - days * 86_400_000 + hours * 3_600_000).toISOString();

type User = Awaited<ReturnType<typeof newUser>>;

const seriesOf = async (user: User, query: Record<string, string>, meter = "given-metered") =>
  user.call("GET", `usage/${meter}?${String(new URLSearchParams(query))}`);

const valuesOf = async (user: User, query: Record<string, string>, meter?: string) =>
  (await seriesOf(user, query, meter)).body.data.map(({ value }: { value: string | null }) => value);

describe("GET /v1/organizations/{organizationId}/usage/{meter}", () => {
  it("says what was used in each day, also in those without", async () => {
    const user = await newUser();
    await user.record([
      newEvent({ time: midnight(3), data: { value: "1" } }),
      newEvent({ time: midnight(3, 23.999), data: { value: "2.5" } }),
      newEvent({ time: midnight(1, 12), data: { value: "4" } }),
    ]);
    const { status, body } = await seriesOf(user, { from: midnight(3), to: midnight(0) });
    expect([status, body]).toEqual([
      200,
      {
        meter: "given-metered",
        name: "Metered",
        unit: "piece",
        aggregation: "sum",
        data: [
          { startedAt: midnight(3), endsAt: midnight(2), dimensions: {}, value: "3.5" },
          { startedAt: midnight(2), endsAt: midnight(1), dimensions: {}, value: "0" },
          { startedAt: midnight(1), endsAt: midnight(0), dimensions: {}, value: "4" },
        ],
      },
    ]);
  });

  it("begins with the window that it is asked from, and ends with that before which it is asked to", async () => {
    const user = await newUser();
    const { body } = await seriesOf(user, { from: midnight(2, 10), to: midnight(1, 1), window: "day" });
    expect(body.data.map(({ startedAt }: { startedAt: string }) => startedAt)).toEqual([midnight(2), midnight(1)]);
    const hours = await seriesOf(user, { from: midnight(2, 10.5), to: midnight(2, 12), window: "hour" });
    expect(hours.body.data.map(({ endsAt }: { endsAt: string }) => endsAt)).toEqual([midnight(2, 11), midnight(2, 12)]);
  });

  it("takes the greatest and the last, counts, and counts different ones, in each window", async () => {
    const user = await newUser();
    const told = (type: string, hour: number, value?: string) =>
      newEvent({ type, time: midnight(2, hour), data: { ...(value && { value }) } });
    await user.record([
      told("given-monthly", 1, "5"),
      told("given-monthly", 1.5, "3"),
      told("given-monthly", 25, "2"),
      told("given-last", 1.5, "5"),
      told("given-last", 1, "3"),
      told("given-last", 25, "0"),
      told("given-ever", 1),
      told("given-ever", 1.2),
      told("given-unique", 1, "ada"),
      told("given-unique", 2, "ada"),
      told("given-unique", 2, "grace"),
    ]);
    const query = { from: midnight(2), to: midnight(-1), window: "day" };
    expect(await valuesOf(user, query, "given-monthly")).toEqual(["5", "2", null]);
    expect(await valuesOf(user, query, "given-last")).toEqual(["5", "0", null]);
    expect(await valuesOf(user, query, "given-ever")).toEqual(["2", "0", "0"]);
    expect(await valuesOf(user, query, "given-unique")).toEqual(["2", "0", "0"]);
    expect(await valuesOf(user, { ...query, to: midnight(2, 4), window: "hour" }, "given-unique")).toEqual([
      "0",
      "1",
      "2",
      "0",
    ]);
  });

  it("tells usage apart by dimensions", async () => {
    const user = await newUser();
    const told = (value: string, dimensions: object) =>
      newEvent({ type: "given-unique", time: midnight(1, 1), data: { value, dimensions } });
    await user.record([
      told("ada", { region: "eu", plan: "pro" }),
      told("ada", { region: "eu", plan: "free" }),
      told("grace", { region: "us" }),
      told("alan", {}),
    ]);
    const groups = async (groupBy: string) =>
      (await seriesOf(user, { from: midnight(2), to: midnight(0), groupBy }, "given-unique")).body.data.map(
        ({ dimensions, value }: { dimensions: object; value: string }) => [dimensions, value],
      );
    const byRegion = await groups("region");
    expect(byRegion).toHaveLength(3);
    expect(byRegion).toEqual(
      expect.arrayContaining([
        [{ region: "eu" }, "1"],
        [{ region: "us" }, "1"],
        [{ region: null }, "1"],
      ]),
    );
    expect(await groups("region,plan")).toHaveLength(4);
    expectProblem(await seriesOf(user, { groupBy: "zone" }, "given-unique"), "unknown_dimension");
    expect(await groups("region,region")).toHaveLength(3);
  });

  it("goes by the days of a time zone, also on those on which its clocks change (28)", async () => {
    const user = await newUser();
    const series = async (from: string, to: string) =>
      (await seriesOf(user, { from, to, timezone: "Europe/Berlin" })).body.data.map(
        ({ startedAt, endsAt }: { startedAt: string; endsAt: string }) =>
          (Date.parse(endsAt) - Date.parse(startedAt)) / 3_600_000,
      );
    expect(await series("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z")).toEqual([24, 23, 24]);
    expect(await series("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z")).toEqual([24, 25, 24]);
  });

  it("goes by the hours and days of a zone that is half an hour apart (28)", async () => {
    const user = await newUser();
    await user.record([
      newEvent({ time: midnight(2, 18.25), data: { value: "1" } }),
      newEvent({ time: midnight(2, 18.5), data: { value: "2" } }),
      newEvent({ time: midnight(2, 19.4), data: { value: "4" } }),
    ]);
    const query = { from: midnight(2, 17.5), to: midnight(2, 19.5), timezone: "Asia/Kolkata" };
    expect(await valuesOf(user, { ...query, window: "hour" })).toEqual(["1", "6"]);
    expect(await valuesOf(user, { ...query, window: "day" })).toEqual(["1", "6"]);
  });

  it("goes by months, as long as they are", async () => {
    const user = await newUser();
    const { body } = await seriesOf(user, {
      from: "2026-01-15T00:00:00Z",
      to: "2026-04-01T00:00:00Z",
      window: "month",
    });
    expect(body.data.map(({ startedAt, endsAt }: Record<string, string>) => [startedAt, endsAt])).toEqual([
      ["2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"],
      ["2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"],
      ["2026-03-01T00:00:00.000Z", "2026-04-01T00:00:00.000Z"],
    ]);
  });

  it("reads a month by the day where it is not asked otherwise", async () => {
    const user = await newUser();
    expect((await seriesOf(user, {})).body.data).toHaveLength(30);
    expect((await seriesOf(user, { window: "month" })).body.data).toHaveLength(30);
    expect(
      (await seriesOf(user, { window: "hour", from: midnight(1, 0.5), to: midnight(1, 2.5) })).body.data,
    ).toHaveLength(3);
  });

  it("refuses more windows than fit, and what is no time, window or zone", async () => {
    const user = await newUser();
    expectProblem(await seriesOf(user, { from: at(-days(60)), window: "hour" }), "too_many_windows");
    for (const query of [
      { from: "yesterday" },
      { window: "week" },
      { timezone: "Mars/Olympus" },
      { timezone: "+05:30" },
      { timezone: "CET" },
    ]) {
      expectProblem(await seriesOf(user, query), "invalid_request");
    }
  });

  it("is nothing of a meter that there is not, and empty from one time to an earlier one", async () => {
    const user = await newUser();
    expectProblem(await seriesOf(user, {}, "no-such-meter"), "not_found");
    expectProblem(await seriesOf(user, {}, "members"), "not_found");
    expect(await valuesOf(user, { from: midnight(1), to: midnight(2) })).toEqual([]);
  });

  it("tells nothing of another organization", async () => {
    const [user, other] = [await newUser(), await newUser()];
    await user.record([newEvent({ time: midnight(1) })]);
    expect(await valuesOf(other, { from: midnight(1), to: midnight(0) })).toEqual(["0"]);
  });
});
