import { Client } from "pg";
import { afterAll, beforeAll, beforeEach } from "vitest";

import { applyPlans, type Catalog } from "../../scripts/db/plans.ts";
import { bringUpToDate } from "../../scripts/db/steps.ts";
import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { startPostgres, type LocalPostgres } from "../../scripts/local/postgres.ts";

let postgres: LocalPostgres;
export let ownerUrl: string;
let databases = 0;

/** A Postgres for the file, and in it a database for each test. */
beforeAll(async () => {
  postgres = await startPostgres({});
});
afterAll(() => postgres.stop());

beforeEach(async () => {
  ({ ownerUrl } = await createNeonLikeDatabase(postgres, `app${databases++}`));
  await bringUpToDate(ownerUrl);
});

export async function query(text: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query("set role app_definer");
    return (await client.query({ text, values, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}

/** What is sold, and by whose word. */
export const sold = () =>
  query(
    "select key, version, name, is_default, is_public, managed_by from plans where archived_at is null order by position, key",
  );

export const members = { kind: "number", name: "Members" } as const;

export const requests = {
  kind: "metered",
  name: "Requests",
  meter: { unit: "request", aggregation: "sum", dimensions: ["route"], reset: "period" },
} as const;

export const features: Catalog["features"] = {
  "test-members": members,
  "test-sso": { kind: "boolean", name: "SSO" },
  "test-requests": requests,
};

export type Plan = Catalog["plans"][number];

/** Of features that the file does not have. */
export const amounts = (given: Record<string, unknown>) => given as Plan["features"];

export const free = {
  key: "test-free",
  name: "Free",
  description: "",
  trialDays: 0,
  isDefault: true,
  isPublic: true,
  prices: [],
  features: amounts({ "test-members": 3 }),
} satisfies Plan;

export const pro = {
  ...free,
  key: "test-pro",
  name: "Pro",
  trialDays: 14,
  isDefault: false,
  prices: [{ currency: "usd", interval: "month", unitAmount: 1200, perSeat: true }],
  features: amounts({ "test-members": null, "test-sso": true, "test-requests": { limit: "0.5", per: "day" } }),
} satisfies Plan;

export const apply = (plans: Plan[] = [free, pro], known = features) =>
  applyPlans(ownerUrl, { features: known, plans });
