import { describe, expect, it } from "vitest";
import { storedSessions } from "../support/accounts.ts";
import { asOwner } from "../support/database.ts";
import { giveIdentity, makeProof } from "../support/identities.ts";
import { mailsTo } from "../support/mailbox.ts";
import { beginFlow, comeBack, exchangeCode, readFragment, scriptAnswer, scriptedGoogle } from "../support/oauth.ts";
import { newEmail, openService, signUpPerson } from "../support/service.ts";
import { atOnce, crowd, expectTally, tenRounds } from "./at-once.ts";

const service = openService();
const scripted = openService(scriptedGoogle());

const identitiesOf = async (email: string) => {
  const [rows = []] = await asOwner([
    "select user_id, subject from identities i join users u on u.id = i.user_id where u.email = $1",
    [email],
  ]);
  return rows;
};

describe("50 at once", tenRounds, () => {
  it("come back with one state, and one of them gets a code", async () => {
    const flow = await beginFlow(scripted, "google");
    const answers = await atOnce(() => comeBack(scripted, flow, scriptAnswer(flow, {})));
    const outcomes = answers.map(readFragment);
    expect(outcomes.filter(({ code }) => code)).toHaveLength(1);
    expect(outcomes.filter(({ error }) => error === "invalid_state")).toHaveLength(crowd - 1);
  });

  it("hand in one code of somebody new, and one of them makes the account", async () => {
    const email = newEmail();
    const { code } = await makeProof({ subject: crypto.randomUUID(), email, emailVerified: true });
    const answers = await atOnce(() => exchangeCode(service, code));
    expectTally(answers, { 200: 1, "400 invalid_oauth_code": crowd - 1 });
    const identities = await identitiesOf(email);
    expect(identities).toHaveLength(1);
    expect(await storedSessions(identities[0]?.["user_id"])).toHaveLength(1);
  });

  it("hand in one code to link it, and one of them does", async () => {
    const ada = await signUpPerson(service);
    const { code, codeVerifier } = await makeProof({ subject: crypto.randomUUID() });
    const answers = await atOnce(() =>
      service.call("POST", "/v1/users/me/identities", { token: ada.token, body: { code, codeVerifier } }),
    );
    expectTally(answers, { 200: 1, "400 invalid_oauth_code": crowd - 1 });
    expect(await identitiesOf(ada.email)).toHaveLength(1);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });
});

describe("At once", tenRounds, () => {
  it("12 first sign-ins of one person make one account and one identity, and all get in", async () => {
    const [subject, email] = [crypto.randomUUID(), newEmail()];
    const proofs = await atOnce(() => makeProof({ subject, email, emailVerified: true }), 12);
    const answers = await atOnce((index) => exchangeCode(service, proofs[index]?.code ?? ""), 12);
    expectTally(answers, { 200: 12 });
    expect(new Set(answers.map(({ body }) => body.user.id)).size).toBe(1);
    expect(await identitiesOf(email)).toHaveLength(1);
  });

  it("12 identities with one verified address come into one account, which is handed over once", async () => {
    const ada = await signUpPerson(service);
    const proofs = await atOnce(
      () => makeProof({ subject: crypto.randomUUID(), email: ada.email, emailVerified: true }),
      12,
    );
    const answers = await atOnce((index) => exchangeCode(service, proofs[index]?.code ?? ""), 12);
    expectTally(answers, { 200: 12 });
    expect(await identitiesOf(ada.email)).toHaveLength(12);
    const live = (await storedSessions(ada.id)).filter(({ revoked_at }) => revoked_at === null);
    expect(live).toHaveLength(12);
  });

  it("12 people link one identity, and one of them has it", async () => {
    const people = await atOnce(() => signUpPerson(service), 12);
    const subject = crypto.randomUUID();
    const proofs = await atOnce(() => makeProof({ subject }), 12);
    const answers = await atOnce(
      (index) =>
        service.call("POST", "/v1/users/me/identities", {
          token: people[index]?.token,
          body: { ...proofs[index] },
        }),
      12,
    );
    expectTally(answers, { 200: 1, "409 identity_taken": 11 });
  });

  it("the last two identities of somebody without a password are unlinked, and one of them stays", async () => {
    const { code } = await makeProof({ subject: crypto.randomUUID(), email: newEmail(), emailVerified: true });
    const { body } = await exchangeCode(service, code);
    await giveIdentity(body.user.id, { provider: "github" });
    const token = body.accessToken;
    const { body: page } = await service.call("GET", "/v1/users/me/identities", { token });
    const answers = await atOnce(
      (index) => service.call("DELETE", `/v1/users/me/identities/${page.data[index].id}`, { token }),
      2,
    );
    expectTally(answers, { 204: 1, "409 last_sign_in_method": 1 });
  });
});
