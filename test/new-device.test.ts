import { describe, expect, it } from "vitest";
import { storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { mailsTo } from "./support/mailbox.ts";
import { goodPassword, newEmail, openService, type Service } from "./support/service.ts";

const service = openService();

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0";
const chrome =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

async function newAccount(by = service): Promise<{ id: string; email: string }> {
  const email = newEmail();
  const { body } = await by.call("POST", "/v1/auth/sign-up", {
    body: { email, password: goodPassword, name: "Ada Lovelace" },
  });
  return { id: body.id, email };
}

async function signIn(email: string, userAgent: string | null, by: Service = service, address?: string) {
  const { status, body } = await by.call("POST", "/v1/auth/sign-in", {
    body: { email, password: goodPassword },
    headers: {
      ...(userAgent !== null && { "user-agent": userAgent }),
      ...(address && { "cf-connecting-ip": address }),
    },
  });
  expect(status).toBe(200);
  return body;
}

const noticesTo = async (email: string) =>
  (await mailsTo(email)).filter(({ subject }) => subject === "A sign-in from a new device");

describe("a sign-in from a device that was not seen before", () => {
  it("is told to the account's address, with when, from where and with what, and no link that does something", async () => {
    const { email } = await newAccount();
    await signIn(email, firefox);
    await signIn(email, chrome, service, "203.0.113.9");
    const [mail, ...more] = await noticesTo(email);
    expect(more).toEqual([]);
    expect(mail?.text.replaceAll("\n", " ")).toMatch(
      /It happened at \d{4}-\d\d-\d\d \d\d:\d\d UTC, from the IP address 203\.0\.113\.9, with Chrome on Windows\./,
    );
    expect(mail?.text).toContain("Hello Ada Lovelace,");
    expect(mail?.text).not.toContain("#token=");
  });

  it("is no news when it is the first of the account", async () => {
    const { email } = await newAccount();
    await signIn(email, firefox);
    expect(await noticesTo(email)).toEqual([]);
  });

  it("is told once, and then the device is known", async () => {
    const { email } = await newAccount();
    for (const agent of [firefox, chrome, firefox, chrome]) await signIn(email, agent);
    expect(await noticesTo(email)).toHaveLength(1);
  });

  it("is told once when it comes five times at once", async () => {
    const { email } = await newAccount();
    await signIn(email, firefox);
    await Promise.all(Array.from({ length: 5 }, () => signIn(email, chrome)));
    expect(await noticesTo(email)).toHaveLength(1);
  });

  it.each([
    ["an update of the browser", firefox, firefox.replaceAll("115.0", "128.4.1")],
    ["an update of the system", chrome, chrome.replace("10.0", "11")],
    ["an update with more parts", "App/9", "App/10.2.11_4"],
    ["another network", firefox, firefox],
  ])("is not %s", async (_, before, after) => {
    const { email } = await newAccount();
    await signIn(email, before);
    await signIn(email, after, openService());
    expect(await noticesTo(email)).toEqual([]);
  });

  it("is one without a User-Agent, and one with it after one without", async () => {
    const { email } = await newAccount();
    await signIn(email, firefox);
    await signIn(email, null);
    await signIn(email, null);
    expect(await noticesTo(email)).toHaveLength(1);
    await signIn(email, chrome);
    expect(await noticesTo(email)).toHaveLength(2);
  });

  it("is not one whose session was signed out or has ended since", async () => {
    const { id, email } = await newAccount();
    const { accessToken } = await signIn(email, firefox);
    await service.call("POST", "/v1/auth/sign-out", { token: accessToken });
    await signIn(email, firefox);
    await asOwner(["update sessions set expires_at = now(), idle_expires_at = now() where user_id = $1", [id]]);
    await signIn(email, firefox);
    expect(await noticesTo(email)).toEqual([]);
  });

  it("does not go by what others have signed in with", async () => {
    const [ada, grace] = [await newAccount(), await newAccount()];
    await signIn(grace.email, chrome);
    await signIn(ada.email, firefox);
    await signIn(ada.email, chrome);
    expect(await noticesTo(ada.email)).toHaveLength(1);
    expect(await noticesTo(grace.email)).toEqual([]);
  });

  it("is told to nobody when the password is wrong", async () => {
    const { email } = await newAccount();
    await signIn(email, firefox);
    const wrong = { body: { email, password: "not the password" }, headers: { "user-agent": chrome } };
    expect((await service.call("POST", "/v1/auth/sign-in", wrong)).status).toBe(401);
    expect(await noticesTo(email)).toEqual([]);
  });

  it("is told when the session was committed, and only then", async () => {
    const { id, email } = await newAccount();
    await signIn(email, firefox);
    const faulty = openService();
    const body = { email, password: goodPassword };
    await faulty.injectFault({ fault: "delay", milliseconds: 0 });
    await faulty.injectFault({ fault: "drop-during", statement: 2 });
    expect((await faulty.call("POST", "/v1/auth/sign-in", { body, headers: { "user-agent": chrome } })).status).toBe(
      503,
    );
    expect(await faulty.databaseRequests()).toHaveLength(2);
    const [queued] = await asOwner(["select id from outbox where user_id = $1", [id]]);
    expect(await storedSessions(id)).toHaveLength(1);
    expect(queued).toEqual([]);
  });

  it("is told to nobody where no mail provider is set up, and signs in", async () => {
    const without = openService({ EMAIL_PROVIDER: undefined });
    const { id, email } = await newAccount(without);
    for (const agent of [firefox, chrome]) await signIn(email, agent, without);
    expect((await asOwner(["select id from outbox where user_id = $1", [id]]))[0]).toEqual([]);
  });

  it("asks nothing more of the database, before or after the answer, where it is none", async () => {
    const own = openService();
    const { email } = await newAccount(own);
    await own.allDatabaseRequests();
    for (let i = 0; i < 3; i++) await signIn(email, firefox, own);
    expect(await own.allDatabaseRequests()).toHaveLength(3 * 2);
    await signIn(email, chrome, own);
    // To take the mail, and to say that it was sent.
    expect(await own.allDatabaseRequests()).toHaveLength(2 + 2);
  });
});
