import type { TestProject } from "vitest/node";

import { bringUpToDate, setWorkerPassword } from "../../scripts/db/steps.ts";
import { startMailbox } from "../../scripts/local/mailbox.ts";
import { startNeonEndpoint } from "../../scripts/local/neon-endpoint.ts";
import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { startPostgres } from "../../scripts/local/postgres.ts";
import { startStripe } from "../../scripts/local/stripe.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { startScriptedProvider } from "../support/scripted-provider.ts";
import { fillDatabase } from "./fill.ts";

const stops: (() => Promise<void>)[] = [];

/** A Postgres with the fence and a million memberships, which counts the calls of functions. */
export async function setup(project: TestProject): Promise<void> {
  await import("../../scripts/build-docs.ts");
  const postgres = await startPostgres({
    settings: { track_functions: "all", max_wal_size: "4GB", shared_buffers: "256MB" },
  });
  stops.push(() => postgres.stop());
  const { ownerUrl } = await createNeonLikeDatabase(postgres);
  await bringUpToDate(ownerUrl);
  await fillDatabase(postgres.url("postgres", "app"));
  const password = postgres.passwordOf("app_user");
  await setWorkerPassword(ownerUrl, password);
  const endpoint = await startNeonEndpoint({ postgres: { host: "127.0.0.1", port: postgres.port }, control: true });
  stops.push(() => endpoint.close());
  const mailboxKey = "re_a-key-for-tests-alone";
  const mailbox = await startMailbox({ control: true, apiKey: mailboxKey });
  stops.push(() => mailbox.close());

  const dns = await startDnsServer();
  stops.push(() => dns.close());
  const scripted = await startScriptedProvider();
  stops.push(() => scripted.close());
  const stripe = await startStripe();
  stops.push(() => stripe.close());

  const owner = new URL(ownerUrl);
  project.provide("databaseUrl", `postgresql://app_user:${password}@localhost:${endpoint.port}/app`);
  project.provide("ownerUrl", `postgresql://${owner.username}:${owner.password}@localhost:${endpoint.port}/app`);
  project.provide("endpointUrl", `http://127.0.0.1:${endpoint.port}`);
  project.provide("stripeUrl", stripe.url);
  project.provide("mailboxUrl", mailbox.url);
  project.provide("mailboxKey", mailboxKey);
  project.provide("identityProviderUrl", `${scripted.url}/scripted`);
  project.provide("dnsUrl", dns.url);
  project.provide("scriptedProviderUrl", scripted.url);
  project.provide("applePrivateKey", scripted.applePrivateKey);
}

export async function teardown(): Promise<void> {
  for (const stop of stops.toReversed()) await stop();
}
