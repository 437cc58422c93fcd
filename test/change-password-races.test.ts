import { describe, expect, it } from "vitest";
import { readMe, refresh, signIn, storedSessions } from "./support/accounts.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { mailsTo } from "./support/mailbox.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();
const newPassword = "another harbour at dusk";

const change = (token: string, password = newPassword, by = service) =>
  by.call("POST", "/v1/auth/change-password", {
    body: { currentPassword: goodPassword, newPassword: password },
    token,
  });

describe("Changes of one password at once", () => {
  it("have one winner of 50 in one session, whose password it then is", async () => {
    const ada = await signUpPerson(service);
    const passwords = Array.from({ length: 50 }, (_, n) => `harbour number ${n} at dusk`);
    const answers = await Promise.all(passwords.map((password) => change(ada.token, password)));
    const winners = passwords.filter((_, n) => answers[n]?.status === 204);
    expect(winners).toHaveLength(1);
    for (const { status, body } of answers)
      if (status !== 204) expect(["wrong_password", "too_many_attempts"]).toContain(body.code);
    expect((await readMe(ada.token)).status).toBe(200);
    expect((await signIn(ada.email, winners[0] ?? "")).status).toBe(200);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("in two sessions end one of the two", async () => {
    const ada = await signUpPerson(service);
    const other = await signInPerson(service, ada.email);
    const [one, two] = await Promise.all([
      change(ada.token, "harbour number one"),
      change(other.token, "harbour number two"),
    ]);
    const [winner, loser] = one.status === 204 ? [ada, other] : [other, ada];
    const refusal = one.status === 204 ? two : one;
    expect([one.status, two.status]).toContain(204);
    expect(["unauthenticated", "wrong_password"]).toContain(refusal.body.code);
    expect([(await readMe(winner.token)).status, (await readMe(loser.token)).status]).toEqual([200, 401]);
  });

  it("and a reset by mail leave one of the two passwords, and no session of before the last", async () => {
    const ada = await signUpPerson(service);
    const token = await giveResetToken(ada.id);
    const other = await signInPerson(service, ada.email);
    const [changed, reset] = await Promise.all([
      change(ada.token),
      service.call("POST", "/v1/auth/reset-password", { body: { token, password: "a third harbour at noon" } }),
    ]);
    const isReset = reset.status === 204;
    // Whichever comes second finds another password, no session, or no token.
    expect(isReset || changed.status === 204).toBe(true);
    expect((await signIn(ada.email, isReset ? "a third harbour at noon" : newPassword)).status).toBe(200);
    expectProblem(await readMe(other.token), "unauthenticated");
    expect((await readMe(ada.token)).status).toBe(isReset ? 401 : 200);
  });

  it("are waited for by a sign-in with the old password, which then gets no session", async () => {
    const ada = await signUpPerson(service);
    const held = await holdChange(ada);
    expectProblem(await signIn(ada.email, goodPassword), "invalid_credentials");
    await held.done;
    expect((await signIn(ada.email, newPassword)).status).toBe(200);
  });

  it("are waited for by a refresh of another session, which is then dead", async () => {
    const ada = await signUpPerson(service);
    const other = await signInPerson(service, ada.email);
    const held = await holdChange(ada);
    expectProblem(await refresh(other.refreshToken), "unauthenticated");
    await held.done;
  });

  it("end a session that began with the old password while they waited", async () => {
    const ada = await signUpPerson(service);
    const holding = asOwner(
      ["select from users where id = $1 for no key update", [ada.id]],
      [
        `insert into sessions (id, user_id, handle_hash, idle_expires_at, expires_at)
         values (gen_random_uuid(), $1::uuid, sha256($1::text::bytea), now() + interval '1 day', now() + interval '1 day')`,
        [ada.id],
      ],
      ["select pg_sleep(1)"],
    );
    await expect.poll(() => isLocked(ada.id), { interval: 5 }).toBe(true);
    expect((await change(ada.token)).status).toBe(204);
    await holding;
    const live = (await storedSessions(ada.id)).filter(({ revoked_at: revokedAt }) => revokedAt === null);
    expect(live).toHaveLength(1);
    expect((await readMe(ada.token)).status).toBe(200);
  });
});

/** A real change, of which nothing is committed for a second. */
async function holdChange(person: Person) {
  const recording = openService();
  await recording.injectFault({ fault: "delay", milliseconds: 0, times: 1 });
  await recording.injectFault({ fault: "drop-before" });
  expect((await change(person.token, newPassword, recording)).status).toBe(503);
  const [, request] = await recording.databaseRequests();
  const statements = request?.statements ?? expect.fail("nothing was recorded");
  const done = asWorker(...statements.map(({ query, params }): [string, unknown[]] => [query, params]), [
    "select pg_sleep(1)",
  ]);
  await expect.poll(() => isLocked(person.id), { interval: 5 }).toBe(true);
  return { done };
}

const isLocked = (userId: string): Promise<boolean> =>
  asOwner(["select from users where id = $1 for no key update nowait", [userId]]).then(
    () => false,
    (error: { code?: string }) => error.code === "55P03",
  );
