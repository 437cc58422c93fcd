import { z } from "zod";

import type { Account } from "../account.ts";
import { addIntervals } from "../calendar.ts";
import { invalidRequest } from "../errors.ts";
import { listPage } from "../listing.ts";
import type { Subscription, SubscriptionSchedule } from "../objects.ts";
import { mergeMetadata, operation, type Operation } from "../operation.ts";
import { boolean, integer, list, metadata, object, page, text, timestamp } from "../params.ts";
import { enterPhase, newPhase, newSchedule, releaseSchedule } from "../phases.ts";
import { endTrial } from "../renewing.ts";
import { isEnded } from "../standing.ts";
import { commonInterval, setTrialEnd, usablePrice } from "../subscription-items.ts";

const prorationBehavior = z.enum(["none", "create_prorations", "always_invoice"]);
const phase = object({
  items: list(object({ price: text, quantity: integer(1).optional() })),
  start_date: z.union([timestamp, z.literal("now")]).optional(),
  end_date: timestamp.optional(),
  duration: object({
    interval: z.enum(["day", "week", "month", "year"]),
    interval_count: integer(1, 1095).optional(),
  }).optional(),
  proration_behavior: prorationBehavior.optional(),
  trial: boolean.optional(),
  trial_end: timestamp.optional(),
  metadata: metadata.optional(),
  discounts: list(object({ discount: text })).optional(),
});
type GivenPhase = z.output<typeof phase>;

export const subscriptionScheduleOperations: Operation[] = [
  operation(
    "POST",
    "/v1/subscription_schedules",
    { from_subscription: text, metadata: metadata.optional() },
    ({ account }, params) => {
      const id = params.from_subscription;
      const subscription = account.find("subscriptions", "subscription", id, "from_subscription");
      requireSchedulable(subscription);
      const schedule = newSchedule(account, subscription, mergeMetadata({}, params.metadata));
      account.state.schedules.set(schedule.id, schedule);
      account.emit("subscription_schedule.created", schedule);
      account.change(subscription, "customer.subscription.updated", (changed) => {
        changed.schedule = schedule.id;
      });
      return schedule;
    },
  ),
  operation(
    "GET",
    "/v1/subscription_schedules",
    { ...page, customer: text.optional(), scheduled: boolean.optional() },
    ({ account }, { customer, scheduled, ...cursor }) => {
      const schedules = [...account.state.schedules.values()].filter(
        (schedule) =>
          (customer === undefined || schedule.customer === customer) &&
          (scheduled === undefined || (schedule.status === "not_started") === scheduled),
      );
      return listPage(schedules, "/v1/subscription_schedules", cursor);
    },
  ),
  operation("GET", "/v1/subscription_schedules/:id", {}, ({ account, id }) => find(account, id)),
  operation(
    "POST",
    "/v1/subscription_schedules/:id",
    {
      phases: list(phase).optional(),
      end_behavior: z.enum(["release", "cancel"]).optional(),
      proration_behavior: prorationBehavior.optional(),
      metadata: metadata.optional(),
    },
    ({ account, id }, params) => {
      const schedule = find(account, id);
      const subscription = requireActive(account, schedule);
      const phases = params.phases && readPhases(account, schedule, subscription, params.phases);
      account.change(schedule, "subscription_schedule.updated", (changed) => {
        changed.end_behavior = params.end_behavior ?? changed.end_behavior;
        changed.metadata = mergeMetadata(changed.metadata ?? {}, params.metadata);
        changed.phases = phases ?? changed.phases;
        const current = changed.phases.find(({ end_date }) => end_date > account.now());
        changed.current_phase = current ? { start_date: current.start_date, end_date: current.end_date } : null;
      });
      const current = schedule.phases.find(({ end_date }) => end_date > account.now());
      if (current) {
        const proration_behavior = params.proration_behavior ?? "create_prorations";
        enterPhase(account, subscription, { ...current, proration_behavior });
        moveTrialEnd(account, subscription, current.trial_end);
      }
      return schedule;
    },
  ),
  operation(
    "POST",
    "/v1/subscription_schedules/:id/release",
    { preserve_cancel_date: boolean.optional() },
    ({ account, id }) => {
      const schedule = find(account, id);
      requireActive(account, schedule);
      releaseSchedule(account, schedule);
      return schedule;
    },
  ),
];

