import { addIntervals } from "./calendar.ts";
import type { Account } from "./account.ts";
import { couponOf } from "./totals.ts";
import { newId } from "./ids.ts";
import type { Coupon, Discount, PromotionCode, Subscription } from "./objects.ts";

/** The code as a customer types it, or undefined when it is not, or no longer, good for anything. */
export function findPromotionCode(account: Account, code: string): PromotionCode | undefined {
  const wanted = code.trim().toLowerCase();
  const found = [...account.state.promotionCodes.values()].find((other) => other.code.toLowerCase() === wanted);
  if (!found?.active || isUsedUp(found) || (found.expires_at ?? Infinity) <= account.now()) return undefined;
  return isRedeemable(account, couponOfCode(account, found)) ? found : undefined;
}

export function couponOfCode(account: Account, { promotion }: PromotionCode): Coupon {
  // Stored promotion codes hold ids.
  return account.find("coupons", "coupon", promotion.coupon as string);
}

export function isRedeemable(account: Account, coupon: Coupon): boolean {
  return coupon.valid && !isUsedUp(coupon) && (coupon.redeem_by ?? Infinity) > account.now();
}

function isUsedUp({ max_redemptions, times_redeemed }: { max_redemptions: number | null; times_redeemed: number }) {
  return max_redemptions !== null && times_redeemed >= max_redemptions;
}

/** A discount that is not yet on anything, as a checkout page shows it. */
export function draftDiscount(account: Account, code: PromotionCode, checkoutSession: string): Discount {
  const coupon = couponOfCode(account, code);
  const start = account.now();
  const months = coupon.duration === "repeating" ? (coupon.duration_in_months ?? 1) : undefined;
  return {
    id: newId("di_"),
    object: "discount",
    checkout_session: checkoutSession,
    customer: null,
    customer_account: null,
    end: months === undefined ? null : addIntervals(start, { unit: "month", count: 1 }, months),
    invoice: null,
    invoice_item: null,
    promotion_code: code.id,
    source: { coupon: coupon.id, type: "coupon" },
    start,
    subscription: null,
    subscription_item: null,
  } satisfies Discount;
}

/** Puts it on the subscription, and counts the redemption. */
export function redeem(account: Account, discount: Discount, code: PromotionCode, subscription: Subscription): void {
  discount.customer = subscription.customer;
  discount.subscription = subscription.id;
  account.state.discounts.set(discount.id, discount);
  code.times_redeemed += 1;
  couponOfCode(account, code).times_redeemed += 1;
}

/** Those that the subscription's next invoice has. */
export function currentDiscounts(account: Account, { discounts }: Subscription): Discount[] {
  return discounts
    .map((id) => account.find("discounts", "discount", id))
    .filter(({ end }) => end === null || end > account.now());
}

/** Without those that were for one invoice, and those that have ended. */
export function withoutUsedDiscounts(account: Account, { discounts }: Subscription): string[] {
  return discounts.filter((id) => {
    const discount = account.find("discounts", "discount", id);
    if (couponOf(account, discount).duration === "once") return false;
    return discount.end === null || discount.end > account.now();
  });
}
