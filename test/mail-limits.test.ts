import { describe, expect, it } from "vitest";
import { readMe } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { goodPassword, newEmail, openService, signUpPerson } from "./support/service.ts";

const service = openService();
const required = openService({ EMAIL_VERIFICATION: "required" });
const passwords = [goodPassword, "another harbour at dusk"];

/** From the first of the passwords to the second, or back. */
const changePassword = (token: string, round: number) =>
  service.call("POST", "/v1/auth/change-password", {
    token,
    body: { currentPassword: passwords[round % 2], newPassword: passwords[(round + 1) % 2] },
  });

const changeEmail = (token: string, email: string) =>
  service.call("POST", "/v1/auth/change-email", { token, body: { newEmail: email } });

describe("Five mails an hour with a link", () => {
  it("to a new password are as many, whatever becomes of the password meanwhile", async () => {
    const eve = await signUpPerson(service);
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 5; n++)
        await service.call("POST", "/v1/auth/forgot-password", { body: { email: eve.email } });
      expect((await changePassword(eve.token, round)).status).toBe(204);
    }
    const mails = (await mailsTo(eve.email)).filter(({ subject }) => subject === "Choose a new password");
    expect(mails).toHaveLength(5);
  });

  it("to another address are as many, whatever becomes of the password meanwhile", async () => {
    const eve = await signUpPerson(service);
    const victim = newEmail();
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 5; n++) await changeEmail(eve.token, victim);
      expect((await changePassword(eve.token, round)).status).toBe(204);
    }
    expect(await mailsTo(victim)).toHaveLength(5);
  });

  it("to another address are as many, whatever address was confirmed meanwhile", async () => {
    const eve = await signUpPerson(service);
    const victim = newEmail();
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 4; n++) await changeEmail(eve.token, victim);
      const [{ body: me }, own] = [await readMe(eve.token), newEmail()];
      if ((await changeEmail(eve.token, own)).status !== 202) continue;
      for (const address of me.emailVerified ? [me.email, own] : [own]) {
        const token = tokenOf(await lastMailTo(address));
        await service.call("POST", "/v1/auth/change-email/confirm", { token: eve.token, body: { token } });
      }
    }
    expect(await mailsTo(victim)).toHaveLength(4);
  });
});

describe("Ten mails an hour to an address that nobody has verified", () => {
  it("are as many when a stranger registers it, signs in and deletes it, again and again", async () => {
    const victim = newEmail();
    for (let round = 0; round < 8; round++) {
      const body = { email: victim, password: goodPassword, name: "Eve" };
      await required.call("POST", "/v1/auth/sign-up", { body });
      const { email, password } = body;
      const signedIn = await required.call("POST", "/v1/auth/sign-in", { body: { email, password } });
      expect((await required.call("DELETE", "/v1/users/me", { token: signedIn.body.accessToken })).status).toBe(204);
    }
    expect(await mailsTo(victim)).toHaveLength(10);
  });

  it("are as many when a stranger signs in with it from many programs", async () => {
    const victim = newEmail();
    await required.call("POST", "/v1/auth/sign-up", { body: { email: victim, password: goodPassword, name: "Eve" } });
    for (let n = 0; n < 12; n++) {
      const headers = { "user-agent": `Program ${"x".repeat(n)}` };
      const body = { email: victim, password: goodPassword };
      expect((await required.call("POST", "/v1/auth/sign-in", { body, headers })).status).toBe(200);
    }
    expect(await mailsTo(victim)).toHaveLength(10);
  });

  it("are as many when 20 strangers want to move to it at once, and each is answered alike", async () => {
    const victim = newEmail();
    const strangers = await Promise.all(Array.from({ length: 20 }, () => signUpPerson(service)));
    const answers = await Promise.all(strangers.map(({ token }) => changeEmail(token, victim)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(await mailsTo(victim)).toHaveLength(10);
  });

  it("begin anew after the hour, and are no limit to one that is verified", async () => {
    const victim = newEmail();
    const eve = await signUpPerson(service);
    const another = async () => {
      await asOwner(["delete from one_time_tokens where user_id = $1", [eve.id]]);
      expect((await changeEmail(eve.token, victim)).status).toBe(202);
    };
    for (let n = 0; n < 12; n++) await another();
    expect(await mailsTo(victim)).toHaveLength(10);
    const anHourLater =
      "update throttles set attempted_at = attempted_at - interval '1 hour' where scope = app_private.mail_scope($1)";
    await asOwner(["set local role app_definer"], [anHourLater, [victim]]);
    for (let n = 0; n < 12; n++) await another();
    expect(await mailsTo(victim)).toHaveLength(20);
    await asOwner(["update users set email = $2, email_verified_at = now() where id = $1", [eve.id, newEmail()]]);
    const ada = await signUpPerson(service);
    await asOwner(["update users set email = $2, email_verified_at = now() where id = $1", [ada.id, victim]]);
    await another();
    expect(await mailsTo(victim)).toHaveLength(21);
  });
});
