import type { Account } from "./account.ts";
import type { AccountState } from "./account-state.ts";
import { invalidRequest } from "./errors.ts";
import { wholeList } from "./objects.ts";

type Json = Record<string, unknown>;

/** Where the objects behind ids are. */
const tables: [RegExp, keyof AccountState][] = [
  [/^cus_/, "customers"],
  [/^prod_/, "products"],
  [/^price_/, "prices"],
  [/^sub_sched_/, "schedules"],
  [/^sub_/, "subscriptions"],
  [/^in_/, "invoices"],
  [/^cs_/, "checkoutSessions"],
  [/^di_/, "discounts"],
  [/^promo_/, "promotionCodes"],
];
const maxDepth = 4;

/**
 * A copy of the answer in which the paths lead to whole objects instead of ids.
 *
 * @throws StripeError 400 for a path that leads nowhere
 */
export function expand(account: Account, answer: object, paths: string[]): object {
  const copy = structuredClone(answer);
  for (const path of paths) {
    const parts = path.split(".");
    if (parts.length > maxDepth + 1) {
      throw invalidRequest(`You cannot expand more than ${maxDepth} levels of a property.`, "expand");
    }
    // An object of the API, whose members are looked at one by one.
    expandPath(account, copy as Json, parts, path);
  }
  return copy;
}

function expandPath(account: Account, parent: Json, [name = "", ...rest]: string[], path: string): void {
  if (parent["object"] === "checkout.session" && name === "line_items") {
    const id = String(parent["id"]);
    const items = structuredClone(account.state.orders.get(id)?.lineItems ?? []);
    parent[name] ??= wholeList(items, `/v1/checkout/sessions/${id}/line_items`);
  }
  if (!(name in parent)) throw notExpandable(name);
  const value = parent[name];
  if (value === null) return;
  if (Array.isArray(value)) {
    parent[name] = value.map((item: unknown) => expandValue(account, item, rest, path, name));
    return;
  }
  parent[name] = expandValue(account, value, rest, path, name);
}

function expandValue(account: Account, value: unknown, rest: string[], path: string, name: string): unknown {
  const object = typeof value === "string" ? lookUp(account, value, name) : value;
  if (typeof object !== "object" || object === null) throw notExpandable(name);
  // Checked just now.
  if (rest.length > 0) expandPath(account, object as Json, rest, path);
  return object;
}

function lookUp(account: Account, id: string, name: string): unknown {
  const table = tables.find(([pattern]) => pattern.test(id))?.[1];
  // Coupons have ids of any form.
  const rows: unknown = account.state[table ?? (name === "coupon" ? "coupons" : "prices")];
  const found: unknown = rows instanceof Map ? rows.get(id) : undefined;
  if (found === undefined) throw notExpandable(name);
  return structuredClone(found);
}

function notExpandable(name: string): Error {
  return invalidRequest(`This property cannot be expanded (${name}).`, "expand");
}
