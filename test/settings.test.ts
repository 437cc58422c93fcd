import { describe, expect, it } from "vitest";
import { goodKeySets } from "./support/key-sets.ts";
import { withoutProviders } from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { callWith, listEverything, secret } from "./support/settings.ts";

const required = [
  "DATABASE_URL",
  "JWT_SECRET",
  "BCRYPT_WORK_FACTOR",
  "SESSION_EXPIRATION",
  "RATE_LIMIT_PER_MINUTE",
  "ENVIRONMENT",
];

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
