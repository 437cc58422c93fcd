import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";

import { answerJson, readBody } from "../http.ts";
import type { Account } from "./account.ts";
import { noFaults } from "./account-state.ts";
import type { Accounts } from "./accounts.ts";
import type { ApiControl } from "./api-control.ts";
import { setCard } from "./cards.ts";
import { enterPromotionCode, submitCheckout } from "./checkout.ts";
import { moveClock } from "./clock.ts";
import { StripeError } from "./errors.ts";
import { settleDelivery, signDelivery, waitingDeliveries } from "./webhooks/deliveries.ts";

export interface ControlOptions {
  accounts: Accounts;
  control: ApiControl;
}

interface Call {
  account: Account;
  control: ApiControl;
  /** What the path names. */
  id: string;
  query: URLSearchParams;
  body: unknown;
}

interface ControlRoute {
  method: string;
  path: RegExp;
  /** Nothing is answered with 204. */
  act(call: Call): object | void;
}

const maxBytes = 64 * 1024;
const count = z.int().min(0).max(1_000_000);

/** A body that is not as it must be is refused: a misspelt order must not make a test pass. */
function route<S extends z.ZodRawShape>(
  method: string,
  path: string,
  shape: S,
  act: (call: Call, body: z.output<z.ZodObject<S>>) => object | void,
): ControlRoute {
  const schema = z.strictObject(shape);
  return {
    method,
    path: new RegExp(`^/control/${path.replace(":id", "([^/]+)")}$`),
    act: (call) => {
      const body = schema.safeParse(call.body);
      if (!body.success) throw new StripeError(400, z.prettifyError(body.error));
      return act(call, body.data);
    },
  };
}

const routes: ControlRoute[] = [
  route(
    "PUT",
    "webhook",
    {
      url: z
        .url({ protocol: /^https?$/ })
        .nullable()
        .default(null),
      secrets: z.array(z.string().min(1)).min(1),
      enabled: z.boolean().default(true),
      events: z.array(z.string()).default(["*"]),
      retryDelaysMs: z.array(count).default([1_000, 5_000, 30_000]),
      faults: z
        .strictObject({
          copies: z.int().min(1).max(100),
          reorderWindow: z.int().min(1).max(1_000),
          delayMs: count,
          loseEvery: count,
          loseProbability: z.number().min(0).max(1),
          seed: count,
        })
        .partial()
        .default({}),
    },
    ({ account }, { faults, ...endpoint }) => {
      const given = Object.fromEntries(Object.entries(faults).filter(([, value]) => value !== undefined));
      account.state.endpoint = { ...endpoint, faults: { ...noFaults, ...given } };
      return account.state.endpoint;
    },
  ),
  route("DELETE", "webhook", {}, ({ account }) => {
    account.state.endpoint = null;
  }),
  route("GET", "deliveries", {}, ({ account, query }) => {
    if (query.get("state") === "all") {
      const all = [...account.state.deliveries.values()];
      return { deliveries: all.map(({ event, body: _body, ...delivery }) => ({ ...delivery, eventId: event })) };
    }
    return { deliveries: waitingDeliveries(account).map((delivery) => signDelivery(account, delivery)) };
  }),
  route("POST", "deliveries/take", { limit: z.int().min(1).optional() }, ({ account }, { limit }) => {
    const taken = waitingDeliveries(account).slice(0, limit);
    for (const delivery of taken) delivery.state = "taken";
    return { deliveries: taken.map((delivery) => signDelivery(account, delivery)) };
  }),
  route("POST", "deliveries/:id", { status: z.int().min(0).max(599) }, ({ account, id }, { status }) => {
    const delivery = account.state.deliveries.get(id);
    if (!delivery) throw new StripeError(404, `No such delivery: '${id}'`);
    settleDelivery(delivery, status);
    return { state: delivery.state, attempts: delivery.attempts };
  }),
  route(
    "POST",
    "checkout",
    { session: z.string(), outcome: z.enum(["paid", "declined"]), promotionCode: z.string().optional() },
    ({ account }, { session: id, outcome, promotionCode }) => {
      const session = account.find("checkoutSessions", "checkout.session", id);
      if (promotionCode !== undefined) enterPromotionCode(account, session, promotionCode);
      submitCheckout(account, session, outcome);
      return session;
    },
  ),
  route(
    "POST",
    "card",
    { customer: z.string(), card: z.enum(["good", "declining"]).nullable() },
    ({ account }, { customer, card }) => setCard(account, customer, card),
  ),
  route("GET", "clock", {}, ({ account }) => ({ now: account.now(), frozen: account.state.clock.frozen !== null })),
  route(
    "POST",
    "clock",
    { to: z.int().min(0).optional(), by: z.int().min(0).optional() },
    ({ account }, { to, by }) => {
      moveClock(account, to ?? account.now() + (by ?? 0));
      return { now: account.now(), frozen: true };
    },
  ),
  route(
    "POST",
    "settings",
    { afterRetries: z.enum(["canceled", "unpaid", "past_due"]).optional(), draftSeconds: count.optional() },
    ({ account }, { afterRetries, draftSeconds }) => {
      const { settings } = account.state;
      settings.afterRetries = afterRetries ?? settings.afterRetries;
      settings.draftSeconds = draftSeconds ?? settings.draftSeconds;
      return settings;
    },
  ),
  route("GET", "requests", {}, ({ account, control }) => {
    const requests = control.requests(account.state.key);
    return { count: requests.length, requests };
  }),
  route("DELETE", "requests", {}, ({ account, control }) => control.forgetRequests(account.state.key)),
  route(
    "POST",
    "faults",
    {
      method: z.enum(["GET", "POST", "DELETE"]).optional(),
      path: z.string().startsWith("/v1/").default("/v1/"),
      times: z.int().min(1).default(1),
      status: z.int().min(400).max(599).optional(),
      drop: z.boolean().default(false),
      delayMs: count.default(0),
      afterDoing: z.boolean().default(false),
    },
    ({ account, control }, { method, path, times, status, drop, delayMs, afterDoing }) => {
      if (status === undefined && !drop && delayMs === 0) {
        throw new StripeError(400, "one of status, drop and delayMs is required");
      }
      control.addFault(account.state.key, { method, path, times, fault: { status, drop, delayMs, afterDoing } });
    },
  ),
  route("DELETE", "faults", {}, ({ account, control }) => control.forgetFaults(account.state.key)),
];

/** @throws StripeError 400 for a body that is not as it must be, 404 for what is not there */
export async function answerControl(
  request: IncomingMessage,
  response: ServerResponse,
  { path, query }: { path: string; query: URLSearchParams },
  { accounts, control }: ControlOptions,
): Promise<void> {
  const text = await readBody(request, maxBytes);
  const found = routes.find((other) => other.method === request.method && other.path.test(path));
  if (!found) throw new StripeError(404, `There is no ${request.method} ${path}.`);
  const account = accounts.open(readKey(request, query));
  const call = { account, control, id: found.path.exec(path)?.[1] ?? "", query, body: readJson(text) };
  const result = accounts.act(account, () => found.act(call));
  answerJson(response, result ? 200 : 204, result ?? undefined);
}

/** Of the account that is meant. */
function readKey(request: IncomingMessage, query: URLSearchParams): string {
  const key = query.get("key") ?? /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (key?.startsWith("sk_test_")) return key;
  throw new StripeError(400, "Name the account: ?key=sk_test_… or Authorization: Bearer sk_test_….");
}

function readJson(text: string | undefined): unknown {
  if (!text) return {};
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new StripeError(400, "The body is no JSON.");
  }
}
