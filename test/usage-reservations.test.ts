import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { at, days, meters, miscounted, newEvent, newUser, outcomesOf } from "./support/usage.ts";

const service = openService();

/** A user of these features, and what its owner reserves of `given-metered`. */
async function newReserver(features: object[] = [{ ...meters.sum, limit: "10" }]) {
  const user = await newUser(features);
  const on = (id: string, what: string, body?: object) =>
    user.call("POST", `usage/given-metered/reservations/${id}/${what}`, body);
  return {
    ...user,
    reserve: (value: string, rest: object = {}, meter = "given-metered") =>
      user.call("POST", `usage/${meter}/reservations`, { value, ...rest }),
    commit: (id: string, value?: string) => on(id, "commit", value === undefined ? undefined : { value }),
    release: (id: string) => on(id, "release"),
  };
}

/** As if it had been made so long ago. */
const age = (id: string, interval: string) =>
  asOwner([
    "update usage_reservations set created_at = created_at - $2::interval, expires_at = expires_at - $2::interval where id = $1",
    [id, interval],
  ]);

describe("POST /v1/organizations/{organizationId}/usage/{meter}/reservations", () => {
  it("keeps room, which nobody else gets", async () => {
    const user = await newReserver();
    const { status, body } = await user.reserve("7.5");
    expect([status, body]).toEqual([
      201,
      {
        id: expect.any(String),
        meter: "given-metered",
        value: "7.5",
        createdAt: expect.any(String),
        expiresAt: expect.any(String),
        usage: expect.objectContaining({ used: "0", reserved: "7.5", limit: "10", remaining: "2.5" }),
      },
    ]);
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBeGreaterThanOrEqual(300_000);
    expect(outcomesOf(await user.record([newEvent({ data: { value: "3" } })]))).toEqual(["402 quota_exceeded"]);
    expect(outcomesOf(await user.record([newEvent({ data: { value: "2" } })]))).toEqual(["201"]);
    const check = async (value: string) =>
      (await user.call("POST", "usage/given-metered/check", { value })).body.allowed;
    expect([await check("0.5"), await check("0.6")]).toEqual([true, false]);
  });

  it("refuses what there is no room for, and says how much is left", async () => {
    const user = await newReserver();
    await user.reserve("6");
    const refused = await user.reserve("5");
    expectProblem(refused, "quota_exceeded");
    expect(refused.body.usage).toMatchObject({
      meter: "given-metered",
      used: "0",
      reserved: "6",
      limit: "10",
      remaining: "4",
    });
    expect((await user.reserve("4")).status).toBe(201);
  });

  it("is not beyond what is left of a limit, and has no end where there is none", async () => {
    const user = await newReserver([meters.sum]);
    expect((await user.reserve("1000000")).body.usage).toMatchObject({ reserved: "1000000", remaining: null });
  });

  it("keeps its room until it expires, and no longer", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("10", { expiresInSeconds: 60 });
    await age(body.id, "59 seconds");
    expectProblem(await user.reserve("1"), "quota_exceeded");
    await age(body.id, "1 second");
    expect((await user.reserve("10")).status).toBe(201);
  });

  it("is of the period in which it is made", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("10", { expiresInSeconds: 86_400 });
    await age(body.id, "1 hour");
    await user.anchor(at(-60_000));
    expect((await user.usage())[0]).toMatchObject({ reserved: "0" });
    expect((await user.commit(body.id)).body.used).toBe("0");
    await user.anchor(at(-days(1)));
    expect(await user.used()).toBe("10");
    expect(await miscounted(user.id)).toEqual([]);
  });

  it.each([
    ["a meter that there is not", "no-such-meter", "1", "not_found"],
    ["a meter that the plan does not have", "given-last", "1", "entitlement_required"],
    ["a meter that counts events", "given-ever", "1", "value_refused"],
    ["nothing", "given-metered", "0", "value_refused"],
    ["what is no number", "given-metered", "-1", "invalid_request"],
  ] as const)("refuses %s", async (_, meter, value, code) => {
    const user = await newReserver([meters.sum, meters.count]);
    expectProblem(await user.reserve(value, {}, meter), code);
  });

  it("has 1,000 at a time", async () => {
    const user = await newReserver();
    await asOwner([
      `insert into usage_reservations (organization_id, id, meter, value, expires_at)
       select $1, gen_random_uuid(), 'given-metered', 0.001, now() + interval '1 hour' from generate_series(1, 999)`,
      [user.id],
    ]);
    const { body } = await user.reserve("1");
    expectProblem(await user.reserve("1"), "reservation_limit");
    await user.release(body.id);
    expect((await user.reserve("1")).status).toBe(201);
  });

  it("is made once under its Idempotency-Key", async () => {
    const user = await newReserver();
    const reserve = () =>
      service.call("POST", `${user.path}/usage/given-metered/reservations`, {
        token: user.owner.token,
        body: { value: "6" },
        headers: { "idempotency-key": "once" },
      });
    const [first, again] = [await reserve(), await reserve()];
    expect([first.status, again.body]).toEqual([201, first.body]);
  });

  it("is for those with usage:write", async () => {
    const user = await newReserver();
    const member = await signUpPerson(service);
    await addMember(user.id, member.id, "member");
    const { body } = await user.reserve("1");
    const at = "usage/given-metered/reservations";
    expectProblem(await user.call("POST", at, { value: "1" }, member), "forbidden");
    expectProblem(await user.call("POST", `${at}/${body.id}/commit`, undefined, member), "forbidden");
    expectProblem(await user.call("POST", `${at}/${body.id}/release`, undefined, member), "forbidden");
  });
});

