import { describe, expect, it } from "vitest";
import { contract, strangePath } from "./support/operations.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, createOrganization, openService, signUpPerson } from "./support/service.ts";

const service = openService();

describe("every answer", () => {
  const answers = {
    "200": () => service.call("GET", "/health"),
    "201": async () => {
      const ada = await signUpPerson(service);
      return service.call("POST", "/v1/organizations", { token: ada.token, body: { name: "Acme" } });
    },
    "204": async () => {
      const ada = await signUpPerson(service);
      return service.call("POST", "/v1/auth/sign-out", { token: ada.token });
    },
    "400": () => service.call("POST", "/v1/auth/sign-up", { body: {} }),
    "401": () => service.call("GET", "/v1/users/me"),
    "404": () => service.call("GET", "/nowhere"),
    "405": () => service.call("PUT", "/v1/users/me", { body: {} }),
    "413": () => service.call("POST", "/v1/auth/sign-up", { rawBody: new Uint8Array(300_000) }),
    "415": () => service.call("POST", "/v1/auth/sign-up", { rawBody: "name=Ada" }),
    "429": async () => {
      const limited = openService({ RATE_LIMIT_PER_MINUTE: "1" });
      const { token } = await signUpPerson(service);
      await limited.call("GET", "/v1/users/me", { token });
      return limited.call("GET", "/v1/users/me", { token });
    },
    "500": () => openService({ JWT_SECRET: "short" }).call("GET", "/v1/users/me"),
    "503": async () => {
      const broken = openService();
      await broken.injectFault({ fault: "refuse", times: 10 });
      return broken.call("GET", "/ready");
    },
  };

  it.each(Object.entries(answers))("%s carries the security headers, and is not to be stored", async (status, ask) => {
    const { headers, ...answer }: Answer = await ask();
    expect(answer.status).toBe(Number(status));
    expect(Object.fromEntries(headers)).toMatchObject({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "strict-transport-security": "max-age=31536000; includeSubDomains",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "x-request-id": expect.stringMatching(/^[\da-f-]{36}$/),
      "server-timing": expect.stringMatching(/^(db;dur=\d+;desc="\d+ requests", )?total;dur=\d+$/),
    });
    expect([...headers.keys()].filter((name) => /powered|^server$|cookie/.test(name))).toEqual([]);
  });

  it("says in Server-Timing what the database took of it, to whom it knows", async () => {
    const { token } = await signUpPerson(service);
    const { headers } = await service.call("GET", "/v1/users/me", { token });
    expect(headers.get("server-timing")).toContain('desc="1 requests"');
    const body = { email: "nobody@example.com" };
    const stranger = await service.call("POST", "/v1/auth/forgot-password", { body });
    expect(stranger.headers.get("server-timing")).toMatch(/^total;dur=\d+$/);
  });
});

describe("x-request-id", () => {
  it("is the caller's own, in the answer and in the problem", async () => {
    for (const requestId of ["a", "0123_ABC-def=", "x".repeat(255)]) {
      const answer = await service.call("GET", "/nowhere", { headers: { "x-request-id": requestId } });
      expect(answer.headers.get("x-request-id")).toBe(requestId);
      expect(answer.body.requestId).toBe(requestId);
    }
  });

  it("is replaced when it is not one", async () => {
    for (const requestId of ["two words", "x".repeat(300), '{"a":1}', "<b>", "a,b", "../..", "é", "a\tb", ""]) {
      const answer = await service.call("GET", "/nowhere", { headers: { "x-request-id": requestId } });
      expect(answer.headers.get("x-request-id")).toMatch(/^[\da-f]{8}-[\da-f]{4}-7/);
      expectProblem(answer, "not_found");
    }
  });

  it("differs between requests", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => service.call("GET", "/health")));
    expect(new Set(ids.map(({ headers }) => headers.get("x-request-id"))).size).toBe(20);
  });
});

