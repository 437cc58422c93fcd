import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { apiKey, mailTo, newAddress, openStage, type Stage } from "./mailbox-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** A request with exactly these headers, where fetch adds some of its own. */
function sendBare(path: string, headers: Record<string, string>, body = ""): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const method = body ? "POST" : "GET";
    const message = request(`${stage.url}${path}`, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    message.once("error", reject).end(body);
  });
}

describe("POST /emails", () => {
  it("takes a mail, and keeps it as it was sent", async () => {
    const to = newAddress();
    const headers = { "X-Entity-Ref-ID": "1" };
    const { status, body } = await stage.send(mailTo(to, { html: "<p>Hello there</p>", headers }));
    expect([status, body]).toEqual([200, { id: expect.stringMatching(/^[0-9a-f-]{36}$/) }]);
    expect(await stage.messagesTo(to)).toEqual([
      {
        id: body.id,
        idempotencyKey: null,
        ...mailTo([to], { html: "<p>Hello there</p>", headers }),
        receivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/),
      },
    ]);
  });

  it("takes several recipients, with their names", async () => {
    const [one, other] = [newAddress(), newAddress()];
    expect((await stage.send(mailTo([one, `Other <${other.toUpperCase()}>`]))).status).toBe(200);
    expect([(await stage.messagesTo(one)).length, (await stage.messagesTo(other)).length]).toEqual([1, 1]);
  });

  it.each([
    ["no key", { authorization: "" }, 401, "missing_api_key"],
    ["another scheme", { authorization: `Basic ${apiKey}` }, 401, "missing_api_key"],
    ["a wrong key", { authorization: "Bearer re_wrong" }, 403, "invalid_api_key"],
    ["an empty idempotency key", { "idempotency-key": "" }, 400, "invalid_idempotency_key"],
    ["one of 257 characters", { "idempotency-key": "k".repeat(257) }, 400, "invalid_idempotency_key"],
  ])("refuses %s", async (_, headers, statusCode, name) => {
    const to = newAddress();
    const answer = await stage.send(mailTo(to), headers);
    expect([answer.status, answer.body]).toEqual([statusCode, { statusCode, name, message: expect.any(String) }]);
    expect(await stage.messagesTo(to)).toEqual([]);
  });

  it("refuses a request without a User-Agent, as Resend does", async () => {
    const headers = { authorization: `Bearer ${apiKey}` };
    const body = JSON.stringify(mailTo(newAddress()));
    expect(await sendBare("/emails", headers, body)).toBe(403);
    expect(await sendBare("/emails", { ...headers, "user-agent": "test" }, body)).toBe(200);
  });

  it.each([
    ["text that is no JSON", "{", "validation_error", "JSON"],
    ["no object", [], "validation_error", "JSON object"],
    ["no from", mailTo("a@example.com", { from: undefined }), "missing_required_field", "from"],
    ["no to", mailTo(undefined), "missing_required_field", "to"],
    ["no subject", mailTo("a@example.com", { subject: undefined }), "missing_required_field", "subject"],
    ["neither text nor html", mailTo("a@example.com", { text: undefined }), "validation_error", "`html` or `text`"],
    ["an address without a host", mailTo("ada"), "validation_error", "`to`"],
    ["one wrong address of two", mailTo(["a@example.com", "ada"]), "validation_error", "`to`"],
    ["an empty list", mailTo([]), "validation_error", "`to`"],
    ["51 addresses", mailTo(Array(51).fill("a@example.com")), "validation_error", "50"],
    ["an address that is none", mailTo(7), "validation_error", "`to`"],
    ["a sender without a host", mailTo("a@example.com", { from: "Demo" }), "validation_error", "`from`"],
    ["a line break in an address", mailTo("A\nBcc: b <a@example.com>"), "validation_error", "`to`"],
    ["a line break in the subject", mailTo("a@example.com", { subject: "a\nb" }), "validation_error", "`subject`"],
    ["a text that is none", mailTo("a@example.com", { text: {} }), "validation_error", "`text`"],
    ["a header of two lines", mailTo("a@example.com", { headers: { x: "a\r\nb" } }), "validation_error", "`headers`"],
    ["headers that are none", mailTo("a@example.com", { headers: ["x"] }), "validation_error", "`headers`"],
  ])("refuses %s with 422", async (_, payload, name, part) => {
    const { status, body } = await stage.send(payload);
    expect([status, body]).toEqual([422, { statusCode: 422, name, message: expect.stringContaining(part) }]);
  });

  it("takes a body of 1 MiB, and refuses more with 413", async () => {
    const to = newAddress();
    const frame = JSON.stringify(mailTo(to, { text: "" })).length;
    const ofSize = (bytes: number) => mailTo(to, { text: "x".repeat(bytes - frame) });
    expect((await stage.send(ofSize(1024 * 1024))).status).toBe(200);
    expect((await stage.send(ofSize(1024 * 1024 + 1))).status).toBe(413);
    expect(await stage.messagesTo(to)).toHaveLength(1);
  });

  it("keeps a mail once, however often it comes under one idempotency key", async () => {
    const to = newAddress();
    const key = { "idempotency-key": "k".repeat(255) + "1" };
    const answers = [
      await stage.send(mailTo(to), key),
      await stage.send(mailTo(to), key),
      await stage.send(mailTo([to]), key),
    ];
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(await stage.messagesTo(to)).toMatchObject([{ idempotencyKey: key["idempotency-key"] }]);
  });

  it("refuses another mail under a used idempotency key with 409", async () => {
    const to = newAddress();
    const key = { "idempotency-key": to };
    await stage.send(mailTo(to), key);
    const { status, body } = await stage.send(mailTo(to, { subject: "Another" }), key);
    expect([status, body.name]).toEqual([409, "invalid_idempotent_request"]);
    expect(await stage.messagesTo(to)).toMatchObject([{ subject: "Hello" }]);
  });

  it("keeps the newest messages only, and still knows the keys of the others", async () => {
    const small = await openStage({ maxMessages: 2 });
    try {
      const sendOne = (n: number) =>
        small.send(mailTo("a@example.com", { subject: `${n}` }), { "idempotency-key": `${n}` });
      const first = await sendOne(1);
      for (const n of [2, 3]) await sendOne(n);
      expect((await sendOne(1)).body).toEqual(first.body);
      const list = (await (await fetch(`${small.url}/messages.json`)).json()) as { messages: any[] };
      expect(list.messages.map(({ subject }) => subject)).toEqual(["2", "3"]);
    } finally {
      await small.close();
    }
  });

  it("has no other method, and there are no other routes", async () => {
    expect((await fetch(`${stage.url}/emails`)).status).toBe(405);
    expect((await fetch(`${stage.url}/domains`)).status).toBe(404);
    expect((await fetch(`${stage.url}/`, { method: "POST" })).status).toBe(404);
  });

  it("answers to no name but the machine's own, which a website could have made its own", async () => {
    const { port } = stage;
    expect(await sendBare("/messages.json", { host: `attacker.example:${port}` })).toBe(403);
    expect(await sendBare("/messages.json", { host: `localhost:${port}` })).toBe(200);
  });
});