describe("POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/commit", () => {
  it("records what was used, and gives the rest back", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("8");
    const { status, body: usage } = await user.commit(body.id, "5.5");
    expect([status, usage]).toEqual([200, expect.objectContaining({ used: "5.5", reserved: "0", remaining: "4.5" })]);
    expect(await miscounted(user.id)).toEqual([]);
  });

  it("records all of it where nothing is said, once", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("8");
    const first = await user.commit(body.id);
    expect(first.body).toMatchObject({ used: "8", reserved: "0" });
    expect((await user.commit(body.id)).body).toEqual(first.body);
    expectProblem(await user.release(body.id), "not_found");
  });

  it("refuses one that has expired, whose room is anybody's by then (27)", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("10", { expiresInSeconds: 60 });
    await age(body.id, "1 minute");
    expect(outcomesOf(await user.record([newEvent({ data: { value: "10" } })]))).toEqual(["201"]);
    expectProblem(await user.commit(body.id), "reservation_expired");
    expect(await user.used()).toBe("10");
    expect((await user.release(body.id)).status).toBe(204);
  });

  it("refuses more than is reserved, and keeps it", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("5");
    expectProblem(await user.commit(body.id, "5.1"), "value_refused");
    expect((await user.commit(body.id, "5")).body.used).toBe("5");
  });

  it("is good when the plan has less in the meantime", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("5");
    await user.move([{ ...meters.sum, limit: "1" }]);
    expect((await user.commit(body.id)).body).toMatchObject({ used: "5", limit: "1", remaining: "0" });
  });

  it("is refused where the plan has the meter no longer, or somebody has used its name, and is kept", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("5");
    await user.move([meters.count]);
    expectProblem(await user.commit(body.id), "entitlement_required");
    await user.move([meters.sum]);
    await asOwner([
      `insert into usage_events (organization_id, source, source_id, meter, occurred_at, value, dimensions, digest)
       values ($1, '/reservations', $2, 'given-last', now(), 1, '{}', '')`,
      [user.id, body.id],
    ]);
    expectProblem(await user.commit(body.id), "event_id_reused");
    expect((await user.usage())[0]).toMatchObject({ used: "0", reserved: "5" });
  });

  it("is nothing of another meter or organization", async () => {
    const [user, other] = [await newReserver(), await newReserver()];
    const { body } = await user.reserve("5");
    const path = `reservations/${body.id}`;
    for (const what of ["commit", "release"]) {
      expectProblem(await user.call("POST", `usage/given-last/${path}/${what}`), "not_found");
      expectProblem(await other.call("POST", `usage/given-metered/${path}/${what}`), "not_found");
    }
    expect((await user.release(body.id)).status).toBe(204);
  });
});

describe("POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/release", () => {
  it("gives back what is reserved, once", async () => {
    const user = await newReserver();
    const { body } = await user.reserve("10");
    expect((await user.release(body.id)).status).toBe(204);
    expectProblem(await user.release(body.id), "not_found");
    expectProblem(await user.commit(body.id), "not_found");
    expect((await user.reserve("10")).status).toBe(201);
    expect(await user.used()).toBe("0");
  });
});
