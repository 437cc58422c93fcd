import { createServer } from "node:http";

import { closeServer, listenOnLoopback } from "./listen.ts";
import { Accounts } from "./stripe/accounts.ts";
import { ApiControl } from "./stripe/api-control.ts";
import { IdempotencyKeys } from "./stripe/idempotency.ts";
import { answerRequest } from "./stripe/routes.ts";
import { SavedState } from "./stripe/saved-state.ts";
import { Pusher } from "./stripe/webhooks/push.ts";

export interface StripeOptions {
  /** 0 or absent: any free port. Only 127.0.0.1 is bound. */
  port?: number;
  /** Opens /control/…, with which tests pay, move the clock, take webhooks and set faults. */
  control?: boolean;
  /** Where all accounts are kept, so that a restart finds them again; memory alone when absent. */
  file?: string;
}

export interface StripeServer {
  url: string;
  port: number;
  /** The webhook endpoint of an account, as `PUT /control/webhook` sets it, for whoever has no control. */
  setWebhook(key: string, endpoint: { url: string; secrets: string[] }): void;
  /** Ends every connection; without a file, all that there was is gone with it. */
  close(): Promise<void>;
}

/** How often what time brings about is looked for where nobody asks. */
const tickMilliseconds = 15_000;

/**
 * Starts a local model of Stripe (https://docs.stripe.com/api), with which Stripe's own SDK talks as with the real
 * API. It is a model: no money moves, and what it does not know of Stripe it refuses. Every secret key is an account
 * of its own, with its own objects, clock and webhook endpoint. An account has one clock for everything.
 *
 * @throws Error when the port cannot be bound, or the file is there and cannot be read
 */
export async function startStripe(options: StripeOptions = {}): Promise<StripeServer> {
  const saved = options.file === undefined ? undefined : new SavedState(options.file);
  const states = saved?.load();
  const server = createServer();
  const port = await listenOnLoopback(server, options.port);
  const url = `http://127.0.0.1:${port}`;
  const pusher = new Pusher();
  const accounts = new Accounts(url, states);
  accounts.onChange = (account) => {
    saved?.saveSoon(() => accounts.all());
    pusher.push(account);
  };
  const control = options.control ? new ApiControl() : undefined;
  const route = { accounts, idempotencyKeys: new IdempotencyKeys(), control };
  server.on("request", (request, response) => void answerRequest(request, response, route));
  const ticking = setInterval(() => accounts.catchUpAll(), tickMilliseconds).unref();

  return {
    url,
    port,
    setWebhook: (key, endpoint) => accounts.setWebhook(key, endpoint),
    async close() {
      clearInterval(ticking);
      pusher.close();
      await closeServer(server);
      saved?.save(accounts.all());
    },
  };
}
