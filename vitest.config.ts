import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Tests in workerd, of the Worker's own code, against one fresh Postgres a run. */
const inWorkerd = (name: string, include: string, seconds: number, globalSetup = "./test/support/global-setup.ts") => ({
  plugins: [
    cloudflareTest(({ inject }) => ({
      main: "./src/index.ts",
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          DATABASE_URL: inject("databaseUrl"),
          JWT_SECRET: "a-secret-for-tests-alone-Zq8vT3nLw5xY",
          ENCRYPTION_KEY: "another-secret-for-tests-alone-mB5kWq2R",
          BCRYPT_WORK_FACTOR: "4",
          SESSION_EXPIRATION: "7d",
          RATE_LIMIT_PER_MINUTE: "100000",
          ENVIRONMENT: "test",
          EMAIL_VERIFICATION: "optional",
          EMAIL_PROVIDER: "resend",
          EMAIL_FROM: "Acme <hello@acme.example>",
          APP_URL: "https://app.acme.example",
          RESEND_API_URL: inject("mailboxUrl"),
          RESEND_API_KEY: inject("mailboxKey"),
          DNS_OVER_HTTPS_URL: `${String(inject("dnsUrl"))}/ok/dns-query`,
          PUBLIC_ORIGIN: "https://api.example.com",
          GOOGLE_CLIENT_ID: "a-client",
          GOOGLE_CLIENT_SECRET: "a-client-secret-of-the-identity-provider",
          GOOGLE_ISSUER: inject("identityProviderUrl"),
          GITHUB_CLIENT_ID: "a-client",
          GITHUB_CLIENT_SECRET: "a-client-secret-of-the-scripted-provider",
          GITHUB_URL: `${String(inject("scriptedProviderUrl"))}/github`,
          GITHUB_API_URL: `${String(inject("scriptedProviderUrl"))}/github/api`,
          MICROSOFT_CLIENT_ID: "a-client",
          MICROSOFT_CLIENT_SECRET: "a-client-secret-of-the-scripted-provider",
          MICROSOFT_ISSUER: `${String(inject("scriptedProviderUrl"))}/microsoft`,
          APPLE_CLIENT_ID: "a-client",
          APPLE_TEAM_ID: "TEAM123456",
          APPLE_KEY_ID: "KEY1234567",
          APPLE_PRIVATE_KEY: inject("applePrivateKey"),
          APPLE_ISSUER: `${String(inject("scriptedProviderUrl"))}/apple`,
          STRIPE_SECRET_KEY: "sk_test_ofWhateverIsNotAboutIt",
          STRIPE_WEBHOOK_SECRET: "whsec_of_whatever_is_not_about_it",
          STRIPE_API_URL: inject("stripeUrl"),
        },
      },
    })),
  ],
  test: {
    name,
    include: [include],
    globalSetup,
    testTimeout: seconds * 1000,
    hookTimeout: 240_000,
    // One workerd serves many files, each of which would else wait seconds for its own.
    isolate: false,
  },
});

/** Tests in Node, of the scripts, or of what needs processes and sockets; each starts what it needs. */
const inNode = (name: string, include: string[], seconds: number) => ({
  test: { name, include, environment: "node" as const, testTimeout: seconds * 1000, hookTimeout: 240_000 },
});

/** After those of a lower order, with the machine to itself, and one file after another. */
const alone = <P extends { test: object }>(groupOrder: number, project: P) => ({
  ...project,
  test: { ...project.test, sequence: { groupOrder }, fileParallelism: false },
});

export default defineConfig({
  test: {
    silent: "passed-only",
    projects: [
      inWorkerd("worker", "test/*.test.ts", 60),
      inNode("local", ["test/local/*.test.ts"], 120),
      inNode("fence", ["test/fence/matrix*.test.ts"], 300),
      inNode("commands", ["test/commands/*.test.ts"], 120),
      inNode("mutation", ["test/fence/mutation*.test.ts"], 3000),
      inWorkerd("slow", "test/slow/!(*-times).test.ts", 300),
      alone(1, inWorkerd("times", "test/slow/*-times.test.ts", 300)),
      alone(2, inNode("crash", ["test/crash/*.test.ts"], 300)),
      inWorkerd("plans", "test/plans/*.test.ts", 300, "./test/plans/global-setup.ts"),
      inNode("system", ["test/system/*.test.ts"], 120),
    ],
  },
});
