import { createHmac } from "node:crypto";

import type { Delivery, DeliveryFaults } from "../account-state.ts";
import type { Account } from "../account.ts";
import { newId } from "../ids.ts";
import type { Event } from "../objects.ts";

/** As it goes over the wire, or would. */
export interface SignedDelivery {
  id: string;
  eventId: string;
  type: string;
  attempt: number;
  headers: { "content-type": string; "stripe-signature": string };
  body: string;
}

/** So many attempts that bring no 2xx, and Stripe gives up. */
const maxAttempts = 4;

/** Plans the deliveries of an event, as the endpoint's faults have it. */
export function planDeliveries(account: Account, event: Event): Delivery[] {
  const { endpoint } = account.state;
  if (!endpoint?.enabled || !endpoint.events.some((pattern) => matchesType(event.type, pattern))) return [];
  const isLost = losesNext(account, endpoint.faults);
  const body = JSON.stringify({ ...event, pending_webhooks: 1 }, null, 2);
  return Array.from({ length: isLost ? 1 : endpoint.faults.copies }, () => {
    const delivery: Delivery = {
      id: newId("whd_"),
      event: event.id,
      type: event.type,
      body,
      state: isLost ? "lost" : "waiting",
      attempts: 0,
      lastStatus: null,
    };
    account.state.deliveries.set(delivery.id, delivery);
    return delivery;
  });
}

/** `invoice.*` stands for all that begin so. */
export function matchesType(type: string, pattern: string): boolean {
  return pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

function losesNext(account: Account, { loseEvery, loseProbability, seed }: DeliveryFaults): boolean {
  account.state.deliveryCount += 1;
  const count = account.state.deliveryCount;
  if (loseEvery > 0 && count % loseEvery === 0) return true;
  return loseProbability > 0 && pseudoRandom(seed, count) < loseProbability;
}

/** The same for the same two numbers, from 0 up to 1 (mulberry32). */
function pseudoRandom(seed: number, count: number): number {
  let state = (Math.imul(seed, 0x9e3779b1) + Math.imul(count, 0x6d2b79f5)) | 0;
  state = Math.imul(state ^ (state >>> 15), state | 1);
  state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
  return ((state ^ (state >>> 14)) >>> 0) / 4_294_967_296;
}

/** Those that wait, in the order in which they are to be sent. */
export function waitingDeliveries(account: Account): Delivery[] {
  const waiting = [...account.state.deliveries.values()].filter(({ state }) => state === "waiting");
  return reorder(waiting, account.state.endpoint?.faults.reorderWindow ?? 1);
}

/** So many at a time, the last first. */
export function reorder<T>(items: T[], window: number): T[] {
  const groups = Array.from({ length: Math.ceil(items.length / window) }, (_, i) =>
    items.slice(i * window, (i + 1) * window).toReversed(),
  );
  return groups.flat();
}

/** Signs it as of now, which is real time whatever the account's clock says: the receiver's clock is real. */
export function signDelivery(account: Account, { id, event, type, body, attempts }: Delivery): SignedDelivery {
  const timestamp = Math.floor(Date.now() / 1000);
  // Not by the SDK: of it a test in workerd loads the build that cannot do it at once. That checks it, in other tests.
  const signatures = (account.state.endpoint?.secrets ?? []).map(
    (secret) => `v1=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`,
  );
  return {
    id,
    eventId: event,
    type,
    attempt: attempts + 1,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "stripe-signature": [`t=${timestamp}`, ...signatures].join(","),
    },
    body,
  };
}

/** What became of an attempt. One that brings no 2xx is tried again, until there have been too many. */
export function settleDelivery(delivery: Delivery, status: number): void {
  delivery.attempts += 1;
  delivery.lastStatus = status;
  if (status >= 200 && status < 300) delivery.state = "delivered";
  else delivery.state = delivery.attempts < maxAttempts ? "waiting" : "failed";
}

/** Whether any of an event's deliveries was taken with 2xx, or there were none to make. */
export function isDelivered(account: Account, event: Event): boolean {
  const deliveries = deliveriesOf(account, event);
  return deliveries.length === 0 || deliveries.some(({ state }) => state === "delivered");
}

export function pendingWebhooks(account: Account, event: Event): number {
  return isDelivered(account, event) ? 0 : 1;
}

function deliveriesOf(account: Account, { id }: Event): Delivery[] {
  return [...account.state.deliveries.values()].filter(({ event }) => event === id);
}
