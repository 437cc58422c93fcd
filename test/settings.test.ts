import { env } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import worker from "../src/index.ts";
import { badKeySets, goodKeySets } from "./support/key-sets.ts";
import { withoutProviders } from "./support/oauth.ts";
import { contract, strangePath } from "./support/operations.ts";
import { expectProblem } from "./support/problems.ts";
import type { Answer } from "./support/service.ts";

afterEach(() => vi.restoreAllMocks());

/** The service with these settings, which may be any that a deployment could get wrong. */
async function callWith(changes: Record<string, unknown>, method: string, path: string): Promise<Answer> {
  const settings = Object.fromEntries(
    Object.entries({ ...env, ...changes }).filter(([, value]) => value !== undefined),
  );
  const request = new Request(`https://api.example.com${path}`, { method });
  const response = await worker.fetch(request, settings);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Every operation of the API but /health, and what lies beside them. */
function listEverything(): { method: string; path: string }[] {
  const pages = ["/docs", "/openapi.json", "/nowhere"].map((path) => ({ method: "GET", path }));
  const operations = contract.operations.filter(({ path }) => path !== "/health");
  return [
    ...operations.map(({ method, path }) => ({ method, path: strangePath(path) })),
    ...pages,
    { method: "PUT", path: "/v1/users/me" },
  ];
}

const required = [
  "DATABASE_URL",
  "JWT_SECRET",
  "BCRYPT_WORK_FACTOR",
  "SESSION_EXPIRATION",
  "RATE_LIMIT_PER_MINUTE",
  "ENVIRONMENT",
];

const secret = "Zq8vT3nLw5xYb7Rk2mPc9sDf4gHj6aWe";

const bad: Record<string, unknown[]> = {
  DATABASE_URL: [
    "",
    "nonsense",
    "app_user:secret@localhost/app",
    "https://app_user:secret@ep-x.neon.tech/app",
    "mysql://app_user:secret@ep-x.neon.tech/app",
    "postgresql://app_user@ep-x.neon.tech/app",
    "postgresql://:secret@ep-x.neon.tech/app",
    "postgresql://app_user:secret@ep-x.neon.tech",
    "postgresql://app_user:secret@ep-x.neon.tech/",
  ],
  JWT_SECRET: ["", "secret", secret.slice(1), "a".repeat(64), "abcdefgh".repeat(8), " ".repeat(32)],
  JWT_SECRET_PREVIOUS: ["", "secret", secret.slice(1), "a".repeat(64)],
  JWT_SIGNING_KEYS: badKeySets,
  TOTP_ISSUER: ["", " Acme", "Acme: Inc", "Acme\n", "a".repeat(64)],
  BCRYPT_WORK_FACTOR: ["", "3", "15", "abc", "10.5", "-10", "1e1", "0x0a", " 10", 4],
  SESSION_EXPIRATION: [
    "",
    "7",
    "d",
    "0d",
    "1m",
    "14m",
    "366d",
    "8761h",
    "-7d",
    "7 d",
    "7w",
    "7D",
    "1.5d",
    "P7D",
    7,
    "7d/30d",
    "30d/",
    "/7d",
    "/",
    "30d/7d/1d",
    "30d//7d",
    "30d/14m",
    "366d/7d",
    "30d / 7d",
    "30d-7d",
    "30d/7",
  ],
  RATE_LIMIT_PER_MINUTE: ["", "0", "1.5", "100001", "-1", "1e3", "abc", "Infinity", 300],
  ENVIRONMENT: ["", "other", "Production", "prod", " test"],
  CORS_ORIGINS: [
    "*",
    "null",
    "app.example.com",
    "https://app.example.com/",
    "https://app.example.com/path",
    "https://*.example.com",
    "https://APP.example.com",
    "https://app.example.com:443",
    "https://a.example.com https://b.example.com",
    "https://app.example.com,*",
    "javascript:alert(1)",
  ],
  PUBLIC_ORIGIN: [
    "",
    "*",
    "null",
    "api.example.com",
    "https://api.example.com/",
    "https://API.example.com",
    "ws://a.b",
  ],
  PASSWORD_MIN_LENGTH: ["", "7", "65", "abc", "8.5"],
  PASSWORD_PEPPER: ["", "short", "a".repeat(64)],
  PASSWORD_BREACH_CHECK_URL: [
    "",
    "api.pwnedpasswords.com/range/",
    "https://api.pwnedpasswords.com/range",
    "https://api.pwnedpasswords.com/range/?mode=ntlm",
    "https://api.pwnedpasswords.com/range/?/",
    "https://api.pwnedpasswords.com/range/#/",
    "https://key@api.pwnedpasswords.com/range/",
    "http://api.pwnedpasswords.com/range/",
    "http://localhost.example.com/range/",
    "http://notlocalhost/range/",
    "ftp://localhost/range/",
    "javascript:alert(1)//",
  ],
  DNS_OVER_HTTPS_URL: [
    "",
    "cloudflare-dns.com/dns-query",
    "https://cloudflare-dns.com/dns-query?ct=json",
    "https://cloudflare-dns.com/dns-query#x",
    "https://user@cloudflare-dns.com/dns-query",
    "http://cloudflare-dns.com/dns-query",
    "javascript:alert(1)",
  ],
  PASSKEY_RP_ID: [
    "",
    "https://app.acme.example",
    "app.acme.example:443",
    "App.acme.example",
    ".acme.example",
    "acme.example.",
    "127.0.0.1",
    "*.acme.example",
    "evil.example",
    "pp.acme.example",
    "www.app.acme.example",
  ],
  GOOGLE_CLIENT_ID: ["", "a client", "x".repeat(256), "é"],
  GOOGLE_CLIENT_SECRET: ["", "a secret", "x".repeat(513)],
  GOOGLE_ISSUER: [
    "",
    "accounts.google.com",
    "https://accounts.google.com/",
    "https://accounts.google.com?x=1",
    "https://accounts.google.com#x",
    "https://user@accounts.google.com",
    "http://accounts.google.com",
    "http://localhost.example.com",
    "javascript:alert(1)",
  ],
  GITHUB_CLIENT_ID: [""],
  GITHUB_CLIENT_SECRET: ["", "a secret"],
  GITHUB_URL: ["", "http://github.example.com", "https://github.example.com/"],
  GITHUB_API_URL: ["", "http://github.example.com/api/v3", "https://github.example.com/api/v3/"],
  MICROSOFT_CLIENT_ID: [""],
  MICROSOFT_CLIENT_SECRET: ["", "a secret"],
  MICROSOFT_TENANT: ["", "Common", "contoso.onmicrosoft.com", "../evil", "11111111-2222-4333-8444-55555555555"],
  MICROSOFT_ISSUER: ["", "http://login.example.com"],
  APPLE_CLIENT_ID: ["", "a client"],
  APPLE_TEAM_ID: ["", "a team"],
  APPLE_KEY_ID: ["", "a key"],
  APPLE_PRIVATE_KEY: ["", "MIGT", "-----BEGIN EC PRIVATE KEY-----\nMIGT\n-----END EC PRIVATE KEY-----"],
  APPLE_ISSUER: ["", "http://appleid.apple.com"],
  EMAIL_VERIFICATION: ["", "true", "Required", "off"],
  EMAIL_PROVIDER: ["", "smtp", "Resend"],
  EMAIL_FROM: ["", "acme", "Acme <acme>", "a@b.example, c@d.example", "Acme\r\nBcc: x@y.example <a@b.example>"],
  APP_URL: ["", "app.example.com", "https://app.example.com/", "https://app.example.com/path", "javascript:alert(1)"],
  RESEND_API_KEY: ["", "re_", "sk_live_123456789"],
  RESEND_API_URL: ["", "api.resend.com", "https://api.resend.com/emails"],
};

describe("a missing setting", () => {
  it.each(required)("%s lets only /health answer, and is named by every other answer", async (name) => {
    expect((await callWith({ [name]: undefined }, "GET", "/health")).status).toBe(200);
    for (const { method, path } of listEverything()) {
      const answer = await callWith({ [name]: undefined }, method, path);
      expectProblem(answer, "misconfigured");
      expect(answer.body.detail, `${method} ${path}`).toBe(`Settings: ${name} is missing.`);
    }
  });

  it("is named together with all others that are missing", async () => {
    const nothing = Object.fromEntries(required.map((name) => [name, undefined]));
    const { body } = await callWith(nothing, "GET", "/ready");
    for (const name of required) expect(body.detail).toContain(`${name} is missing`);
  });
});

describe("a weak or malformed setting", () => {
  const cases = Object.entries(bad).flatMap(([name, values]) => values.map((value) => ({ name, value })));

  it.each(cases)("$name = $value lets only /health answer, and is named", async ({ name, value }) => {
    expect((await callWith({ [name]: value }, "GET", "/health")).status).toBe(200);
    for (const { method, path } of listEverything()) {
      const answer = await callWith({ [name]: value }, method, path);
      expectProblem(answer, "misconfigured");
      expect(answer.body.detail).toMatch(new RegExp(`^Settings: ${name} (?!is missing)`));
      expect(answer.body.detail).not.toContain("canary");
      expect(new Set(answer.body.detail.match(/\b[A-Z_]{7,}\b/g))).toEqual(new Set([name]));
    }
  });

  it("is a JWT_SECRET_PREVIOUS that is JWT_SECRET", async () => {
    const answer = await callWith({ JWT_SECRET: secret, JWT_SECRET_PREVIOUS: secret }, "GET", "/ready");
    expectProblem(answer, "misconfigured");
    expect(answer.body.detail).toBe("Settings: JWT_SECRET_PREVIOUS must be another one than JWT_SECRET.");
  });

  it("is a work factor below 10 outside of tests", async () => {
    for (const ENVIRONMENT of ["development", "production"]) {
      const answer = await callWith({ BCRYPT_WORK_FACTOR: "9", ENVIRONMENT }, "GET", "/ready");
      expectProblem(answer, "misconfigured");
      expect(answer.body.detail).toBe("Settings: BCRYPT_WORK_FACTOR must be between 10 and 14.");
    }
  });

  it("is never shown, neither to a client nor in the log", async () => {
    const logged = ["log", "error", "warn", "info", "debug"].map((name) =>
      vi.spyOn(console, name as "log").mockImplementation(() => undefined),
    );
    for (const name of Object.keys(bad)) {
      const { body } = await callWith({ [name]: "canary: 81f2c" }, "GET", "/ready");
      expect(body.detail, name).toContain(name);
      expect(JSON.stringify(body)).not.toContain("canary: 81f2c");
    }
    const lines = logged.flatMap((spy) => spy.mock.calls.flat()).join("\n");
    expect(lines).toContain("misconfigured");
    expect(lines).not.toContain("canary: 81f2c");
  });
});

describe("EMAIL_VERIFICATION", () => {
  const withoutMail = { EMAIL_PROVIDER: undefined };

  it.each([
    ["where it is required", { EMAIL_VERIFICATION: "required" }],
    [
      "in production, where it says nothing",
      { EMAIL_VERIFICATION: undefined, ENVIRONMENT: "production", BCRYPT_WORK_FACTOR: "10" },
    ],
  ])("asks for a mail provider %s", async (_, settings) => {
    const answer = await callWith({ ...withoutMail, ...settings }, "GET", "/ready");
    expectProblem(answer, "misconfigured");
    expect(answer.body.detail).toBe(
      "Settings: EMAIL_PROVIDER is missing, and addresses are verified unless EMAIL_VERIFICATION is optional.",
    );
  });

  it.each([
    [
      "where it is optional, in production too",
      { EMAIL_VERIFICATION: "optional", ENVIRONMENT: "production", BCRYPT_WORK_FACTOR: "10" },
    ],
    [
      "in development, where it says nothing",
      { EMAIL_VERIFICATION: undefined, ENVIRONMENT: "development", BCRYPT_WORK_FACTOR: "10" },
    ],
  ])("asks for none %s", async (_, settings) => {
    const answer = await callWith({ ...withoutMail, ...settings }, "GET", "/openapi.json");
    expect(answer.status).toBe(200);
  });
});

describe("EMAIL_PROVIDER", () => {
  it.each(["EMAIL_FROM", "APP_URL", "RESEND_API_KEY"])("asks for %s", async (name) => {
    const answer = await callWith({ [name]: undefined }, "GET", "/ready");
    expectProblem(answer, "misconfigured");
    expect(answer.body.detail).toBe(`Settings: ${name} is missing.`);
  });

  it("asks for no key of Resend's where it is cloudflare", async () => {
    const answer = await callWith({ EMAIL_PROVIDER: "cloudflare", RESEND_API_KEY: undefined }, "GET", "/ready");
    expect(answer.status).toBe(200);
  });
});

describe("A provider that people sign in with", () => {
  it.each([
    "GOOGLE_CLIENT_ID",
    "GOOGLE_CLIENT_SECRET",
    "GITHUB_CLIENT_ID",
    "GITHUB_CLIENT_SECRET",
    "MICROSOFT_CLIENT_ID",
    "MICROSOFT_CLIENT_SECRET",
    "APPLE_CLIENT_ID",
    "APPLE_TEAM_ID",
    "APPLE_KEY_ID",
    "APPLE_PRIVATE_KEY",
    "PUBLIC_ORIGIN",
    "APP_URL",
  ])("asks for %s, and the mistake is named", async (name) => {
    const answer = await callWith({ [name]: undefined }, "GET", "/ready");
    expectProblem(answer, "misconfigured");
    expect(answer.body.detail).toBe(`Settings: ${name} is missing.`);
  });

  it("asks for nothing where there is none", async () => {
    const answer = await callWith({ ...withoutProviders, PUBLIC_ORIGIN: undefined }, "GET", "/openapi.json");
    expect(answer.status).toBe(200);
  });
});

describe("the settings that may be given", () => {
  const good: Record<string, string[]> = {
    JWT_SECRET: [secret, "ключ-нашего-сервера"],
    JWT_SECRET_PREVIOUS: [secret],
    JWT_SIGNING_KEYS: goodKeySets,
    TOTP_ISSUER: ["Acme", "Acme & Söhne", "a".repeat(63)],
    BCRYPT_WORK_FACTOR: ["4", "10", "14"],
    SESSION_EXPIRATION: ["15m", "12h", "7d", "365d", "30d/7d", "7d/168h", "15m/15m", "365d/365d", "1h/15m"],
    RATE_LIMIT_PER_MINUTE: ["1", "300", "100000"],
    ENVIRONMENT: ["development", "test", "production"],
    CORS_ORIGINS: ["", " ", "https://app.example.com", "http://localhost:3000, https://app.example.com"],
    PUBLIC_ORIGIN: ["https://api.example.com", "http://localhost:8787"],
    DNS_OVER_HTTPS_URL: ["https://dns.google/resolve", "http://127.0.0.1:9000/dns-query"],
    GOOGLE_ISSUER: ["https://accounts.google.com", "https://id.example.com/realms/x", "http://127.0.0.1:9000"],
    GITHUB_API_URL: ["https://github.example.com/api/v3"],
    MICROSOFT_TENANT: ["common", "organizations", "consumers", "11111111-2222-4333-8444-555555555555"],
    PASSWORD_MIN_LENGTH: ["8", "64"],
    PASSWORD_PEPPER: [secret],
    PASSKEY_RP_ID: ["app.acme.example", "acme.example"],
    PASSWORD_BREACH_CHECK_URL: [
      "https://api.pwnedpasswords.com/range/",
      "https://ranges.example.com:8443/",
      "http://localhost:9000/range/",
      "http://ranges.localhost/",
      "http://127.0.0.1:9000/",
    ],
  };

  it.each(Object.entries(good))("hold %s in all of its forms", async (name, values) => {
    for (const value of values) {
      const isProductive = name === "ENVIRONMENT" && { BCRYPT_WORK_FACTOR: "10" };
      expect((await callWith({ [name]: value, ...isProductive }, "GET", "/openapi.json")).status, value).toBe(200);
    }
  });
});
