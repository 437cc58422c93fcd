import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    silent: "passed-only",
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            main: "./src/index.ts",
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                DATABASE_URL: inject("databaseUrl"),
                JWT_SECRET: "a-secret-for-tests-alone-Zq8vT3nLw5xY",
                BCRYPT_WORK_FACTOR: "4",
                SESSION_EXPIRATION: "7d",
                RATE_LIMIT_PER_MINUTE: "100000",
                ENVIRONMENT: "test",
              },
            },
          })),
        ],
        test: {
          name: "worker",
          include: ["test/*.test.ts"],
          globalSetup: "./test/support/global-setup.ts",
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/system/*.test.ts"],
          environment: "node",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "local",
          include: ["test/local/*.test.ts"],
          environment: "node",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
