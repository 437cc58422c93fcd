import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generatedBodies } from "./support/json-bodies.ts";
import { contract } from "./support/operations.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, goodPassword, newEmail, openService, signUpPerson } from "./support/service.ts";

const service = openService();

/** A route, ready to be sent bodies as somebody who may. */
async function openRoute(route: string) {
  const [method = "", pattern = ""] = route.split(" ");
  const ada = await signUpPerson(service);
  const organization = await createOrganization(service, ada, "Acme");
  const path = pattern.replace("{organizationId}", organization.id);
  const valid = (): Record<string, unknown> =>
    path.endsWith("sign-up") ? { email: newEmail(), password: goodPassword, name: "Ada" } : { name: "Acme" };
  const send = (rawBody: BodyInit, contentType: string | null = "application/json") =>
    service.call(method, path, {
      rawBody: typeof rawBody === "string" ? new TextEncoder().encode(rawBody) : rawBody,
      headers: contentType === null ? {} : { "content-type": contentType },
      ...(!path.endsWith("sign-up") && { token: ada.token }),
    });
  return { send, valid };
}

const routes = [
  "POST /v1/auth/sign-up",
  "PATCH /v1/users/me",
  "POST /v1/organizations",
  "PATCH /v1/organizations/{organizationId}",
];

describe.each(routes)("the body of %s", (route) => {
  it("refuses keys that it does not know, whatever they promise", async () => {
    const { send, valid } = await openRoute(route);
    for (const key of ["extra", "id", "userId", "organizationId", "role", "constructor", "__proto__", ""]) {
      const body = JSON.stringify(valid()).replace("{", `{${JSON.stringify(key)}:"owner",`);
      const answer = await send(body);
      expectProblem(answer, "invalid_request");
      expect(answer.body.errors[0].path).toBe("body");
    }
  });

  it("refuses fields of the wrong type, naming them", async () => {
    const { send, valid } = await openRoute(route);
    for (const key of Object.keys(valid())) {
      for (const value of ["null", "5", "true", "[]", "{}", '["Ada"]', '{"toString":"Ada"}', "1e999"]) {
        const answer = await send(JSON.stringify({ ...valid(), [key]: "@" }).replace('"@"', value));
        expectProblem(answer, "invalid_request");
        expect(answer.body.errors[0].path).toBe(`body.${key}`);
      }
    }
  });

  it("refuses a body without a required field, and one that is no object", async () => {
    const { send, valid } = await openRoute(route);
    for (const key of Object.keys(valid())) {
      const { [key]: _, ...rest } = valid();
      expectProblem(await send(JSON.stringify(rest)), "invalid_request");
    }
    for (const text of ["null", "5", "true", '"Ada"', "[]", '[{"name":"Ada"}]']) {
      expectProblem(await send(text), "invalid_request");
    }
  });

  it("refuses text that is empty, cut or not JSON", async () => {
    const { send, valid } = await openRoute(route);
    const whole = JSON.stringify(valid());
    const texts = ["", " \n", whole.slice(0, -1), whole.slice(1), `${whole}${whole}`, "NaN", "undefined"];
    const literals = ["NaN", "Infinity", "undefined", "'Ada'", '"\u0001"', "01", '"Ada",'];
    for (const text of [...texts, ...literals.map((literal) => `{"name":${literal}}`)]) {
      expectProblem(await send(text), "invalid_request");
    }
  });

  it("refuses NUL characters and lone surrogates, in values and in keys", async () => {
    const { send, valid } = await openRoute(route);
    for (const text of ["\\u0000", "Ada\\u0000", "\\ud800", "\\udc00Ada", "\\ud83d\\ud83d"]) {
      for (const spoiled of [`"name":"${text}"`, `"${text}":"Ada"`, `"name":{"x":["${text}"]}`]) {
        const answer = await send(JSON.stringify(valid()).replace(/}$/, `,${spoiled}}`));
        expectProblem(answer, "invalid_request");
        expect(answer.body.errors).toEqual([{ path: "body", message: expect.stringMatching(/NUL|surrogate/) }]);
      }
    }
  });

  it("refuses bytes that are not UTF-8", async () => {
    const { send, valid } = await openRoute(route);
    const ill = [[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]];
    const [before = "", after = ""] = JSON.stringify({ ...valid(), name: "@" }).split(/(?<="name":")@/);
    for (const bytes of ill) {
      const encode = (text: string) => [...new TextEncoder().encode(text)];
      expectProblem(await send(new Uint8Array([...encode(before), ...bytes, ...encode(after)])), "invalid_request");
    }
  });

  it("reads over a byte order mark, and takes the last of two equal keys", async () => {
    const { send, valid } = await openRoute(route);
    expect((await send(`\ufeff${JSON.stringify(valid())}`)).status).toBeLessThan(300);
    const twice = JSON.stringify({ ...valid(), name: "Last" }).replace("{", '{"name":"First",');
    expect((await send(twice)).body).toMatchObject({ name: "Last" });
    expectProblem(await send(JSON.stringify(valid()).replace(/}$/, ',"name":5}')), "invalid_request");
  });

  it("refuses JSON that is nested deeper than 32", async () => {
    const { send } = await openRoute(route);
    const arrays = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    const objects = (depth: number) => `${'{"":'.repeat(depth)}0${"}".repeat(depth)}`;
    const isTooDeep = async (text: string) => {
      const answer = await send(text);
      expectProblem(answer, "invalid_request");
      return answer.body.errors[0].message === "is nested deeper than 32";
    };
    expect(await isTooDeep(arrays(32))).toBe(false);
    expect(await isTooDeep(objects(32))).toBe(false);
    expect(await isTooDeep(arrays(33))).toBe(true);
    expect(await isTooDeep(objects(33))).toBe(true);
    expect(await isTooDeep(arrays(100_000))).toBe(true);
    expect(await isTooDeep("[".repeat(200_000))).toBe(true);
    expect(await isTooDeep(objects(50_000))).toBe(true);
    expectProblem(await send(objects(100_000)), "payload_too_large");
  });

  it("refuses every type but application/json with 415", async () => {
    const { send, valid } = await openRoute(route);
    const body = JSON.stringify(valid());
    const others = "text/plain text/json application/x-www-form-urlencoded multipart/form-data;boundary=x json".split(
      " ",
    );
    const alike = ["application/jsonp", "application/json, text/plain", "application/ld+json", "application/", ""];
    for (const type of [...others, ...alike, null]) expectProblem(await send(body, type), "unsupported_media_type");
  });

  it("accepts application/json in any spelling", async () => {
    const { send, valid } = await openRoute(route);
    const spellings = ["; charset=utf-8", ";charset=UTF-8 ", ' ; q=1; x="y"', ";"].map(
      (end) => `application/json${end}`,
    );
    for (const type of [...spellings, "Application/JSON", " application/json "]) {
      expect((await send(JSON.stringify(valid()), type)).status, type).toBeLessThan(300);
    }
  });
});

