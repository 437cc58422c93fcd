import { createServer, type Server } from "node:http";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { listenOnLoopback } from "../../scripts/local/listen.ts";
import { type DevBrowser, openDevBrowser } from "./dev-browser.ts";

interface Outcome {
  status?: number;
  body?: Record<string, unknown>;
  /** Instead of an answer that the page may read. */
  failure?: string;
}

const servePage = () =>
  createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>A page</p>"));

describe("The refresh cookie in a browser", () => {
  let dev: DevBrowser;
  let url: string;
  let demo: { email: string; password: string };
  let servers: Server[];
  /** Origins of pages. The first two are one site, of which a port is no part; CORS_ORIGINS has the first alone. */
  let frontend: string;
  let neighbour: string;
  let stranger: string;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    servers = [servePage(), servePage()];
    const ports = await Promise.all(servers.map((server) => listenOnLoopback(server)));
    [frontend = "", neighbour = ""] = ports.map((port) => `http://localhost:${port}`);
    stranger = `http://127.0.0.1:${ports[0]}`;
    dev = await openDevBrowser(`CORS_ORIGINS=${frontend}\n`);
    ({ url, demo, browser } = dev);
  });

  afterAll(async () => {
    await dev?.stop();
    for (const server of servers ?? []) server.close();
  });

  beforeEach(async () => {
    context = await browser.newContext();
  });

  afterEach(() => context.close());

  async function open(address: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(address);
    return page;
  }

  /** What a script of the page gets; in the page, so it may use nothing of this file. */
  const post = (
    page: Page,
    route: string,
    body?: object,
    init: { headers?: Record<string, string>; mode?: "no-cors" } = {},
  ): Promise<Outcome> =>
    page.evaluate(
      async ({ address, options }) => {
        try {
          const response = await fetch(address, options);
          const text = await response.text();
          return { status: response.status, body: text ? JSON.parse(text) : {} };
        } catch (error) {
          return { failure: String(error) };
        }
      },
      {
        address: url + route,
        options: {
          method: "POST",
          credentials: "include" as const,
          ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
          ...init,
        },
      },
    );

  const signIn = (page: Page) => post(page, "/v1/auth/sign-in", { ...demo, refreshTokenIn: "cookie" });
  const readCookies = () => context.cookies(url);

  /** In which no script of a page has a part. */
  async function readToken(): Promise<string> {
    const [cookie] = await readCookies();
    return cookie?.value ?? "";
  }

  it("is kept on http://localhost, for no script to read, and renewed by a request without a body", async () => {
    const page = await open(frontend);
    const signedIn = await signIn(page);
    expect(signedIn.status).toBe(200);
    expect(signedIn.body).not.toHaveProperty("refreshToken");
    expect(await readCookies()).toEqual([
      expect.objectContaining({
        name: "__Host-refresh",
        domain: "localhost",
        path: "/",
        httpOnly: true,
        secure: true,
        sameSite: "Strict",
      }),
    ]);
    const first = await readToken();
    const refreshed = await post(page, "/v1/auth/refresh");
    expect(refreshed.status).toBe(200);
    expect(refreshed.body).not.toHaveProperty("refreshToken");
    expect(await readToken()).not.toBe(first);
    expect(await page.evaluate("document.cookie")).toBe("");
    expect(await (await open(`${url}/docs`)).evaluate("document.cookie")).toBe("");
  });

  it("outlives the page, and is good in another tab and for a page of the API's own origin", async () => {
    const page = await open(frontend);
    await signIn(page);
    await page.close();
    for (const address of [frontend, `${url}/docs`]) {
      expect((await post(await open(address), "/v1/auth/refresh")).status).toBe(200);
    }
  });

  it("is taken back by a sign-out", async () => {
    const page = await open(frontend);
    const { body } = await signIn(page);
    const headers = { authorization: `Bearer ${String(body?.["accessToken"])}` };
    expect((await post(page, "/v1/auth/sign-out", undefined, { headers })).status).toBe(204);
    expect(await readCookies()).toEqual([]);
    expect((await post(page, "/v1/auth/refresh")).status).toBe(401);
  });

  it("is taken back when it is refused", async () => {
    const page = await open(frontend);
    await signIn(page);
    const altered = (await readCookies()).map((cookie) => ({ ...cookie, value: "garbage" }));
    await context.addCookies(altered);
    expect((await post(page, "/v1/auth/refresh")).status).toBe(401);
    expect(await readCookies()).toEqual([]);
  });

  /** The statuses of all refreshes so far, as the service logs them: the browser shows those of strangers to nobody. */
  const logged = () =>
    Array.from(dev.output().matchAll(/"route":"\/v1\/auth\/refresh","status":(\d+)/g), ([, status]) => status);

  /** What the service answers to a refresh for which the browser asks nobody beforehand, as CORS would have it. */
  async function sendBlindly(page: Page): Promise<string | undefined> {
    const before = logged().length;
    expect((await post(page, "/v1/auth/refresh", undefined, { mode: "no-cors" })).failure).toMatch(/Failed to fetch/);
    await expect.poll(() => logged().length, { timeout: 10_000 }).toBe(before + 1);
    return logged().at(-1);
  }

  it("does nothing for another page of the same site, although the browser sends it along", async () => {
    const page = await open(frontend);
    await signIn(page);
    const before = await readToken();
    const other = await open(neighbour);
    // 403 is for a cookie that came along; without one it is 401.
    expect(await sendBlindly(other)).toBe("403");
    expect((await post(other, "/v1/auth/refresh")).failure).toMatch(/Failed to fetch/);
    expect((await signIn(other)).failure).toMatch(/Failed to fetch/);
    expect(await readToken()).toBe(before);
    expect((await post(page, "/v1/auth/refresh")).status).toBe(200);
  });

  it("is not even sent for a page of another site", async () => {
    const page = await open(frontend);
    await signIn(page);
    const before = await readToken();
    expect(await sendBlindly(await open(stranger))).toBe("401");
    expect(await readToken()).toBe(before);
  });
});
