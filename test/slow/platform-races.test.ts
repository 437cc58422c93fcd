import { describe, expect, it } from "vitest";
import { readMe, refresh, signIn } from "../support/accounts.ts";
import { asOwner } from "../support/database.ts";
import { newAdmin } from "../support/platform.ts";
import { createOrganization, goodPassword, openService, signUpPerson } from "../support/service.ts";
import { atOnce, expectTally, tally, tenRounds } from "./at-once.ts";

const service = openService();

describe("50 at once", tenRounds, () => {
  it("sign in, refresh and act as somebody who is suspended meanwhile: afterwards no session of theirs lives", async () => {
    const { call } = await newAdmin();
    const ada = await signUpPerson(service);
    const answers = await atOnce((i) => {
      if (i === 20) return call("POST", `users/${ada.id}/suspend`, { reason: "x" });
      if (i % 3 === 0) return call("POST", "impersonations", { userId: ada.id, reason: "x" });
      return i % 3 === 1 ? signIn(ada.email, goodPassword) : refresh(ada.refreshToken);
    });
    expect(answers[20]?.status).toBe(200);
    for (const outcome of Object.keys(tally(answers))) {
      expect([
        "200",
        "201",
        "401 invalid_credentials",
        "401 unauthenticated",
        "409 user_suspended",
        "429 too_many_attempts",
      ]).toContain(outcome);
    }
    for (const { body } of answers) {
      if (body?.accessToken) expect((await readMe(body.accessToken)).status).toBe(401);
    }
    const [rows] = await asOwner([
      "select count(*)::int from sessions where user_id = $1 and revoked_at is null",
      [ada.id],
    ]);
    expect(rows).toEqual([{ count: 0 }]);
  });

  it("suspend an organization and take it back: its trail tells of each that was done, in turn", async () => {
    const { call } = await newAdmin();
    const owner = await signUpPerson(service);
    const { id } = await createOrganization(service, owner);
    const answers = await atOnce((i) =>
      i % 2 === 0
        ? call("POST", `organizations/${id}/suspend`, { reason: String(i) })
        : call("POST", `organizations/${id}/unsuspend`),
    );
    expectTally(answers, { 200: 50 });
    const [events = [], [stored] = []] = await asOwner(
      [
        "select action from audit_events where organization_id = $1 and action like 'organization.%suspended' order by id",
        [id],
      ],
      ["select suspended_at is not null as is_suspended from organizations where id = $1", [id]],
    );
    const actions = events.map(({ action }) => action);
    expect(actions.filter((action, i) => action === actions[i - 1])).toEqual([]);
    expect(actions[0]).toBe("organization.suspended");
    expect(actions.at(-1)).toBe(stored?.["is_suspended"] ? "organization.suspended" : "organization.unsuspended");
  });
});
