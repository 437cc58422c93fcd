import { mkdirSync } from "node:fs";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { root } from "../local/process-support.ts";
import { type DevBrowser, openDevBrowser } from "./dev-browser.ts";

const screenshots = path.join(root, "test-results");

describe("GET /docs in a browser", () => {
  let dev: DevBrowser;
  let url: string;
  let demo: { email: string; password: string };
  let page: Page;
  const foreignRequests: string[] = [];
  const failures: string[] = [];

  beforeAll(async () => {
    dev = await openDevBrowser();
    ({ url, demo } = dev);
    page = await dev.browser.newPage({ viewport: { width: 1440, height: 1000 } });
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (!["data:", "blob:"].includes(protocol) && origin !== url) foreignRequests.push(request.url());
    });
    page.on("pageerror", (error) => failures.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") failures.push(message.text());
    });
    await page.goto(`${url}/docs`);
  });

  afterAll(async () => {
    await dev?.stop();
  });

  it("lists every operation of the document", async () => {
    const response = await fetch(`${url}/openapi.json`);
    const document = (await response.json()) as { paths: Record<string, Record<string, { summary: string }>> };
    const summaries = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ summary }) => summary),
    );
    await page.getByText("Sign up").first().waitFor();
    mkdirSync(screenshots, { recursive: true });
    await page.screenshot({ path: path.join(screenshots, "docs.png") });
    const text = await page.evaluate("document.body.innerText");
    expect(summaries.filter((summary) => !String(text).includes(summary))).toEqual([]);
  });

  it("signs in through the page", async () => {
    await page.getByRole("link", { name: "Sign in" }).first().click();
    await page
      .locator("section", { hasText: "/v1/auth/sign-in" })
      .getByRole("button", { name: /Test Request/ })
      .last()
      .click();
    const client = page.getByRole("dialog");
    await client.locator(".cm-content").filter({ hasText: "password" }).click();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.insertText(JSON.stringify(demo));
    const answered = page.waitForResponse(`${url}/v1/auth/sign-in`);
    await client.getByRole("button", { name: /Send Request/ }).click();
    expect((await answered).status()).toBe(200);
    await client.getByText("sessionExpiresAt").first().waitFor();
    await page.screenshot({ path: path.join(screenshots, "docs-signed-in.png") });
  });

  it("loads nothing from other hosts, and breaks no rule of its own", () => {
    expect(foreignRequests).toEqual([]);
    expect(failures).toEqual([]);
  });
});
