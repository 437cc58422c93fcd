import { expect } from "vitest";
import { addMember } from "./database.ts";
import { newAdmin } from "./platform.ts";
import { openService, signUpPerson } from "./service.ts";
import { givePrice, newCustomer } from "./subscriptions.ts";

const service = openService();

/** As the API writes a time. */
export const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

export const daysBetween = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 86_400_000;

/** What is told of the subscription of an organization that has none. */
export const free = {
  id: null,
  status: "free",
  price: null,
  scheduledPriceId: null,
  provider: null,
  quantity: null,
  trialEndsAt: null,
  currentPeriodStart: null,
  currentPeriodEnd: null,
  graceEndsAt: null,
  cancelAtPeriodEnd: false,
  canceledAt: null,
  createdAt: null,
  checkoutUrl: null,
};

/** An organization with a member beside its owner, and a price without a trial. */
export async function newTeamCustomer(plan: object = {}) {
  const customer = await newCustomer();
  const member = await signUpPerson(service);
  await addMember(customer.id, member.id, "member");
  return { ...customer, ...(await givePrice(plan)), member };
}

/** One that has paid for its first period. */
export async function newPayer(plan: object = {}) {
  const customer = await newTeamCustomer(plan);
  const { call: administer } = await newAdmin();
  expect((await customer.subscribe(customer.priceId)).status).toBe(201);
  const pay = async (id?: string) =>
    administer("POST", `invoices/${id ?? (await customer.invoices())[0]?.["id"]}/pay`, {});
  expect((await pay()).status).toBe(200);
  return { ...customer, pay };
}
