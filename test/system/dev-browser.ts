import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { chromium, type Browser } from "playwright-core";

import { findFreePort } from "../../scripts/local/processes.ts";
import { cloneProject, removeClone, Script } from "../local/process-support.ts";

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** `npm run dev` in a clone, and a real browser that asks nobody else. */
export interface DevBrowser {
  /** Of the service. */
  url: string;
  /** The account that it has made. */
  demo: { email: string; password: string };
  browser: Browser;
  /** What `npm run dev` has printed so far. */
  output(): string;
  stop(): Promise<void>;
}

/**
 * @param devVars the lines of `.dev.vars`
 * @throws Error where there is no Chromium
 */
export async function openDevBrowser(devVars = ""): Promise<DevBrowser> {
  if (!existsSync(executablePath)) {
    throw new Error(
      `There is no Chromium at ${executablePath}. Install it (Debian: apt-get install chromium), or set CHROMIUM to its path.`,
    );
  }
  const clone = cloneProject();
  writeFileSync(path.join(clone, ".dev.vars"), devVars);
  const port = await findFreePort(20_000 + Math.floor(Math.random() * 10_000));
  const dev = new Script(["scripts/dev.ts", "--port", String(port)], clone);
  let browser: Browser | undefined;
  const stop = async (): Promise<void> => {
    await browser?.close();
    dev.kill("SIGTERM");
    await dev.ended;
    removeClone(clone);
  };
  try {
    await dev.prints(/Ctrl-C stops/);
    const [, url = "", email = "", password = ""] = await dev.prints(/Service\s+(\S+)[^]*Sign in\s+(\S+) with (\S+)/);
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
    return { url, demo: { email, password }, browser, output: () => dev.output, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
