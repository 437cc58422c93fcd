import { describe, expect, it } from "vitest";
import { newAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { givePrice, newCustomer } from "./support/subscriptions.ts";

/** Customers who each have an invoice to pay, and an administrator. */
async function newCase() {
  const { priceId } = await givePrice();
  const [one, two] = await Promise.all([newCustomer(), newCustomer()]);
  for (const customer of [one, two]) expect((await customer.subscribe(priceId)).status).toBe(201);
  const { call } = await newAdmin();
  const idOf = async ({ invoices }: typeof one): Promise<string> => (await invoices())[0]?.["id"];
  return {
    one,
    two,
    idOf,
    pay: (id: string, body?: unknown) => call("POST", `invoices/${id}/pay`, body),
    list: async (query: string) => (await call("GET", `invoices?${query}`)).body,
  };
}

describe("GET /v1/platform/invoices", () => {
  it("lists those of all organizations, or of one, newest first, and those alone that are to be paid", async () => {
    const { one, two, idOf, pay, list } = await newCase();
    const [first, second] = [await idOf(one), await idOf(two)];
    const [shown] = (await list(`organizationId=${one.id}`)).data;
    expect(shown).toEqual({
      ...(await one.invoices())[0],
      organizationId: one.id,
    });
    await pay(first);
    const idsOf = ({ data }: { data: { id: string }[] }) => data.map(({ id }) => id);
    expect(idsOf(await list(`organizationId=${one.id}`))).toEqual([first]);
    expect(idsOf(await list(`organizationId=${one.id}&open=true`))).toEqual([]);
    expect(idsOf(await list(`organizationId=${two.id}&open=true`))).toEqual([second]);
    const all: string[] = [];
    for (let cursor = ""; ;) {
      const page = await list(`open=true&limit=100${cursor}`);
      all.push(...idsOf(page));
      if (page.nextCursor === null) break;
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(all).toContain(second);
    expect(all).not.toContain(first);
    expect(all).toEqual(all.toSorted().toReversed());
  });
});

describe("POST /v1/platform/invoices/{invoiceId}/pay", () => {
  it("notes a payment once, also of two at once", async () => {
    const { one, two, idOf, pay } = await newCase();
    const id = await idOf(one);
    const answers = await Promise.all([pay(id), pay(id, { reference: "RF18" })]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    expectProblem(await pay(id), "invoice_not_open");
    expect((await one.read()).status).toBe("active");
    expect((await two.read()).status).toBe("incomplete");
  });

  it("refuses what nothing was given for, and what is nobody's", async () => {
    const { one, idOf, pay } = await newCase();
    const id = await idOf(one);
    await one.cancel();
    expectProblem(await pay(id), "invoice_not_open");
    expectProblem(await pay(crypto.randomUUID()), "not_found");
    expect((await one.read()).status).toBe("free");
  });

  it.each([[{ reference: "" }], [{ reference: "x".repeat(101) }], [{ reference: 7 }], [{ amount: 1 }], [[]]])(
    "refuses %j",
    async (body) => {
      const { one, idOf, pay } = await newCase();
      expectProblem(await pay(await idOf(one), body), "invalid_request");
    },
  );
});
