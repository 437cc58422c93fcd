import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { newKey, openStage, periodOf, Tenant } from "./stripe-model-support.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "stripe-model-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("a file to keep everything in", () => {
  it("lets a restart go on where the last run ended", async () => {
    const file = path.join(folder, "one.json");
    const key = newKey();
    const first = await openStage({ file });
    const before = new Tenant(first, key);
    await before.control("PUT", "webhook", { secrets: ["whsec_a"] });
    await before.moveTo("2027-01-31T00:00:00Z");
    const { id } = await before.subscribe(await before.newPrice(1200, { lookup_key: "pro" }));
    const events = await before.eventTypes();
    const { deliveries } = (await before.control("GET", "deliveries")).body;
    await first.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const second = await openStage({ file });
    try {
      const after = new Tenant(second, key);
      expect(await after.stripe.subscriptions.retrieve(id)).toMatchObject({
        status: "active",
        items: { data: [{ quantity: 1 }] },
      });
      expect(await after.eventTypes()).toEqual(events);
      const waiting = (await after.control("GET", "deliveries")).body.deliveries;
      expect(waiting.map(({ id }: any) => id)).toEqual(deliveries.map(({ id }: any) => id));
      await after.moveTo("2027-02-28T00:00:00Z");
      expect(periodOf(await after.stripe.subscriptions.retrieve(id))).toEqual(["2027-02-28", "2027-03-31"]);
      await after.newPrice(1, { lookup_key: "pro", transfer_lookup_key: true });
      const { items } = await after.stripe.subscriptions.retrieve(id);
      expect(items.data[0]?.price.lookup_key).toBeNull();
    } finally {
      await second.close();
    }
  });

  it("is written soon after a change, for only the user to read, even where it was for all", async () => {
    const file = path.join(folder, "two.json");
    writeFileSync(file, "[]", { mode: 0o644 });
    const stage = await openStage({ file });
    try {
      const { id } = await new Tenant(stage).newCustomer(null);
      await expect.poll(() => readFileSync(file, "utf8")).toContain(id);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    } finally {
      await stage.close();
    }
  });

  it("stops the start when it is not what was written", async () => {
    const file = path.join(folder, "three.json");
    writeFileSync(file, "{");
    await expect(openStage({ file })).rejects.toThrow(SyntaxError);
  });
});