/** What the current phase does not say is unset: without its trial's end, the trial ends at once. */
function moveTrialEnd(account: Account, subscription: Subscription, end: number | null): void {
  if (subscription.status !== "trialing" || end === subscription.trial_end) return;
  if (end === null || end <= account.now()) return endTrial(account, subscription);
  account.change(subscription, "customer.subscription.updated", (changed) => setTrialEnd(changed, end));
}

function find(account: Account, id: string): SubscriptionSchedule {
  return account.find("schedules", "subscription_schedule", id);
}

function requireSchedulable(subscription: Subscription): void {
  if (subscription.schedule !== null) {
    const message = `You cannot migrate a subscription that is already attached to a schedule: \`${subscription.schedule}\`.`;
    throw invalidRequest(message, "from_subscription");
  }
  if (isEnded(subscription) || subscription.status === "incomplete") {
    throw invalidRequest(`You cannot schedule a subscription that is ${subscription.status}.`, "from_subscription");
  }
  if (subscription.cancel_at !== null) {
    const message = "In this model a subscription that is to end cannot have a schedule.";
    throw invalidRequest(message, "from_subscription");
  }
}

function requireActive(account: Account, schedule: SubscriptionSchedule): Subscription {
  const subscription = account.state.subscriptions.get(schedule.subscription ?? "");
  if (schedule.status === "active" && subscription) return subscription;
  throw invalidRequest(
    `This subscription schedule is in the \`${schedule.status}\` status; it must be in \`not_started\` or \`active\`.`,
  );
}

/** Each phase begins where the one before ends; the first goes on from the one that is current. */
function readPhases(
  account: Account,
  schedule: SubscriptionSchedule,
  subscription: Subscription,
  given: GivenPhase[],
): SubscriptionSchedule["phases"] {
  let start = schedule.current_phase?.start_date ?? account.now();
  return given.map((wanted, i) => {
    const name = `phases[${i}]`;
    const prices = wanted.items.map(({ price }, j) =>
      usablePrice(account, price, `${name}[items][${j}][price]`, subscription.currency),
    );
    const from = wanted.start_date === "now" ? account.now() : wanted.start_date;
    if (i === 0 && from === undefined) {
      const message = "The start date of the current phase must be given when the phases are replaced.";
      throw invalidRequest(message, `${name}[start_date]`, "parameter_missing");
    }
    if (from !== undefined && from !== start) {
      const message =
        i === 0
          ? "You can not modify the start date of the current phase."
          : "A phase must begin where the one before ends.";
      throw invalidRequest(message, `${name}[start_date]`);
    }
    const end = endOf(wanted, start, commonInterval(prices));
    if (end <= start) throw invalidRequest("A phase must end after it begins.", `${name}[end_date]`);
    const { trial, trial_end } = wanted;
    if (i > 0 && (trial || trial_end !== undefined)) {
      throw invalidRequest("In this model only the current phase can have a trial.", `${name}[trial]`);
    }
    const phase = newPhase({
      items: wanted.items.map(({ price, quantity }) => ({ price, quantity: quantity ?? 1 })),
      start,
      end,
      currency: subscription.currency,
      prorationBehavior: wanted.proration_behavior ?? "create_prorations",
      trialEnd: trial_end ?? (trial ? end : null),
      metadata: mergeMetadata({}, wanted.metadata),
      discounts: (wanted.discounts ?? []).map(({ discount }) => ownDiscount(account, subscription, discount, name)),
    });
    start = end;
    return phase;
  });
}

/** In this model a phase can only keep what the subscription is reduced by. */
function ownDiscount(account: Account, subscription: Subscription, id: string, phase: string): string {
  const discount = account.find("discounts", "discount", id, `${phase}[discounts]`);
  if (discount.subscription === subscription.id) return id;
  throw invalidRequest(`The discount ${id} is of another subscription.`, `${phase}[discounts]`);
}

/** One period of its prices where nothing else is said. */
function endOf({ end_date, duration }: GivenPhase, start: number, interval: { unit: string; count: number }): number {
  if (end_date !== undefined) return end_date;
  if (!duration) return addIntervals(start, interval, 1);
  return addIntervals(start, { unit: duration.interval, count: duration.interval_count ?? 1 }, 1);
}
