import { createServer, type Server } from "node:http";
import type { BrowserContext, CDPSession, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { listenOnLoopback } from "../../scripts/local/listen.ts";
import { type DevBrowser, openDevBrowser } from "./dev-browser.ts";

interface Outcome {
  status: number;
  body: any;
}

describe("Passkeys in a browser", () => {
  let dev: DevBrowser;
  let server: Server;
  let frontend: string;
  let context: BrowserContext;
  let page: Page;
  let devtools: CDPSession;

  beforeAll(async () => {
    server = createServer((_, response) =>
      response.writeHead(200, { "content-type": "text/html" }).end("<p>A page</p>"),
    );
    frontend = `http://localhost:${await listenOnLoopback(server)}`;
    dev = await openDevBrowser(`CORS_ORIGINS=${frontend}\n`);
  });

  afterAll(async () => {
    await dev?.stop();
    server?.close();
  });

  beforeEach(async () => {
    context = await dev.browser.newContext();
    page = await context.newPage();
    await page.goto(frontend);
    devtools = await context.newCDPSession(page);
    await devtools.send("WebAuthn.enable");
    await devtools.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
  });

  afterEach(() => context.close());

  /** What a script of the page gets; in the page, so it may use nothing of this file. */
  const call = (method: string, route: string, token?: string, body?: object): Promise<Outcome> =>
    page.evaluate(
      async ({ address, options }) => {
        const response = await fetch(address, options);
        const text = await response.text();
        return { status: response.status, body: text ? JSON.parse(text) : undefined };
      },
      {
        address: dev.url + route,
        options: {
          method,
          headers: {
            ...(token && { authorization: `Bearer ${token}` }),
            ...(body && { "content-type": "application/json" }),
          },
          ...(body && { body: JSON.stringify(body) }),
        },
      },
    );

  /** What the browser answers to options of the service, as a frontend would ask it. */
  const ask = (ceremony: "create" | "get", options: object): Promise<object> =>
    page.evaluate(
      async ({ ceremony, options }) => {
        // Any: this runs in the page, of whose globals the types of Node know nothing.
        const { PublicKeyCredential, navigator } = globalThis as any;
        const parse = ceremony === "create" ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
        return (await navigator.credentials[ceremony]({ publicKey: PublicKeyCredential[parse](options) })).toJSON();
      },
      { ceremony, options },
    );
  const create = (options: object) => ask("create", options);
  const get = (options: object) => ask("get", options);

  /** With the token that was mailed to the demo account: before that, no second factor is set up. */
  async function verifyAddress(token: string): Promise<void> {
    const mailbox = /Mailbox\s+(\S+)/.exec(dev.output())?.[1] ?? "";
    const mails = await (await fetch(`${mailbox}/messages.json?to=${dev.demo.email}`)).text();
    const mailed = /#token=([\w-]+)/.exec(mails)?.[1];
    const { status } = await call("POST", "/v1/auth/verify-email", token, { token: mailed });
    expect(status).toBe(200);
  }

  it("are made, sign in without a password, and are given as the second factor", async () => {
    const signedIn = await call("POST", "/v1/auth/sign-in", undefined, dev.demo);
    const token = signedIn.body.accessToken;
    await verifyAddress(token);
    const { body: creation } = await call("POST", "/v1/auth/passkeys/registration-options", token);
    const added = await call("POST", "/v1/auth/passkeys", token, {
      name: "Laptop",
      credential: await create(creation),
    });
    expect([added.status, added.body]).toEqual([201, expect.objectContaining({ name: "Laptop" })]);
    expect(added.body.recoveryCodes).toHaveLength(10);
    // The browser itself refuses to make another for the same person.
    const { body: again } = await call("POST", "/v1/auth/passkeys/registration-options", token);
    await expect(create(again)).rejects.toThrow(/InvalidStateError/);

    const { body: request } = await call("POST", "/v1/auth/passkeys/authentication-options");
    const credential = await get(request);
    const first = await call("POST", "/v1/auth/passkeys/authentication", undefined, { credential });
    expect([first.status, first.body.user?.email]).toEqual([200, dev.demo.email]);
    expect((await call("POST", "/v1/auth/passkeys/authentication", undefined, { credential })).status).toBe(401);
    expect((await call("GET", "/v1/users/me", first.body.accessToken)).status).toBe(200);

    const half = await call("POST", "/v1/auth/sign-in", undefined, dev.demo);
    expect([half.status, half.body.factors]).toEqual([202, ["passkey", "recovery_code"]]);
    const { body: factor } = await call("POST", "/v1/auth/mfa/passkey-options", half.body.mfaToken);
    const whole = await call("POST", "/v1/auth/mfa/passkey", half.body.mfaToken, { credential: await get(factor) });
    expect([whole.status, whole.body.user?.email]).toEqual([200, dev.demo.email]);

    const { body: list } = await call("GET", "/v1/auth/passkeys", whole.body.accessToken);
    expect(list.data).toEqual([expect.objectContaining({ name: "Laptop", lastUsedAt: expect.any(String) })]);
    const removed = await call("DELETE", `/v1/auth/passkeys/${list.data[0].id}`, whole.body.accessToken);
    expect(removed.status).toBe(204);
  });
});
