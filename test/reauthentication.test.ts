import { describe, expect, it } from "vitest";
import { type Admission, admitStatement, readHandle } from "./support/admission.ts";
import { disableUser, readMe, signIn, storedSessions, storedUser } from "./support/accounts.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, goodPassword, openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";
import { countAttempts, setLastAttempt } from "./support/throttles.ts";

const service = openService();
const pepper = "a-pepper-for-tests-alone-Hn4kR7sWp2cB";

const reauthenticate = (token: string, password: unknown = goodPassword, by = service) =>
  by.call("POST", "/v1/auth/reauthenticate", { body: { password }, token });

const age = ({ id }: Person, time = "11 minutes") =>
  asOwner(["update sessions set authenticated_at = now() - $2::interval where user_id = $1", [id, time]]);

/** Whether app.admit lets the session pass where the password must have been given recently. */
async function isFresh(token: string): Promise<boolean> {
  const admission: Admission = { handle: await readHandle(token), organizationId: null, permission: null, fresh: true };
  return asWorker(admitStatement(admission)).then(
    () => true,
    (error: { code?: string }) => {
      if (error.code !== "APFRS") throw error;
      return false;
    },
  );
}

/** The wrong passwords that are free; the wait after them is a minute longer than it is, for a slow machine. */
async function useUp({ id: userId, token }: Person, by = service): Promise<void> {
  for (let n = 0; n < 5; n++) expectProblem(await reauthenticate(token, "wrong", by), "wrong_password");
  await setLastAttempt({ userId }, -60);
}

function expectWait(answer: Answer, seconds: number): void {
  expectProblem(answer, "too_many_attempts");
  const given = Number(answer.headers.get("retry-after"));
  expect(given).toBeLessThanOrEqual(seconds);
  // Less by what this test itself has taken.
  expect(given).toBeGreaterThan(seconds - 30);
}

