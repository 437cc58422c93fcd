import { beforeAll, describe, expect, it } from "vitest";
import { asOwner, openOwnDatabase } from "./support/database.ts";
import { newWebhookHost } from "./support/webhooks.ts";

// Whose statistics no other test brings up to date.
beforeAll(openOwnDatabase);

const queue = (endpointId: string, status: "delivered" | "pending") =>
  asOwner([
    `insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, status, settled_at)
     select organization_id, id, 'team.created', gen_random_uuid(), '{}', $2::text, case when $2::text = 'delivered' then now() end
       from webhook_endpoints, generate_series(1, 2000) where id = $1`,
    [endpointId, status],
  ]);

describe("An endpoint for which far more waits than Postgres's statistics know", () => {
  it("is disabled and enabled again in time, and of each subject the oldest that is left goes at once", async () => {
    const host = await newWebhookHost();
    const { id } = await host.make();
    await queue(id, "delivered");
    await asOwner(["analyze webhook_messages"]);
    for (let part = 0; part < 3; part++) await queue(id, "pending");
    for (const enabled of [false, true]) expect((await host.change(host.owner, id, { enabled })).status).toBe(200);
    const [counts] = await asOwner([
      `select status, next_attempt_at is not null as "goesAtOnce", count(*)::int from webhook_messages
        where endpoint_id = $1 group by 1, 2 order by 1`,
      [id],
    ]);
    expect(counts).toEqual([
      { status: "dead", goesAtOnce: false, count: 2_000 },
      { status: "delivered", goesAtOnce: false, count: 2_000 },
      { status: "pending", goesAtOnce: true, count: 4_000 },
    ]);
  });
});
