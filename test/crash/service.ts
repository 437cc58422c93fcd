import { makeSettings, writeEnvFile } from "../../scripts/dev/settings.ts";
import { loadState } from "../../scripts/dev/state.ts";
import { startWorker, waitForAnswer } from "../../scripts/dev/worker.ts";
import { startNeonEndpoint } from "../../scripts/local/neon-endpoint.ts";
import { findFreePort } from "../../scripts/local/processes.ts";

// The Worker and its database endpoint without a Postgres, in a clone: unlike `npm run dev`, they
// have to outlive it.
const stopping = new AbortController();
const asked = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve());
}).then(() => stopping.abort());

const { APP_USER_PASSWORD = "", POSTGRES_PORT, ENVIRONMENT = "test", MAILBOX_URL } = process.env;
const endpoint = await startNeonEndpoint({ postgres: { host: "127.0.0.1", port: Number(POSTGRES_PORT) } });
const settings = makeSettings(
  loadState(),
  {
    BCRYPT_WORK_FACTOR: ENVIRONMENT === "test" ? "4" : "10",
    ENVIRONMENT,
    EMAIL_VERIFICATION: "optional",
    RATE_LIMIT_PER_MINUTE: "100000",
  },
  `postgresql://app_user:${APP_USER_PASSWORD}@localhost:${endpoint.port}/app`,
  MAILBOX_URL
    ? {
        EMAIL_PROVIDER: "resend",
        RESEND_API_URL: MAILBOX_URL,
        RESEND_API_KEY: "re_local",
        EMAIL_FROM: "Demo <demo@example.com>",
        APP_URL: "http://localhost:3000",
      }
    : undefined,
);
const worker = await startWorker({
  port: await findFreePort(),
  envFile: writeEnvFile(settings),
  settingNames: Object.keys(settings),
});
try {
  await waitForAnswer(worker.url, stopping.signal);
  console.log(`Service ${worker.url}`);
  await Promise.race([asked, worker.ended]);
} finally {
  await worker.stop();
  await endpoint.close();
}
process.exit(stopping.signal.aborted ? 0 : 1);