describe("a body of 10 MiB", () => {
  const large = new Uint8Array(10 * 1024 * 1024).fill(0x20);
  const streamed = () =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(large.subarray(0, 64 * 1024)),
    });

  it.each([
    "POST /v1/auth/sign-up",
    "PATCH /v1/users/me",
    "POST /v1/auth/sign-out",
    "POST /v1/nowhere",
    "DELETE /v1/users/me",
  ])("is refused by %s with 413, whatever Content-Length says of it", async (route) => {
    const [method = "", path = ""] = route.split(" ");
    const type = { "content-type": "application/json" };
    const honest = { ...type, "content-length": String(large.length) };
    for (const [rawBody, headers] of [
      [large, honest],
      [large, type],
      [streamed(), type],
      [streamed(), { ...type, "content-length": "2" }],
      [streamed(), { ...type, "content-length": "abc" }],
    ] as const) {
      expectProblem(await service.call(method, path, { rawBody, headers }), "payload_too_large");
    }
  });

  it("is refused for one byte more than 256 KiB, and read up to there", async () => {
    const { send, valid } = await openRoute("POST /v1/organizations");
    const body = JSON.stringify(valid());
    expect((await send(body.padEnd(256 * 1024, " "))).status).toBe(201);
    expectProblem(await send(body.padEnd(256 * 1024 + 1, " ")), "payload_too_large");
  });
});

describe("an e-mail address", () => {
  it("is refused with 400 when it is too long only once it is normalized", async () => {
    const body = { email: `${"㋏".repeat(100)}@example.com`, password: goodPassword, name: "Ada" };
    expectProblem(await service.call("POST", "/v1/auth/sign-up", { body }), "invalid_request");
  });
});

describe("a User-Agent", () => {
  it.each([`${"a".repeat(511)}🦔`, "🦔".repeat(600), "x".repeat(5000), "\u00ff", ""])(
    "of any text does no harm to a sign-in",
    async (agent) => {
      const { email, password } = await signUpPerson(service);
      await service.databaseRequests();
      const options = { body: { email, password }, headers: { "user-agent": agent } };
      expect((await service.call("POST", "/v1/auth/sign-in", options)).status).toBe(200);
      const params = (await service.databaseRequests()).flatMap(({ statements }) =>
        statements.flatMap((s) => s.params),
      );
      for (const param of params) expect(String(param).isWellFormed()).toBe(true);
    },
  );
});

describe("any JSON body", () => {
  it.each(Object.entries(generatedBodies))(
    "to %s gives a documented answer, and success only when it is valid",
    async (route, { texts, isValid }) => {
      const { send } = await openRoute(route);
      const { responses = {} } = contract.operations.find(({ name }) => name === route) ?? {};
      const documented = Object.keys(responses).map(Number);
      const seen = new Set<boolean>();
      await fc.assert(
        fc.asyncProperty(texts, async (text) => {
          const { status } = await send(text);
          expect(documented.filter((other) => other < 500)).toContain(status);
          seen.add(status < 300);
          if (status < 300) expect(isValid(JSON.parse(text))).toBe(true);
        }),
        { seed: 20_260_101, numRuns: 100 },
      );
      expect(seen).toEqual(new Set([true, false]));
    },
  );
});
