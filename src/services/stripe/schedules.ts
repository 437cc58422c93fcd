import type { Stripe } from "stripe";

export interface Seats {
  quantity: number;
  /** Of the next period, where it is to be another price. */
  scheduledQuantity?: number;
}

/** Has as many from now on, and asks for more at once; what is to come is kept. */
export async function setSeats(stripe: Stripe, id: string, { quantity, scheduledQuantity }: Seats): Promise<void> {
  const { items, schedule } = await stripe.subscriptions.retrieve(id, { expand: ["schedule"] });
  const [item] = items.data;
  if (!item) return;
  // Else they would be had until the next invoice, which of a year is long, and may never be paid.
  const proration_behavior = quantity > (item.quantity ?? 1) ? "always_invoice" : "create_prorations";
  if (schedule === null || typeof schedule === "string") {
    await stripe.subscriptions.update(id, { items: [{ id: item.id, quantity }], proration_behavior });
    return;
  }
  const [present, ...later] = openPhases(schedule).map(keepPhase);
  if (!present) return;
  await stripe.subscriptionSchedules.update(schedule.id, {
    proration_behavior,
    phases: [
      withQuantity(present, quantity),
      ...later.map((phase) => (scheduledQuantity === undefined ? phase : withQuantity(phase, scheduledQuantity))),
    ],
  });
}

/** Another price with the next period. */
export async function scheduleChange(
  stripe: Stripe,
  id: string,
  item: { price: string; quantity: number },
  metadata: Record<string, string>,
): Promise<void> {
  const schedule = await stripe.subscriptionSchedules.create({ from_subscription: id });
  const [present] = openPhases(schedule).map(keepPhase);
  if (!present) throw new Error("a schedule without a phase");
  const { items: _items, trial_end: _trialEnd, end_date, ...settings } = present;
  await stripe.subscriptionSchedules.update(schedule.id, {
    end_behavior: "release",
    proration_behavior: "none",
    phases: [
      present,
      { ...settings, items: [item], metadata, ...(end_date !== undefined && { start_date: end_date }) },
    ],
  });
}

/** Takes back what was to come with the next period. */
export async function releaseSchedule(stripe: Stripe, { schedule }: Stripe.Subscription): Promise<void> {
  if (schedule) await stripe.subscriptionSchedules.release(typeof schedule === "string" ? schedule : schedule.id);
}

type Phase = Stripe.SubscriptionSchedule.Phase;
type PhaseParams = Stripe.SubscriptionScheduleUpdateParams.Phase;

/** From the present one on, as Stripe takes them. */
const openPhases = ({ phases, current_phase }: Stripe.SubscriptionSchedule): Phase[] =>
  phases.filter(({ end_date }) => end_date > (current_phase?.start_date ?? 0));

const idOf = (object: string | { id: string }): string => (typeof object === "string" ? object : object.id);

/** As it is: what a phase is not told again, it loses, such as its trial and its discounts. */
function keepPhase(phase: Phase): PhaseParams {
  const { default_payment_method: card, automatic_tax: tax, metadata } = phase;
  const rates = phase.default_tax_rates ?? [];
  return {
    start_date: phase.start_date,
    end_date: phase.end_date,
    items: phase.items.map(({ price, quantity, discounts, tax_rates: itemRates }) => ({
      price: idOf(price),
      ...(quantity !== undefined && { quantity }),
      ...(discounts.length > 0 && { discounts: keepDiscounts(discounts) }),
      ...(itemRates && itemRates.length > 0 && { tax_rates: itemRates.map(idOf) }),
    })),
    ...(metadata && { metadata }),
    ...(phase.trial_end && { trial_end: phase.trial_end }),
    ...(phase.discounts.length > 0 && { discounts: keepDiscounts(phase.discounts) }),
    ...(rates.length > 0 && { default_tax_rates: rates.map(idOf) }),
    ...(tax?.enabled && { automatic_tax: { enabled: true } }),
    ...(card && { default_payment_method: idOf(card) }),
    ...(phase.collection_method && { collection_method: phase.collection_method }),
  };
}

/** Those that have begun, so that they do not begin again. */
const keepDiscounts = (discounts: Phase["discounts"]) =>
  discounts.map(({ discount, coupon, promotion_code }) => ({
    ...(discount
      ? { discount: idOf(discount) }
      : promotion_code
        ? { promotion_code: idOf(promotion_code) }
        : coupon && { coupon: idOf(coupon) }),
  }));

const withQuantity = (phase: PhaseParams, quantity: number): PhaseParams => ({
  ...phase,
  items: phase.items.map((item) => ({ ...item, quantity })),
});
