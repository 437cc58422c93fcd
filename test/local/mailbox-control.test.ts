import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { mailTo, newAddress, openStage, type Stage } from "./mailbox-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

describe("The control routes", () => {
  it("are there for tests only", async () => {
    const plain = await openStage({ control: false });
    try {
      const routes = [
        ["GET", "messages"],
        ["GET", "requests"],
        ["POST", "faults"],
        ["DELETE", "faults"],
      ] as const;
      for (const [method, path] of routes) expect((await plain.control(method, path)).status, path).toBe(404);
    } finally {
      await plain.close();
    }
  });

  it("count attempts, also those that were refused", async () => {
    const to = newAddress();
    await stage.send(mailTo(to));
    await stage.send(mailTo(to), { authorization: "" });
    await stage.send(mailTo(to, { subject: 7 }));
    expect(await stage.attemptsTo(to)).toBe(3);
    expect(await stage.attemptsTo(newAddress())).toBe(0);
  });

  it.each([
    [{ to: "a@example.com" }, "status"],
    [{ status: 200 }, "status"],
    [{ delayMs: -1 }, "delayMs"],
    [{ status: 500, times: 0 }, "times"],
    [{ status: 500, afterStoring: 1 }, "afterStoring"],
    [{ status: 500, address: "a@example.com" }, "address"],
  ])("refuse the fault %j", async (fault, part) => {
    const response = await stage.control("POST", "faults", fault);
    expect([response.status, response.body]).toEqual([400, { message: expect.stringContaining(part) }]);
  });

  it("answer an error as often as told, to the recipient alone, and keep nothing", async () => {
    const to = newAddress();
    await stage.setFault({ to, status: 500, times: 2 });
    expect((await stage.send(mailTo(newAddress()))).status).toBe(200);
    expect((await stage.send(mailTo(to))).status).toBe(500);
    expect((await stage.send(mailTo(`A <${to.toUpperCase()}>`))).status).toBe(500);
    expect(await stage.messagesTo(to)).toEqual([]);
    expect((await stage.send(mailTo(to))).status).toBe(200);
  });

  it("say when to come again with a 429", async () => {
    const to = newAddress();
    await stage.setFault({ to, status: 429 });
    const { body, headers } = await stage.send(mailTo(to));
    expect([body.name, headers.get("retry-after")]).toEqual(["rate_limit_exceeded", "1"]);
  });

  it("lose the answer alone, so that the repetition is the same mail", async () => {
    const to = newAddress();
    await stage.setFault({ to, status: 500, afterStoring: true });
    expect((await stage.send(mailTo(to), { "idempotency-key": to })).status).toBe(500);
    expect((await stage.send(mailTo(to), { "idempotency-key": to })).status).toBe(200);
    expect(await stage.messagesTo(to)).toHaveLength(1);
  });

  it("let a mail wait", async () => {
    const to = newAddress();
    await stage.setFault({ to, delayMs: 120 });
    const start = performance.now();
    expect((await stage.send(mailTo(to))).status).toBe(200);
    expect(performance.now() - start).toBeGreaterThanOrEqual(115);
  });

  it.each([
    [{ hang: true }, 0],
    [{ hang: true, afterStoring: true }, 1],
    [{ delayMs: 3_600_000 }, 0],
  ])("with %j keep a client until it goes, and then %i mail", async (fault, kept) => {
    const to = newAddress();
    await stage.setFault({ to, ...fault });
    const abort = new AbortController();
    const gone = stage.send(mailTo(to), {}, abort.signal);
    gone.catch(() => undefined);
    await expect.poll(() => stage.attemptsTo(to)).toBe(1);
    abort.abort();
    await expect(gone).rejects.toThrow("aborted");
    expect(await stage.messagesTo(to)).toHaveLength(kept);
  });

  it("strike everyone without a recipient, and can be taken back", async () => {
    const other = await openStage();
    try {
      const status = async (to: string) => (await other.send(mailTo(to))).status;
      await other.setFault({ status: 503, times: 2 });
      expect(await status(newAddress())).toBe(503);
      await other.setFault({ to: "b@example.com", status: 502, times: 9 });
      await other.control("DELETE", "faults?to=b@example.com");
      expect(await status("b@example.com")).toBe(503);
      expect(await status("b@example.com")).toBe(200);
      await other.setFault({ status: 503, times: 9 });
      await other.control("DELETE", "faults");
      expect(await status(newAddress())).toBe(200);
    } finally {
      await other.close();
    }
  });
});