describe("POST /v1/auth/reauthenticate", () => {
  it("makes this session fresh for 10 minutes, and no other", async () => {
    const ada = await signUpPerson(service);
    const other = await signInPerson(service, ada.email);
    await age(ada);
    expect([await isFresh(ada.token), await isFresh(other.token)]).toEqual([false, false]);
    expect((await reauthenticate(ada.token)).status).toBe(204);
    expect([await isFresh(ada.token), await isFresh(other.token)]).toEqual([true, false]);
    await age(ada, "599 seconds");
    expect(await isFresh(ada.token)).toBe(true);
    await age(ada, "601 seconds");
    expect(await isFresh(ada.token)).toBe(false);
  });

  it("refuses a wrong password with 403, and the session lives on as it was", async () => {
    const ada = await signUpPerson(service);
    await age(ada);
    const before = await storedSessions(ada.id);
    for (const wrong of ["not the password", "", `${goodPassword} `, goodPassword.toUpperCase(), "☠".repeat(100)])
      expectProblem(await reauthenticate(ada.token, wrong), "wrong_password");
    expect(await storedSessions(ada.id)).toEqual(before);
    expect([(await readMe(ada.token)).status, await isFresh(ada.token)]).toEqual([200, false]);
  });

  it("takes the password of nobody else", async () => {
    const ada = await signUpPerson(service);
    const secret = "grace's own harbour";
    await service.call("POST", "/v1/auth/change-password", {
      body: { currentPassword: goodPassword, newPassword: secret },
      token: (await signUpPerson(service)).token,
    });
    expectProblem(await reauthenticate(ada.token, secret), "wrong_password");
  });

  it("refuses a session that was revoked, and a disabled account", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    await service.call("POST", "/v1/auth/sign-out", { token: ada.token });
    await disableUser(grace.id);
    for (const { token } of [ada, grace]) expectProblem(await reauthenticate(token), "unauthenticated");
  });

  it("ends no session, and leaves tokens good", async () => {
    const ada = await signUpPerson(service);
    const other = await signInPerson(service, ada.email);
    await reauthenticate(ada.token);
    for (const { token } of [ada, other]) expect((await readMe(token)).status).toBe(200);
    const refreshed = await service.call("POST", "/v1/auth/refresh", { body: { refreshToken: ada.refreshToken } });
    expect(refreshed.status).toBe(200);
  });

  it.each([
    [
      "another BCRYPT_WORK_FACTOR",
      { BCRYPT_WORK_FACTOR: "5" },
      { password_salt: expect.stringMatching(/^\$2b\$05\$/) },
    ],
    ["a PASSWORD_PEPPER", { PASSWORD_PEPPER: pepper }, { password_scheme: 2 }],
  ])("renews the hash under %s, within the two database requests", async (_, settings, renewed) => {
    const ada = await signUpPerson(service);
    const changed = openService(settings);
    const before = await storedUser(ada.email);
    expectProblem(await reauthenticate(ada.token, "not the password", changed), "wrong_password");
    expect(await storedUser(ada.email)).toEqual(before);
    await changed.databaseRequests();
    expect((await reauthenticate(ada.token, goodPassword, changed)).status).toBe(204);
    expect(await changed.databaseRequests()).toHaveLength(2);
    const after = await storedUser(ada.email);
    expect(after).toMatchObject({ ...renewed, updated_at: before?.["updated_at"] });
    expect((await reauthenticate(ada.token, goodPassword, changed)).status).toBe(204);
    expect(await storedUser(ada.email)).toEqual(after);
    expect((await signIn(ada.email, goodPassword, changed)).status).toBe(200);
  });

  it("reads the parameters again when the hash was renewed between its two requests", async () => {
    const ada = await signUpPerson(service);
    await age(ada);
    const slow = openService();
    // The second request waits, and meanwhile a sign-in renews the hash.
    await slow.injectFault({ fault: "delay", milliseconds: 0, times: 1 });
    await slow.injectFault({ fault: "delay", milliseconds: 1_000, times: 1 });
    const answer = reauthenticate(ada.token, goodPassword, slow);
    await expect.poll(() => countAttempts({ userId: ada.id }), { interval: 5 }).toEqual({ person: 1 });
    expect((await signIn(ada.email, goodPassword, openService({ BCRYPT_WORK_FACTOR: "5" }))).status).toBe(200);
    expect((await answer).status).toBe(204);
    expect(await slow.databaseRequests()).toHaveLength(4);
    expect(await isFresh(ada.token)).toBe(true);
  });

  it("sends the database neither the password nor what it keeps of it", async () => {
    const own = openService();
    const ada = await signUpPerson(own);
    await own.databaseRequests();
    await reauthenticate(ada.token, goodPassword, own);
    const sent = JSON.stringify(await own.databaseRequests());
    const verifier = String((await storedUser(ada.email))?.["password_verifier"]).slice(2);
    for (const secret of [goodPassword, verifier, ada.token]) expect(sent).not.toContain(secret);
  });
});

