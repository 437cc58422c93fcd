import { afterEach, describe, expect, it, vi } from "vitest";
import { badKeySets } from "./support/key-sets.ts";
import { expectProblem } from "./support/problems.ts";
import { callWith, listEverything, secret } from "./support/settings.ts";

afterEach(() => vi.restoreAllMocks());

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
