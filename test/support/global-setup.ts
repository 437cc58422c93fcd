import type { TestProject } from "vitest/node";

import { withClient } from "../../scripts/db/connection.ts";
import { bringUpToDate, setWorkerPassword } from "../../scripts/db/steps.ts";
import { startMailbox } from "../../scripts/local/mailbox.ts";
import { startNeonEndpoint } from "../../scripts/local/neon-endpoint.ts";
import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { startPostgres } from "../../scripts/local/postgres.ts";
import { startStripe } from "../../scripts/local/stripe.ts";
import { startDnsServer } from "./dns-server.ts";
import { startIdentityProvider } from "./identity-provider.ts";
import { startRangeServer } from "./range-server.ts";
import { startScriptedProvider } from "./scripted-provider.ts";
import { startWebhookReceiver } from "./webhook-receiver.ts";

/** A fresh Postgres with the fence, behind the local Neon endpoint, for one run of the tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await import("../../scripts/build-docs.ts");
  const postgres = await startPostgres({});
  const { ownerUrl } = await createNeonLikeDatabase(postgres);
  await bringUpToDate(ownerUrl);
  const password = postgres.passwordOf("app_user");
  await setWorkerPassword(ownerUrl, password);
  // While nobody is connected to what it is a copy of: see openOwnDatabase.
  await withClient(ownerUrl, (client) => client.query("create database template_of_app template app"));
  const endpoint = await startNeonEndpoint({ postgres: { host: "127.0.0.1", port: postgres.port }, control: true });
  const mailboxKey = "re_a-key-for-tests-alone";
  // More than are sent while a test looks for its own, whatever runs beside it.
  const mailbox = await startMailbox({ control: true, apiKey: mailboxKey, maxMessages: 5_000 });
  const ranges = await startRangeServer();
  const callback = "https://api.example.com/v1/auth/oauth/google/callback";
  const ssoCallback = "https://api.example.com/v1/auth/sso/callback";
  const identities = await startIdentityProvider([
    { id: "a-client", secret: "a-client-secret-of-the-identity-provider", redirectUris: [callback, ssoCallback] },
  ]);
  const dns = await startDnsServer();
  const scripted = await startScriptedProvider();
  const receiver = await startWebhookReceiver();
  const stripe = await startStripe({ control: true });

  const owner = new URL(ownerUrl);
  project.provide("databaseUrl", `postgresql://app_user:${password}@localhost:${endpoint.port}/app`);
  project.provide("ownerUrl", `postgresql://${owner.username}:${owner.password}@localhost:${endpoint.port}/app`);
  project.provide("endpointUrl", `http://127.0.0.1:${endpoint.port}`);
  project.provide("mailboxUrl", mailbox.url);
  project.provide("mailboxKey", mailboxKey);
  project.provide("rangesUrl", ranges.url);
  project.provide("identityProviderUrl", identities.issuer);
  project.provide("scriptedProviderUrl", scripted.url);
  project.provide("applePrivateKey", scripted.applePrivateKey);
  project.provide("dnsUrl", dns.url);
  project.provide("webhookReceiverUrl", receiver.url);
  project.provide("stripeUrl", stripe.url);
  return async () => {
    await stripe.close();
    await receiver.close();
    await dns.close();
    await scripted.close();
    await identities.close();
    await ranges.close();
    await mailbox.close();
    await endpoint.close();
    await postgres.stop();
  };
}
