import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { findFreePort } from "../../scripts/local/processes.ts";
import { cloneProject, removeClone, root, Script } from "../local/process-support.ts";

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const screenshots = path.join(root, "test-results");

describe("GET /docs in a browser", () => {
  let clone: string;
  let dev: Script;
  let url: string;
  let demo: { email: string; password: string };
  let browser: Browser;
  let page: Page;
  const foreignRequests: string[] = [];
  const failures: string[] = [];

  beforeAll(async () => {
    if (!existsSync(executablePath)) {
      throw new Error(
        `There is no Chromium at ${executablePath}. Install it (Debian: apt-get install chromium), or set CHROMIUM to its path.`,
      );
    }
    clone = cloneProject();
    const port = await findFreePort(20_000 + Math.floor(Math.random() * 10_000));
    dev = new Script(["scripts/dev.ts", "--port", String(port)], clone);
    await dev.prints(/Ctrl-C stops/);
    const printed = await dev.prints(/Service\s+(\S+)[^]*Sign in\s+(\S+) with (\S+)/);
    [, url = ""] = printed;
    demo = { email: printed[2] ?? "", password: printed[3] ?? "" };
    browser = await chromium.launch({
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    });
    page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
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
    await browser?.close();
    dev?.kill("SIGTERM");
    await dev?.ended;
    if (clone) removeClone(clone);
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