describe("Wrong passwords in a session", () => {
  it("are taken five times, and then each only after twice as long, 15 minutes at most", async () => {
    const ada = await signUpPerson(service);
    await useUp(ada);
    for (const wait of [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
      expectWait(await reauthenticate(ada.token, "wrong"), wait + 60);
      await setLastAttempt({ userId: ada.id }, wait);
      expectProblem(await reauthenticate(ada.token, "wrong"), "wrong_password");
      await setLastAttempt({ userId: ada.id }, -60);
    }
  });

  it("keep the right one out as well while they wait, and nothing that is refused is counted", async () => {
    const ada = await signUpPerson(service);
    await age(ada);
    await useUp(ada);
    for (let n = 0; n < 5; n++) expectProblem(await reauthenticate(ada.token), "too_many_attempts");
    expect([await countAttempts({ userId: ada.id }), await isFresh(ada.token)]).toEqual([{ person: 5 }, false]);
    await setLastAttempt({ userId: ada.id }, 2);
    expect((await reauthenticate(ada.token)).status).toBe(204);
  });

  it("are forgotten once it was right", async () => {
    const ada = await signUpPerson(service);
    for (let n = 0; n < 4; n++) await reauthenticate(ada.token, "wrong");
    expect((await reauthenticate(ada.token)).status).toBe(204);
    expect(await countAttempts({ userId: ada.id })).toEqual({});
    await useUp(ada);
    expectProblem(await reauthenticate(ada.token, "wrong"), "too_many_attempts");
  });

  it("are counted for the person: together for all sessions and both routes, and for nobody else", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    const other = await signInPerson(service, ada.email);
    const change = (token: string) =>
      service.call("POST", "/v1/auth/change-password", {
        body: { currentPassword: "wrong", newPassword: "another harbour at dusk" },
        token,
      });
    for (const wrong of [reauthenticate(ada.token, "wrong"), reauthenticate(other.token, "wrong"), change(ada.token)])
      expectProblem(await wrong, "wrong_password");
    for (const { token } of [ada, other]) expectProblem(await change(token), "wrong_password");
    await setLastAttempt({ userId: ada.id }, -60);
    for (const { token } of [ada, other]) {
      expectProblem(await reauthenticate(token), "too_many_attempts");
      expectProblem(await change(token), "too_many_attempts");
    }
    expect((await reauthenticate(grace.token)).status).toBe(204);
  });

  it("50 at once are no more than one after the other", async () => {
    const ada = await signUpPerson(service);
    const started = performance.now();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => reauthenticate(ada.token, `wrong ${n}`)));
    const seconds = (performance.now() - started) / 1_000;
    const tried = answers.filter(({ body }) => body.code === "wrong_password").length;
    expect(answers.filter(({ body }) => body.code === "too_many_attempts")).toHaveLength(50 - tried);
    expect(await countAttempts({ userId: ada.id })).toEqual({ person: tried });
    expect(tried).toBeGreaterThanOrEqual(5);
    // Two seconds after the fifth comes the sixth.
    expect(tried).toBeLessThanOrEqual(5 + Math.floor(seconds / 2));
  });

  it("stay counted when the database is gone before it has compared", async () => {
    const ada = await signUpPerson(service);
    const failing = openService();
    await failing.injectFault({ fault: "delay", milliseconds: 0, times: 1 });
    await failing.injectFault({ fault: "refuse" });
    expect((await reauthenticate(ada.token, "wrong", failing)).status).toBe(503);
    expect(await countAttempts({ userId: ada.id })).toEqual({ person: 1 });
  });

  it("cost no bcrypt, and one request to the database, while one must wait", async () => {
    const own = openService();
    const ada = await signUpPerson(own);
    await useUp(ada, own);
    await own.databaseRequests();
    expectProblem(await reauthenticate(ada.token, "wrong", own), "too_many_attempts");
    expect(await own.databaseRequests()).toHaveLength(1);
  });

  it("can be guessed by no injected statement without the whole hash, nor the session be made fresh", async () => {
    const ada = await signUpPerson(service);
    await age(ada);
    const admit = admitStatement({ handle: await readHandle(ada.token), organizationId: null, permission: null });
    const stored = await storedUser(ada.email);
    const verifier = String(stored?.["password_verifier"]).slice(2);
    for (const hash of ["", verifier, stored?.["password_salt"], `${stored?.["password_salt"]}${"x".repeat(31)}`]) {
      const attempt = asWorker(admit, ["select app.reauthenticate('\\x00', $1)", [hash]]);
      await expect(attempt).rejects.toMatchObject({ code: "APPWD" });
    }
    for (const text of [
      "update sessions set authenticated_at = now()",
      "delete from throttles",
      "select app_private.prove_password('\\x00', '')",
      "select app_private.take_attempt('\\x00', 5)",
    ])
      await expect(asWorker(admit, [text])).rejects.toMatchObject({ code: "42501" });
    expect(await isFresh(ada.token)).toBe(false);
  });
});
