import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { findFreePort } from "../../scripts/local/processes.ts";
import { cloneProject, removeClone, root, Script } from "./process-support.ts";

interface Step {
  commands: string;
  status: string;
  /** Text that the answer must have. */
  contains: string;
}

/** The tour's commands, each with what the comment after it promises. */
function readTour(): { preamble: string; steps: Step[] } {
  const readme = readFileSync(path.join(root, "README.md"), "utf8");
  const tour = /## A five-minute tour\n[^]*?```sh\n([^]*?)```/.exec(readme)?.[1] ?? "";
  const [first = "", ...rest] = tour
    .split(/^(?=API=)/m)
    .join("")
    .split(/\n\n(?=#)/);
  const parts = rest.join("\n\n").split(/^# → (.*)$/m);
  const steps: Step[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [, status = "", contains = ""] = /^(\d{3}) ?(.*)$/.exec(parts[i + 1] ?? "") ?? [];
    steps.push({ commands: parts[i] ?? "", status, contains });
  }
  return { preamble: first, steps };
}

// curl as a newcomer types it, silenced; what it was answered goes to two files beside its output.
const curlFunction = `curl() {
  command curl -sS -o "$ANSWER" -w '%{http_code}' "$@" > "$STATUS" || return $?
  cat "$ANSWER"
}`;

describe("The tour of README.md", () => {
  let clone: string;
  let dev: Script;
  let url: string;
  let mailboxUrl: string;

  beforeAll(async () => {
    clone = cloneProject();
    const port = await findFreePort(20_000 + Math.floor(Math.random() * 10_000));
    dev = new Script(["scripts/dev.ts", "--port", String(port)], clone);
    await dev.prints(/Ctrl-C stops/);
    url = (await dev.prints(/Service\s+(\S+)/))[1] ?? "";
    mailboxUrl = (await dev.prints(/Mailbox\s+(\S+)/))[1] ?? "";
  });

  afterAll(async () => {
    dev.kill("SIGTERM");
    await dev.ended;
    removeClone(clone);
  });

  it("answers every line as it says", async () => {
    const { preamble, steps } = readTour();
    expect(preamble.trim()).toBe("API=http://localhost:8787\nMAIL=http://localhost:8025");
    expect(steps.length).toBeGreaterThan(12);
    const script = [
      "set -eu",
      curlFunction,
      `API=${url} MAIL=${mailboxUrl}`,
      ...steps.flatMap(({ commands }, i) => [`ANSWER="$FOLDER/answer-${i}" STATUS="$FOLDER/status-${i}"`, commands]),
    ].join("\n");
    // A command that fails is told by its answers below.
    const { stderr } = await promisify(execFile)("bash", ["--norc", "-c", script], {
      env: { PATH: process.env["PATH"], FOLDER: clone },
    }).catch((error: { stderr: string }) => error);
    const read = (name: string): string => {
      const file = path.join(clone, name);
      return existsSync(file) ? readFileSync(file, "utf8") : "";
    };
    const answers = steps.map(({ status, contains }, i) => {
      const body = status === "204" ? "" : read(`answer-${i}`);
      return { step: i, status: read(`status-${i}`), body: body.includes(contains) ? contains : body };
    });
    expect(answers).toEqual(steps.map(({ status, contains }, i) => ({ step: i, status, body: contains })));
    expect(stderr).toBe("");
  });
});
