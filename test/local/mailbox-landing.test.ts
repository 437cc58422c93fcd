import { readFileSync } from "node:fs";
import path from "node:path";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";

import { root } from "./process-support.ts";

const script = readFileSync(path.join(root, "scripts/local/mailbox/assets/landing.js"), "utf8");

interface Call {
  path: string;
  body: unknown;
  authorization: string | undefined;
}
type Reply = { status: number; body?: object };

/** Opens a page at an address, as far as its script sees a browser. */
function openPage(address: string, fields: Record<string, string> = {}, replies: Record<string, Reply> = {}) {
  const { pathname, hash } = new URL(address, "http://localhost:8025");
  const calls: Call[] = [];
  const addresses: string[] = [];
  const result = { className: "", textContent: "" };
  let submit: ((event: object) => void) | undefined;
  const form = {
    hidden: false,
    querySelector: () => ({ disabled: false }),
    addEventListener: (_: string, listener: typeof submit) => (submit = listener),
  };
  runInNewContext(script, {
    URLSearchParams,
    location: { pathname, hash },
    history: { replaceState: (_state: unknown, _title: string, to: string) => addresses.push(to) },
    document: {
      currentScript: { dataset: { api: "http://api" } },
      querySelector: (selector: string) => (selector === "form" ? form : result),
    },
    // Object.fromEntries reads the fields from it.
    FormData: function FormData() {
      return Object.entries(fields);
    },
    fetch: async (url: string, { headers, body }: { headers: Record<string, string>; body: string }) => {
      const target = url.slice("http://api".length);
      calls.push({ path: target, body: JSON.parse(body), authorization: headers["authorization"] });
      const reply = replies[target] ?? { status: 204 };
      return new Response(reply.body ? JSON.stringify(reply.body) : null, {
        status: reply.status,
        headers: { "content-type": "application/problem+json" },
      });
    },
  });
  const send = async () => {
    submit?.({ preventDefault: () => undefined });
    await expect.poll(() => result.className).not.toBe("");
  };
  return { calls, addresses, result, form, send };
}

describe("A page behind a link", () => {
  it("takes the token out of the address bar", () => {
    const page = openPage("/reset-password#token=t0");
    expect([page.addresses, page.form.hidden]).toEqual([["/reset-password"], false]);
  });

  it.each(["/verify-email", "/reset-password", "/confirm-email-change", "/sign-in", "/invitation"])(
    "%s needs a token",
    (address) => {
      const { form, result } = openPage(address);
      expect([form.hidden, result.className]).toEqual([true, "failure"]);
    },
  );

  it("verifies an address in a session of the account that claims it", async () => {
    const fields = { email: "ada@example.com", password: "p" };
    const page = openPage("/verify-email#token=t1", fields, {
      "/v1/auth/sign-in": { status: 200, body: { accessToken: "a1" } },
    });
    await page.send();
    expect(page.calls).toEqual([
      { path: "/v1/auth/sign-in", body: fields, authorization: undefined },
      { path: "/v1/auth/verify-email", body: { token: "t1" }, authorization: "Bearer a1" },
    ]);
    expect([page.result.className, page.form.hidden]).toEqual(["success", true]);
  });

  it("accepts an invitation with a new account, or with the one that the address has", async () => {
    const [email, password] = ["ada@example.com", "p"];
    const lookup = { status: 200, body: { email, organizationName: "Acme" } };
    const replies = { "/v1/invitations/lookup": lookup, "/v1/auth/sign-up": { status: 201, body: {} } };
    const page = openPage("/invitation#token=t6", { name: "Ada", password }, replies);
    await page.send();
    const body = { name: "Ada", email, password, invitationToken: "t6" };
    expect(page.calls.slice(1)).toEqual([{ path: "/v1/auth/sign-up", body, authorization: undefined }]);
    expect([page.result.className, page.result.textContent]).toEqual(["success", "You are a member of Acme."]);
    const known = openPage(
      "/invitation#token=t6",
      { name: "Ada", password },
      {
        ...replies,
        "/v1/auth/sign-up": { status: 409, body: { code: "email_taken" } },
        "/v1/auth/sign-in": { status: 200, body: { accessToken: "a1" } },
      },
    );
    await known.send();
    expect(known.calls.slice(2)).toEqual([
      { path: "/v1/auth/sign-in", body: { email, password }, authorization: undefined },
      { path: "/v1/invitations/accept", body: { token: "t6" }, authorization: "Bearer a1" },
    ]);
    expect(known.result.className).toBe("success");
    const refused = openPage(
      "/invitation#token=t6",
      { name: "Ada", password },
      {
        ...replies,
        "/v1/auth/sign-up": { status: 400, body: { code: "invalid_token", title: "The link is not valid" } },
      },
    );
    await refused.send();
    expect([refused.calls.length, refused.result.className]).toEqual([2, "failure"]);
  });

  it("sets a new password that was typed the same twice", async () => {
    const page = openPage("/reset-password#token=t2", { password: "p", repetition: "p" });
    await page.send();
    const body = { token: "t2", password: "p" };
    expect(page.calls).toEqual([{ path: "/v1/auth/reset-password", body, authorization: undefined }]);
    expect(page.result.className).toBe("success");
    const other = openPage("/reset-password#token=t2", { password: "p", repetition: "q" });
    await other.send();
    expect([other.calls, other.result.className]).toEqual([[], "failure"]);
  });

  it.each([
    ["pending", "once the link to the other address is confirmed"],
    ["changed", "is changed"],
  ])("confirms a change of address, which is then %s", async (status, text) => {
    const target = "/v1/auth/change-email/confirm";
    const fields = { email: "ada@example.com", password: "p" };
    const page = openPage("/confirm-email-change#token=t3", fields, {
      "/v1/auth/sign-in": { status: 200, body: { accessToken: "a1" } },
      [target]: { status: 200, body: { status } },
    });
    await page.send();
    expect(page.calls).toEqual([
      { path: "/v1/auth/sign-in", body: fields, authorization: undefined },
      { path: target, body: { token: "t3" }, authorization: "Bearer a1" },
    ]);
    expect(page.result.textContent).toContain(text);
  });

  it.each([
    [200, { user: { email: "ada@example.com" } }, "Signed in as ada@example.com."],
    [202, { status: "mfa_required" }, "second factor"],
  ])("signs in with the link, once its button is pressed: %s", async (status, body, text) => {
    const target = "/v1/auth/email-sign-in/verify";
    const page = openPage("/sign-in#token=t5", {}, { [target]: { status, body } });
    expect(page.calls).toEqual([]);
    await page.send();
    expect(page.calls).toEqual([{ path: target, body: { token: "t5" }, authorization: undefined }]);
    expect(page.result.textContent).toContain(text);
  });

  it("asks for a link to choose a new password, without a token", async () => {
    const target = "/v1/auth/forgot-password";
    const fields = { email: "ada@example.com" };
    const page = openPage("/forgot-password", fields, { [target]: { status: 202 } });
    await page.send();
    expect(page.calls).toEqual([{ path: target, body: fields, authorization: undefined }]);
    expect(page.result.className).toBe("success");
  });

  it("shows what the API says against it, and can be sent again", async () => {
    const page = openPage(
      "/reset-password#token=t4",
      { password: "p", repetition: "p" },
      {
        "/v1/auth/reset-password": {
          status: 400,
          body: { title: "Invalid", detail: "Not valid.", errors: [{ path: "password", message: "is too short" }] },
        },
      },
    );
    await page.send();
    expect(page.result).toEqual({ className: "failure", textContent: "Not valid.\npassword is too short" });
    expect(page.form.hidden).toBe(false);
  });
});
