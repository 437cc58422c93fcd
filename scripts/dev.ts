import { parseArgs } from "node:util";

import { explainError } from "./db/command.ts";
import { isLocalHost, parseUrl, readDevVars } from "./db/connection.ts";
import { seedDemo } from "./db/seed.ts";
import { startCron } from "./dev/cron.ts";
import { isDemoMade, markDemoMade, prepareDatabase, startDevEndpoint, startDevPostgres } from "./dev/local-database.ts";
import { startDevMailbox, type DevMailbox } from "./dev/mailbox.ts";
import { makeSettings, writeEnvFile } from "./dev/settings.ts";
import { loadState, type State } from "./dev/state.ts";
import { startDevStripe, type DevStripe } from "./dev/stripe.ts";
import { startWorker, waitForAnswer, workerUrl } from "./dev/worker.ts";
import { findFreePort } from "./local/processes.ts";
import { claimRunning, releaseRunning, updateRunning } from "./local/running.ts";

const demoEmail = "demo@example.com";

interface Ending {
  code: number;
  reason?: string;
}

const ending = Promise.withResolvers<Ending>();
const stopping = new AbortController();
const stops: (() => Promise<void>)[] = [];

// A part that ends by itself takes the others with it.
function addPart(ended: Promise<string>, stop: () => Promise<void>): void {
  stops.push(stop);
  void ended.then((reason) => ending.resolve({ code: 1, reason }));
}

async function start(): Promise<void> {
  const wantedPort = readPort();
  const state = loadState();
  const devVars = readDevVars();
  const given = devVars["DATABASE_URL"];
  const isElsewhere = !!given && !isLocalHost(parseUrl(given, "DATABASE_URL").hostname);
  const databaseUrl = isElsewhere ? useDatabaseElsewhere(given) : await startDatabase(!!given);
  stopping.signal.throwIfAborted();

  const port = await findFreePort(wantedPort);
  if (port !== wantedPort) console.log(`Port ${wantedPort} is taken; using ${port}.`);
  const mailbox = await startMailboxUnlessGiven(devVars, port);
  stopping.signal.throwIfAborted();
  const stripe = await startStripeUnlessGiven(devVars, port, state);
  stopping.signal.throwIfAborted();
  const settings = makeSettings(state, devVars, databaseUrl, mailbox?.settings, workerUrl(port), stripe?.settings);
  const worker = await startWorker({
    port,
    envFile: writeEnvFile(settings),
    settingNames: Object.keys(settings),
  });
  addPart(worker.ended, () => worker.stop());
  await waitForAnswer(worker.url, stopping.signal);
  updateRunning({ url: worker.url });

  const demo = { email: demoEmail, password: state.demoPassword };
  if (!isElsewhere) await makeDemoOnce(worker.url, demo);
  stopping.signal.throwIfAborted();
  printReady({
    url: worker.url,
    mailboxUrl: mailbox?.url,
    stripeUrl: stripe?.url,
    demo: isElsewhere ? undefined : demo,
  });
  const cron = startCron(worker.url);
  stops.push(() => cron.stop());
}

function readPort(): number {
  const { values } = parseArgs({ options: { port: { type: "string", default: "8787" } } });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`--port ${values.port} is not a port number.`);
  }
  return port;
}

function useDatabaseElsewhere(url: string): string {
  const { host } = new URL(url);
  console.log(
    `.dev.vars names a database at ${host}: no local Postgres is started, and nothing is migrated ` +
      "or seeded there (npm run db:setup does that).",
  );
  return url;
}

async function startDatabase(isGiven: boolean): Promise<string> {
  if (isGiven) {
    console.log("DATABASE_URL in .dev.vars names this machine; the local database is used instead.");
  }
  console.log("Starting Postgres …");
  const postgres = await startDevPostgres();
  addPart(
    postgres.ended.then((output) => `Postgres ended. ${output}`),
    () => postgres.stop(),
  );
  stopping.signal.throwIfAborted();
  const endpoint = await startDevEndpoint(postgres);
  stops.push(() => endpoint.stop());
  const urls = await prepareDatabase(postgres, endpoint.port);
  updateRunning(urls);
  return urls.databaseUrl;
}

/** Whoever names a provider sends real mail, also in development. */
async function startMailboxUnlessGiven(
  devVars: Record<string, string>,
  workerPort: number,
): Promise<DevMailbox | undefined> {
  if (devVars["EMAIL_PROVIDER"]) return undefined;
  const mailbox = await startDevMailbox({ apiUrl: workerUrl(workerPort), apiKey: devVars["RESEND_API_KEY"] });
  stops.push(() => mailbox.stop());
  return mailbox;
}

/** Whoever names a key of Stripe's, or collects the money by hand, does so in development too. */
async function startStripeUnlessGiven(
  devVars: Record<string, string>,
  workerPort: number,
  state: State,
): Promise<DevStripe | undefined> {
  if (devVars["STRIPE_SECRET_KEY"] || devVars["BILLING_PROVIDER"]) return undefined;
  const stripe = await startDevStripe(workerUrl(workerPort), state);
  stops.push(() => stripe.stop());
  return stripe;
}

async function makeDemoOnce(url: string, demo: { email: string; password: string }): Promise<void> {
  if (isDemoMade()) return;
  try {
    await seedDemo(url, demo);
    markDemoMade();
  } catch (error) {
    // Whoever is changing sign-up at the moment still needs a running service.
    console.error(`The demo tenant could not be made; the next start tries again.\n${explainError(error)}`);
  }
}

interface Ready {
  url: string;
  mailboxUrl: string | undefined;
  stripeUrl: string | undefined;
  demo: { email: string; password: string } | undefined;
}

function printReady({ url, mailboxUrl, stripeUrl, demo }: Ready): void {
  const lines = ["", `  Service    ${url}`, `  Reference  ${url}/docs`];
  if (mailboxUrl) lines.push(`  Mailbox    ${mailboxUrl}`);
  if (stripeUrl) lines.push(`  Stripe     ${stripeUrl} (a local model: no money moves)`);
  if (demo) {
    const body = JSON.stringify(demo);
    lines.push(
      `  Sign in    ${demo.email} with ${demo.password}`,
      "",
      `  curl ${url}/v1/auth/sign-in -H 'content-type: application/json' -d '${body}'`,
    );
  }
  lines.push("", "  Ctrl-C stops it; the data is kept.", "");
  console.log(lines.join("\n"));
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => ending.resolve({ code: 0 }));
}
// After a SIGHUP the terminal is gone, and writing to it fails.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
process.on("uncaughtException", (error) => ending.resolve({ code: 1, reason: explainError(error) }));

const other = claimRunning();
if (other) {
  const where = other.url ? `at ${other.url}` : "and is still starting";
  console.error(`npm run dev runs already ${where} (process ${other.pid}).`);
  process.exit(1);
}

const started = start().catch((error: unknown) => {
  ending.resolve({ code: 1, reason: explainError(error) });
});
const { code, reason } = await ending.promise;
console[reason ? "error" : "log"](reason ? `\n${reason}\nStopping …` : "\nStopping …");
stopping.abort();
await started;
for (const stop of stops.toReversed()) {
  await stop().catch((error: unknown) => console.error(explainError(error)));
}
releaseRunning();
process.exit(code);
