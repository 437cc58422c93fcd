import { describe, expect, it } from "vitest";
import { expectProblem } from "./support/problems.ts";
import { at, meters, newEvent, newUser } from "./support/usage.ts";

describe("POST /v1/organizations/{organizationId}/usage/{meter}/check", () => {
  it("says whether there is room, and takes nothing", async () => {
    const user = await newUser([{ ...meters.sum, limit: "3" }]);
    await user.record([newEvent({ data: { value: "1.5" } })]);
    const check = (body?: object) => user.call("POST", "usage/given-metered/check", body);
    expect((await check()).body).toMatchObject({ allowed: true, used: "1.5", limit: "3", remaining: "1.5" });
    expect((await check({ value: "1.5" })).body.allowed).toBe(true);
    expect((await check({ value: "1.500000001" })).body.allowed).toBe(false);
    expect(await user.used()).toBe("1.5");
  });

  it("allows any amount where there is no limit, and nothing where that is reached", async () => {
    const user = await newUser([meters.sum, { ...meters.count, limit: "0" }]);
    const check = async (meter: string, value: string) =>
      (await user.call("POST", `usage/${meter}/check`, { value })).body.allowed;
    expect(await check("given-metered", "1000000000")).toBe(true);
    expect(await check("given-ever", "1")).toBe(false);
    expect(await check("given-ever", "0")).toBe(true);
  });

  it("asks of the greatest and the last whether that may be it, and of different ones whether this is one", async () => {
    const user = await newUser([
      { ...meters.max, limit: "5" },
      { ...meters.last, limit: "5" },
      { ...meters.unique, limit: "1" },
    ]);
    await user.record([
      newEvent({ type: "given-monthly", data: { value: 5 } }),
      newEvent({ type: "given-last", data: { value: 4 } }),
      newEvent({ type: "given-unique", data: { value: "ada" } }),
    ]);
    const check = async (meter: string, value: string) =>
      (await user.call("POST", `usage/${meter}/check`, { value })).body.allowed;
    expect([await check("given-monthly", "5"), await check("given-monthly", "6")]).toEqual([true, false]);
    expect([await check("given-last", "5"), await check("given-last", "6")]).toEqual([true, false]);
    expect([await check("given-unique", "ada"), await check("given-unique", "grace")]).toEqual([true, false]);
  });

  it("knows what was told a little ahead", async () => {
    const user = await newUser([{ ...meters.unique, limit: "1" }]);
    await user.record([newEvent({ type: "given-unique", time: at(240_000), data: { value: "ada" } })]);
    expect((await user.call("POST", "usage/given-unique/check", { value: "ada" })).body.allowed).toBe(true);
  });

  it("refuses a meter that there is not, or that the plan does not have, and a value that is no number", async () => {
    const user = await newUser([meters.sum]);
    expectProblem(await user.call("POST", "usage/no-such-meter/check"), "not_found");
    expectProblem(await user.call("POST", "usage/given-last/check"), "entitlement_required");
    expectProblem(await user.call("POST", "usage/given-metered/check", { value: "-1" }), "value_refused");
    expectProblem(await user.call("POST", "usage/given-metered/check", { value: 1 }), "invalid_request");
  });
});
