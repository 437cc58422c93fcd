import { z } from "zod";

import { couponOfCode, isRedeemable } from "../discounts.ts";
import { invalidRequest } from "../errors.ts";
import { newId } from "../ids.ts";
import { listPage } from "../listing.ts";
import type { Coupon, PromotionCode } from "../objects.ts";
import { mergeMetadata, operation, type Operation } from "../operation.ts";
import { boolean, decimal, integer, metadata, object, page, text, timestamp } from "../params.ts";

export const couponOperations: Operation[] = [
  operation(
    "POST",
    "/v1/coupons",
    {
      id: text.max(200).optional(),
      name: text.max(40).optional(),
      percent_off: decimal.refine((value) => value > 0 && value <= 100).optional(),
      amount_off: integer(1).optional(),
      currency: z
        .string()
        .regex(/^[a-zA-Z]{3}$/)
        .optional(),
      duration: z.enum(["forever", "once", "repeating"]).optional(),
      duration_in_months: integer(1, 1200).optional(),
      max_redemptions: integer(1).optional(),
      redeem_by: timestamp.optional(),
      metadata: metadata.optional(),
    },
    ({ account }, params) => {
      const { amount_off, currency, percent_off, duration = "once", duration_in_months } = params;
      if ((amount_off === undefined) === (percent_off === undefined)) {
        throw invalidRequest("You must pass either percent_off or amount_off.", "percent_off", "parameter_missing");
      }
      if (amount_off !== undefined && currency === undefined) {
        throw invalidRequest("You must pass currency when passing amount_off.", "currency", "parameter_missing");
      }
      if ((duration === "repeating") !== (duration_in_months !== undefined)) {
        throw invalidRequest("duration_in_months goes with duration=repeating, and only so.", "duration_in_months");
      }
      const id = params.id ?? newId("", 8);
      if (account.state.coupons.has(id)) {
        throw invalidRequest(`Coupon already exists.`, "id", "resource_already_exists");
      }
      const coupon = {
        id,
        object: "coupon",
        amount_off: amount_off ?? null,
        created: account.now(),
        currency: currency?.toLowerCase() ?? null,
        duration,
        duration_in_months: duration_in_months ?? null,
        livemode: false,
        max_redemptions: params.max_redemptions ?? null,
        metadata: mergeMetadata({}, params.metadata),
        name: params.name ?? null,
        percent_off: percent_off ?? null,
        redeem_by: params.redeem_by ?? null,
        times_redeemed: 0,
        valid: true,
      } satisfies Coupon;
      account.state.coupons.set(id, coupon);
      account.emit("coupon.created", coupon);
      return coupon;
    },
  ),
  operation("GET", "/v1/coupons/:id", {}, ({ account, id }) => account.find("coupons", "coupon", id)),
  operation(
    "POST",
    "/v1/promotion_codes",
    {
      promotion: object({ type: z.literal("coupon"), coupon: text }),
      code: z
        .string()
        .regex(/^[a-zA-Z0-9-]{1,500}$/)
        .optional(),
      active: boolean.optional(),
      expires_at: timestamp.optional(),
      max_redemptions: integer(1).optional(),
      metadata: metadata.optional(),
    },
    ({ account }, params) => {
      const coupon = account.find("coupons", "coupon", params.promotion.coupon, "promotion[coupon]");
      if (!isRedeemable(account, coupon)) {
        throw invalidRequest(`Coupon expired: ${coupon.id}`, "promotion[coupon]", "coupon_expired");
      }
      const code = params.code ?? newId("", 8).toUpperCase();
      const isTaken = [...account.state.promotionCodes.values()].some(
        (other) => other.active && other.code.toLowerCase() === code.toLowerCase(),
      );
      if (isTaken) throw invalidRequest(`An active promotion code with \`code: ${code}\` already exists.`, "code");
      const promotionCode = {
        id: newId("promo_"),
        object: "promotion_code",
        active: params.active ?? true,
        code,
        created: account.now(),
        customer: null,
        customer_account: null,
        expires_at: params.expires_at ?? null,
        livemode: false,
        max_redemptions: params.max_redemptions ?? null,
        metadata: mergeMetadata({}, params.metadata),
        promotion: { coupon: coupon.id, type: "coupon" },
        restrictions: { first_time_transaction: false, minimum_amount: null, minimum_amount_currency: null },
        times_redeemed: 0,
      } satisfies PromotionCode;
      account.state.promotionCodes.set(promotionCode.id, promotionCode);
      account.emit("promotion_code.created", promotionCode);
      return promotionCode;
    },
  ),
  operation(
    "GET",
    "/v1/promotion_codes",
    { ...page, active: boolean.optional(), code: text.optional(), coupon: text.optional() },
    ({ account }, { active, code, coupon, ...cursor }) => {
      const codes = [...account.state.promotionCodes.values()].filter(
        (other) =>
          (active === undefined || other.active === active) &&
          (code === undefined || other.code.toLowerCase() === code.toLowerCase()) &&
          (coupon === undefined || couponOfCode(account, other).id === coupon),
      );
      return listPage(codes, "/v1/promotion_codes", cursor);
    },
  ),
  operation("GET", "/v1/promotion_codes/:id", {}, ({ account, id }) =>
    account.find("promotionCodes", "promotion code", id),
  ),
  operation(
    "POST",
    "/v1/promotion_codes/:id",
    { active: boolean.optional(), metadata: metadata.optional() },
    ({ account, id }, params) => {
      const code = account.find("promotionCodes", "promotion code", id);
      account.change(code, "promotion_code.updated", (changed) => {
        changed.active = params.active ?? changed.active;
        changed.metadata = mergeMetadata(changed.metadata ?? {}, params.metadata);
      });
      return code;
    },
  ),
];