describe("CORS", () => {
  const allowed = "https://app.example.com";
  const open = openService({ CORS_ORIGINS: `${allowed}, http://localhost:3000` });
  const strangers = [
    "https://evil.com",
    "null",
    "https://app.example.com.evil.com",
    "https://evil-app.example.com",
    "https://app.example.com:8443",
    "http://app.example.com",
    "HTTPS://APP.EXAMPLE.COM",
    "https://app.example.com/",
    "https://app.example.com, https://evil.com",
    "*",
    "",
  ];
  const preflight = { "access-control-request-method": "PATCH", "access-control-request-headers": "authorization" };

  it("lets the listed origins read answers and problems, also of requests with the browser's cookie", async () => {
    for (const origin of [allowed, "http://localhost:3000"]) {
      for (const path of ["/ready", "/v1/users/me", "/nowhere"]) {
        const { headers } = await open.call("GET", path, { headers: { origin } });
        expect(headers.get("access-control-allow-origin")).toBe(origin);
        expect(headers.get("vary")).toMatch(/origin/i);
        expect(headers.get("access-control-allow-credentials")).toBe("true");
        expect(headers.get("access-control-expose-headers")).toMatch(/x-request-id.*retry-after.*ratelimit/);
      }
    }
  });

  it("lets the listed origins read a refusal by the rate limit and by the method", async () => {
    const limited = openService({ CORS_ORIGINS: allowed, RATE_LIMIT_PER_MINUTE: "1" });
    const { token } = await signUpPerson(service);
    const options = { token, headers: { origin: allowed } };
    await limited.call("GET", "/v1/users/me", options);
    for (const [method, status] of [
      ["GET", 429],
      ["PUT", 405],
    ] as const) {
      const answer = await limited.call(method, "/v1/users/me", options);
      expect(answer.status).toBe(status);
      expect(answer.headers.get("access-control-allow-origin")).toBe(allowed);
    }
  });

  it("answers the preflight of a listed origin", async () => {
    const { status, headers, body } = await open.call("OPTIONS", "/v1/users/me", {
      headers: { origin: allowed, ...preflight },
    });
    expect({ status, body }).toEqual({ status: 204, body: undefined });
    expect(headers.get("access-control-allow-origin")).toBe(allowed);
    expect(headers.get("access-control-allow-methods")?.split(",")).toEqual(
      expect.arrayContaining(["GET", "POST", "PATCH", "DELETE"]),
    );
    expect(headers.get("access-control-allow-headers")?.split(",")).toEqual(
      expect.arrayContaining(["authorization", "content-type", "idempotency-key"]),
    );
  });

  it.each(strangers)("gives nothing to the origin '%s'", async (origin) => {
    for (const method of ["GET", "OPTIONS"]) {
      const { headers } = await open.call(method, "/v1/users/me", { headers: { origin, ...preflight } });
      expect(headers.has("access-control-allow-origin")).toBe(false);
      expect(headers.has("access-control-allow-credentials")).toBe(false);
    }
  });

  it("gives nothing to anybody when CORS_ORIGINS is empty or absent", async () => {
    for (const closed of [service, openService({ CORS_ORIGINS: "" })]) {
      for (const origin of [allowed, ...strangers]) {
        const { headers } = await closed.call("OPTIONS", "/v1/users/me", { headers: { origin, ...preflight } });
        expect(headers.has("access-control-allow-origin")).toBe(false);
      }
    }
  });
});

describe("a method", () => {
  it("that a path does not know is refused with 405 and the list of those it knows", async () => {
    const { operations } = contract;
    for (const path of new Set(operations.map((operation) => operation.path))) {
      const target = strangePath(path);
      // Of every route that the path fits: a fixed one can stand where another has a parameter.
      const fits = (other: string) => new RegExp(`^${other.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(target);
      const known = [...new Set(operations.filter((other) => fits(other.path)).map(({ method }) => method))];
      const expected = known.includes("GET") ? [...known, "HEAD"] : known;
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((verb) => !known.includes(verb))) {
        const answer = await service.call(method, target);
        expectProblem(answer, "method_not_allowed");
        expect(answer.headers.get("allow")?.split(", ").sort(), `${method} ${path}`).toEqual(expected.sort());
      }
    }
  });

  it("of a path that does not exist is refused with 404", async () => {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      for (const path of ["/", "/v1", "/v1/", "/v2/users/me", "/.env", "/v1/users", "/health/"]) {
        const answer = await service.call(method, path);
        expectProblem(answer, "not_found");
        expect(answer.headers.has("allow")).toBe(false);
      }
    }
  });

  it("HEAD answers as GET does, without a body", async () => {
    const ada = await signUpPerson(service);
    const { id } = await createOrganization(service, ada);
    const ask = (method: string, path: string, headers: Record<string, string> = {}) =>
      service.fetch(new Request(`https://api.example.com${path}`, { method, headers }));
    for (const path of ["/health", "/openapi.json", "/v1/users/me", `/v1/organizations/${id}`, "/nowhere"]) {
      for (const headers of [{ authorization: `Bearer ${ada.token}` }, {}]) {
        const [get, head] = [await ask("GET", path, headers), await ask("HEAD", path, headers)];
        expect(head.status).toBe(get.status);
        expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
        expect(await head.text()).toBe("");
      }
    }
  });
});

describe("GET /docs", () => {
  it("has a policy of its own that lets nothing in from other hosts", async () => {
    const { status, headers, body } = await service.call<string>("GET", "/docs");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toMatch(/^text\/html/);
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none'; base-uri 'none'/);
    expect(policy).not.toMatch(/https?:|\/\/|\*|unsafe-eval/);
    expect(policy).toMatch(/script-src 'self' 'nonce-[^']+';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers.get("strict-transport-security")).toContain("max-age=31536000");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    for (const [, source] of body.matchAll(/(?:src|href)="([^"]*)"/g)) expect(source).toMatch(/^\/(?!\/)/);
  });

  it("has a new nonce each time, which its inline scripts carry", async () => {
    const nonces = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const { headers, body } = await service.call<string>("GET", "/docs");
      const nonce = /'nonce-([^']+)'/.exec(headers.get("content-security-policy") ?? "")?.[1] ?? "";
      for (const [tag] of body.matchAll(/<script(?![^>]*\ssrc=)[^>]*>/g)) expect(tag).toContain(`nonce="${nonce}"`);
      nonces.add(nonce);
    }
    expect(nonces.size).toBe(3);
  });
});
