import { describe, expect, it } from "vitest";
import { readMe, refresh, storedSessions } from "./support/accounts.ts";
import { askForFactor, askToSignIn, beginSignIn, giveFactor, makeChallenge, sessionOf } from "./support/passkeys.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person } from "./support/service.ts";
import { forgeries, lies, makeAda, usedAt } from "./support/assertions.ts";

const service = openService();

describe("POST /v1/auth/mfa/passkey-options", () => {
  it("asks for the person's own passkeys, before the session is complete", async () => {
    const { ada, authenticator } = await makeAda();
    await makeAda();
    expect(await askForFactor(await beginSignIn(ada))).toMatchObject({
      rpId: "app.acme.example",
      allowCredentials: [{ type: "public-key", id: authenticator.id, transports: ["internal", "hybrid"] }],
      userVerification: "required",
    });
  });
});

describe("POST /v1/auth/mfa/passkey", () => {
  it("completes the session under new tokens; what was good before is good for nothing", async () => {
    const { ada, authenticator } = await makeAda();
    const token = await beginSignIn(ada);
    const answer = await giveFactor(token, await authenticator.get(await askForFactor(token)));
    expect([answer.status, answer.body.user?.id]).toEqual([200, ada.id]);
    expect((await readMe(answer.body.accessToken)).status).toBe(200);
    expect((await refresh(answer.body.refreshToken)).status).toBe(200);
    expect((await storedSessions(ada.id)).at(-1)?.["second_factor"]).toBe("given");
    expectProblem(await service.call("POST", "/v1/auth/mfa/passkey-options", { token }), "unauthenticated");
  });

  const expectRefusal = async (ada: Person, token: string, credential: unknown) => {
    expectProblem(await giveFactor(token, credential), "invalid_passkey");
    expect((await storedSessions(ada.id)).at(-1)?.["second_factor"]).toBe("pending");
    expect(await usedAt(ada)).toEqual({ last_used_at: null, sign_count: 5 });
  };

  it.each(Object.entries(lies))("refuses one %s", async (_, lie) => {
    const { ada, authenticator } = await makeAda();
    const token = await beginSignIn(ada);
    await expectRefusal(ada, token, await authenticator.get(await askForFactor(token), lie));
  });

  it.each(Object.entries(forgeries))("refuses one %s", async (_, forge) => {
    const { ada, authenticator } = await makeAda();
    const token = await beginSignIn(ada);
    await expectRefusal(ada, token, forge(await authenticator.get(await askForFactor(token))));
  });

  it("refuses the passkey of somebody else, even for a challenge of this session", async () => {
    const [{ ada }, mallory] = [await makeAda(), await makeAda()];
    const token = await beginSignIn(ada);
    const options = await askForFactor(token);
    await expectRefusal(ada, token, await mallory.authenticator.get(options, { userHandle: undefined }));
    expect(await usedAt(mallory.ada)).toEqual({ last_used_at: null, sign_count: 5 });
  });

  it("takes the challenge of this session alone, once, for five minutes", async () => {
    const { ada, authenticator } = await makeAda();
    const [token, other] = [await beginSignIn(ada), await beginSignIn(ada)];
    const rpId = "app.acme.example";
    const wrong = [
      (await askForFactor(other)).challenge,
      (await askToSignIn()).challenge,
      await makeChallenge({ purpose: "second factor", session: await sessionOf(token) }, 301),
      await makeChallenge({ purpose: "registration", session: await sessionOf(token) }),
    ];
    for (const challenge of wrong) await expectRefusal(ada, token, await authenticator.get({ challenge, rpId }));
    const options = await askForFactor(token);
    await expectRefusal(ada, token, await authenticator.get(options, { userVerified: false }));
    await expectRefusal(ada, token, await authenticator.get(options));
    expect((await giveFactor(token, await authenticator.get(await askForFactor(token)))).status).toBe(200);
  });

  it("completes a session once of 50 at once", async () => {
    const { ada, authenticator } = await makeAda();
    const token = await beginSignIn(ada);
    const credentials = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => authenticator.get(await askForFactor(token), { counter: 10 + n })),
    );
    const answers = await Promise.all(credentials.map((credential) => giveFactor(token, credential)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { status } of answers) expect([200, 401]).toContain(status);
  });

  it("is nothing for a session that is complete, nor for one that was ended", async () => {
    const { ada, authenticator } = await makeAda();
    expectProblem(
      await giveFactor(ada.token, await authenticator.get(await askForFactor(ada.token))),
      "unauthenticated",
    );
    const token = await beginSignIn(ada);
    const credential = await authenticator.get(await askForFactor(token));
    expect((await service.call("DELETE", "/v1/auth/sessions?scope=all", { token: ada.token })).status).toBe(204);
    expectProblem(await giveFactor(token, credential), "unauthenticated");
  });
});
