import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { newAdmin } from "./support/platform.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { free, instant, newPayer, newTeamCustomer } from "./support/subscribers.ts";

const service = openService();

describe("A subscription of the manual provider", () => {
  it("begins with its first payment, and its period with it", async () => {
    const customer = await newTeamCustomer();
    await customer.subscribe(customer.priceId);
    await customer.passTime("5 days");
    const { call } = await newAdmin();
    const [open] = await customer.invoices();
    const { status, body } = await call("POST", `invoices/${open?.["id"]}/pay`, { reference: "RF18" });
    expect([status, body]).toMatchObject([200, { id: open?.["id"], status: "paid", paymentReference: "RF18" }]);
    const subscription = await customer.read();
    expect(subscription).toMatchObject({ status: "active", currentPeriodStart: body.paidAt });
    expect(await customer.entitledPlan()).toBe(customer.planId);
    const [paid] = await customer.invoices();
    expect(paid).toMatchObject({
      status: "paid",
      periodStart: subscription.currentPeriodStart,
      periodEnd: subscription.currentPeriodEnd,
    });
  });

  it("that is not paid for within 14 days is given up, and its invoice void", async () => {
    const customer = await newTeamCustomer();
    await customer.subscribe(customer.priceId);
    await customer.passTime("13 days");
    await customer.runCron();
    expect((await customer.read()).status).toBe("incomplete");
    await customer.passTime("1 day");
    await customer.runCron();
    expect(await customer.read()).toMatchObject(free);
    expect((await customer.invoices()).map(({ status }) => status)).toEqual(["void"]);
  });

  it("asks for the first period when the trial ends, of all who are members then", async () => {
    const customer = await newTeamCustomer({ trialDays: 14 });
    const { body: trial } = await customer.subscribe(customer.priceId);
    await addMember(customer.id, (await signUpPerson(service)).id, "member");
    await customer.passTime("14 days");
    await customer.runCron();
    const due = await customer.read();
    expect(due).toMatchObject({ id: trial.id, status: "past_due", quantity: 3, graceEndsAt: instant });
    expect(due.currentPeriodStart).toBe(due.trialEndsAt);
    expect((await customer.invoices()).map(({ status, total }) => [status, total])).toEqual([["open", 3600]]);
    expect(await customer.entitledPlan()).toBe(customer.planId);
  });

  it("that is past due recovers with the payment, within its grace", async () => {
    const customer = await newPayer();
    const before = await customer.read();
    await customer.passTime("1 month");
    await customer.runCron();
    expect((await customer.read()).status).toBe("past_due");
    expect((await customer.pay()).status).toBe(200);
    const after = await customer.read();
    expect(after).toMatchObject({ status: "active", graceEndsAt: null, id: before.id });
    expect((await customer.invoices()).map(({ number, status }) => [number, status])).toEqual([
      [2, "paid"],
      [1, "paid"],
    ]);
    const [first, second] = (await customer.invoices()).toReversed();
    expect(second?.["periodStart"]).toBe(after.currentPeriodStart);
    expect(first?.["periodEnd"]).toBe(before.currentPeriodEnd);
  });

  it("has nothing any more when its grace ends, whether or not anything runs then", async () => {
    const customer = await newPayer();
    await customer.passTime("1 month");
    await customer.runCron();
    await customer.passTime("13 days");
    expect(await customer.entitledPlan()).toBe(customer.planId);
    await customer.passTime("1 day");
    expect(await customer.entitledPlan()).not.toBe(customer.planId);
    await customer.runCron();
    expect((await customer.read()).status).toBe("unpaid");
    expect((await customer.pay()).status).toBe(200);
    expect((await customer.read()).status).toBe("active");
    expect(await customer.entitledPlan()).toBe(customer.planId);
  });

  it("that stays unpaid ends with its period; what is owed is still to be paid, and begins nothing", async () => {
    const customer = await newPayer();
    await customer.passTime("1 month");
    await customer.runCron();
    await customer.passTime("14 days");
    await customer.runCron();
    await customer.passTime("1 month");
    await customer.runCron();
    expect(await customer.read()).toMatchObject(free);
    expect((await customer.invoices()).map(({ status }) => status)).toEqual(["open", "paid"]);
    expect((await customer.pay()).status).toBe(200);
    expect(await customer.read()).toMatchObject(free);
  });

  it("is moved once, however often and however many at once the Cron Trigger runs", async () => {
    const customer = await newPayer();
    await customer.passTime("1 month");
    await Promise.all([customer.runCron(), customer.runCron(), customer.runCron()]);
    await customer.runCron();
    expect(await customer.invoices()).toHaveLength(2);
    expect((await customer.read()).status).toBe("past_due");
  });

  it("of a deleted organization ends with its period, and asks for nothing more", async () => {
    const customer = await newPayer();
    await asOwner(["update organizations set deleted_at = now() where id = $1", [customer.id]]);
    await customer.passTime("1 month");
    await customer.runCron();
    await asOwner(["update organizations set deleted_at = null where id = $1", [customer.id]]);
    expect(await customer.read()).toMatchObject(free);
    expect(await customer.invoices()).toHaveLength(1);
  });

  it("is told of in the organization's audit trail, with who did what", async () => {
    const customer = await newPayer();
    await customer.passTime("1 month");
    await customer.runCron();
    const { body } = await service.call("GET", `${customer.path}/audit-events?limit=100`, {
      token: customer.owner.token,
    });
    const told = body.data
      .filter(({ subject }: { subject: { type: string } }) => /^(subscription|invoice)$/.test(subject.type))
      .map(({ action, actor, after }: Record<string, any>) => [action, actor.type, after.status])
      // But for the test's own.
      .filter(([action, , status]: string[]) => action !== "subscription.updated" || status)
      .toReversed();
    expect(told).toEqual([
      ["subscription.created", "user", "incomplete"],
      ["invoice.created", "user", "open"],
      ["invoice.paid", "platform_admin", "paid"],
      ["subscription.updated", "platform_admin", "active"],
      ["subscription.updated", "system", "past_due"],
      ["invoice.created", "system", "open"],
    ]);
  });

  it.each([
    ["2026-01-31 09:30", "month", "2026-01-31 09:30", "2026-02-28 09:30"],
    ["2026-01-31 09:30", "month", "2026-02-28 09:30", "2026-03-31 09:30"],
    ["2026-01-31 09:30", "month", "2026-03-31 09:30", "2026-04-30 09:30"],
    ["2027-12-31 00:00", "month", "2028-01-31 00:00", "2028-02-29 00:00"],
    ["2026-01-31 09:30", "month", "2026-02-10 00:00", "2026-02-28 09:30"],
    ["2026-06-15 12:00", "month", "2026-12-15 12:00", "2027-01-15 12:00"],
    ["2026-06-15 12:00", "month", "2026-06-15 11:59", "2026-06-15 12:00"],
    ["2024-02-29 08:00", "year", "2024-02-29 08:00", "2025-02-28 08:00"],
    ["2024-02-29 08:00", "year", "2027-02-28 08:00", "2028-02-29 08:00"],
    ["2026-06-15 12:00", "year", "2027-06-15 12:00", "2028-06-15 12:00"],
    ["2026-06-15 12:00", "year", "2027-06-15 11:59", "2027-06-15 12:00"],
    ["2026-06-15 12:00", "year", "2028-02-01 00:00", "2028-06-15 12:00"],
  ])("counted from %s by the %s: after %s comes %s", async (anchor, interval, after, next) => {
    const [, rows] = await asOwner(
      ["set local role app_definer"],
      [
        `select to_char(app_private.period_after($1::timestamp at time zone 'UTC', $2, $3::timestamp at time zone 'UTC') at time zone 'UTC',
                        'YYYY-MM-DD HH24:MI') as next`,
        [anchor, interval, after],
      ],
    );
    expect(rows?.[0]?.["next"]).toBe(next);
  });
});
