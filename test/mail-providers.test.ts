import { afterEach, describe, expect, it, vi } from "vitest";
import { type MailSettings, sendMail } from "../src/mail/providers.ts";
import { expireAtOnce, mail } from "./support/mails.ts";

afterEach(() => vi.restoreAllMocks());

const resend: MailSettings = {
  EMAIL_PROVIDER: "resend",
  RESEND_API_KEY: "re_secret_key",
  RESEND_API_URL: "https://api.resend.example",
};

/** Resend, as far as one request goes. */
function answerWith(answer: (request: Request) => Response | Promise<Response>) {
  return vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => answer(new Request(input, init)));
}

const refuseWith = (status: number, body: unknown) =>
  answerWith(() => new Response(typeof body === "string" ? body : JSON.stringify(body), { status }));

const silent = "resend: no answer in 10 seconds";

describe("Resend", () => {
  it("gets one request, with the key, the idempotency key and the mail", async () => {
    const requests: Request[] = [];
    answerWith((request) => {
      requests.push(request);
      return Response.json({ id: "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794" });
    });
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "delivered" });
    const [request] = requests;
    expect(requests).toHaveLength(1);
    expect(request?.method).toBe("POST");
    expect(request?.url).toBe("https://api.resend.example/emails");
    expect(request?.redirect).toBe("manual");
    expect(Object.fromEntries(request?.headers ?? [])).toEqual({
      authorization: "Bearer re_secret_key",
      "content-type": "application/json",
      "idempotency-key": mail.id,
      "user-agent": "saas-backend-layer",
    });
    expect(await request?.json()).toEqual({
      from: mail.from,
      to: [mail.to],
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
      headers: { "X-Entity-Ref-ID": mail.id },
    });
  });

  it("may be anywhere, with a slash at its end or without", async () => {
    const fetched = answerWith(() => new Response("{}"));
    await sendMail({ ...resend, RESEND_API_URL: "http://localhost:8025/resend/" }, undefined, mail);
    expect(fetched.mock.calls[0]?.[0]).toBe("http://localhost:8025/resend/emails");
  });

  it.each([200, 201, 202, 204])("has delivered with %i, whatever its body", async (status) => {
    answerWith(() => new Response(status === 204 ? null : "not JSON", { status }));
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "delivered" });
  });

  it.each([
    [400, "validation_error"],
    [400, "invalid_idempotency_key"],
    [409, "invalid_idempotent_request"],
    [422, "missing_required_field"],
    [422, "invalid_parameter"],
    [451, "security_error"],
  ])("has refused the mail for good with %i %s", async (status, name) => {
    refuseWith(status, { statusCode: status, name, message: `${mail.to} is bad` });
    expect(await sendMail(resend, undefined, mail)).toEqual({
      outcome: "refused",
      reason: `resend: ${status} ${name}`,
    });
  });

  it.each([
    [401, "missing_api_key"],
    [401, "restricted_api_key"],
    [403, "invalid_api_key"],
    [403, "validation_error"],
    [404, "not_found"],
    [405, "method_not_allowed"],
    [409, "concurrent_idempotent_requests"],
    [422, "invalid_from_address"],
    [429, "rate_limit_exceeded"],
    [429, "daily_quota_exceeded"],
    [429, "monthly_quota_exceeded"],
    [500, "application_error"],
    [503, "service_unavailable"],
  ])("is asked again after %i %s", async (status, name) => {
    refuseWith(status, { statusCode: status, name, message: `${mail.to} is bad` });
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "failed", reason: `resend: ${status} ${name}` });
  });

  it.each([
    ["no JSON", "<html>Bad gateway</html>"],
    ["nothing", ""],
    ["null", "null"],
    ["no name", { message: "what" }],
    ["a name that is no name", { name: "ada@secret.example is bad" }],
    ["a name without end", { name: "a".repeat(61) }],
    ["a name that is not text", { name: { a: 1 } }],
    ["too much", JSON.stringify({ name: "application_error", message: "x".repeat(20_000) })],
  ])("is quoted with its status alone when the body is %s", async (_, body) => {
    refuseWith(502, body);
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "failed", reason: "resend: 502" });
  });

  it("is not read to the end when its error has none", async () => {
    let chunks = 0;
    let cancelled = false;
    const body = new ReadableStream({
      pull: (controller) => {
        chunks++;
        controller.enqueue(new TextEncoder().encode("x".repeat(1024)));
      },
      cancel: () => void (cancelled = true),
    });
    answerWith(() => new Response(body, { status: 500 }));
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "failed", reason: "resend: 500" });
    expect(chunks).toBeLessThan(40);
    expect(cancelled).toBe(true);
  });

  it("is not followed elsewhere", async () => {
    const fetched = answerWith(
      () => new Response(null, { status: 307, headers: { location: "https://evil.example" } }),
    );
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "failed", reason: "resend: 307" });
    expect(fetched).toHaveBeenCalledOnce();
  });

  it("is asked again when it cannot be reached", async () => {
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("Network connection lost: re_secret_key"));
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "failed", reason: "resend: no connection" });
  });

  it("is asked again after 10 seconds without an answer", async () => {
    expireAtOnce();
    const fetched = answerWith(() => new Promise(() => {}));
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "failed", reason: silent });
    expect(fetched.mock.calls[0]?.[1]?.signal?.aborted).toBe(true);
  });

  it("is asked again when its error stops halfway", async () => {
    expireAtOnce();
    answerWith(() => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }), { status: 500 }));
    expect(await sendMail(resend, undefined, mail)).toEqual({ outcome: "failed", reason: silent });
  });

  it.each([undefined, ""])("needs a key, and %j is none", async (RESEND_API_KEY) => {
    const fetched = answerWith(() => new Response("{}"));
    const reason = "resend: RESEND_API_KEY is not set";
    expect(await sendMail({ ...resend, RESEND_API_KEY }, undefined, mail)).toEqual({ outcome: "failed", reason });
    expect(fetched).not.toHaveBeenCalled();
  });

  it.each([
    ["a key with a line break", { RESEND_API_KEY: "re_secret\r\nkey" }],
    ["an address that is none", { RESEND_API_URL: "nonsense" }],
  ])("throws nothing for %s, and says nothing of it", async (_, settings) => {
    const delivery = await sendMail({ ...resend, ...settings }, undefined, mail);
    expect(delivery).toEqual({ outcome: "failed", reason: "resend: no connection" });
  });
});
