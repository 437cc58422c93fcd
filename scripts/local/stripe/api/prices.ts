import { z } from "zod";

import type { Account } from "../account.ts";
import { invalidRequest } from "../errors.ts";
import { newId } from "../ids.ts";
import { listPage } from "../listing.ts";
import { decimalOf, type Price, type Product } from "../objects.ts";
import { mergeMetadata, operation, type Operation } from "../operation.ts";
import { boolean, integer, list, metadata, object, page, text } from "../params.ts";

const productData = object({ name: text, metadata: metadata.optional() });

export const priceOperations: Operation[] = [
  operation(
    "POST",
    "/v1/prices",
    {
      currency: z.string().regex(/^[a-zA-Z]{3}$/),
      unit_amount: integer(0),
      active: boolean.optional(),
      lookup_key: text.max(200).optional(),
      transfer_lookup_key: boolean.optional(),
      metadata: metadata.optional(),
      nickname: text.optional(),
      product: text.optional(),
      product_data: productData.optional(),
      recurring: object({
        interval: z.enum(["day", "week", "month", "year"]),
        interval_count: integer(1, 1095).optional(),
      }).optional(),
      tax_behavior: z.enum(["exclusive", "inclusive", "unspecified"]).optional(),
    },
    ({ account }, params) => {
      const { lookup_key, recurring } = params;
      if ((params.product === undefined) === (params.product_data === undefined)) {
        throw invalidRequest("You must specify one of product and product_data.", "product", "parameter_missing");
      }
      const product =
        params.product === undefined ? undefined : account.find("products", "product", params.product, "product");
      if (lookup_key !== undefined) claimLookupKey(account, lookup_key, params.transfer_lookup_key ?? false);
      const price = {
        id: newId("price_"),
        object: "price",
        active: params.active ?? true,
        billing_scheme: "per_unit",
        created: account.now(),
        currency: params.currency.toLowerCase(),
        custom_unit_amount: null,
        livemode: false,
        lookup_key: lookup_key ?? null,
        metadata: mergeMetadata({}, params.metadata),
        nickname: params.nickname ?? null,
        product: product?.id ?? addProduct(account, params.product_data).id,
        recurring: recurring
          ? {
              interval: recurring.interval,
              interval_count: recurring.interval_count ?? 1,
              meter: null,
              trial_period_days: null,
              usage_type: "licensed",
            }
          : null,
        tax_behavior: params.tax_behavior ?? "unspecified",
        tiers_mode: null,
        transform_quantity: null,
        type: recurring ? "recurring" : "one_time",
        unit_amount: params.unit_amount,
        unit_amount_decimal: decimalOf(params.unit_amount),
      } satisfies Price;
      account.state.prices.set(price.id, price);
      account.emit("price.created", price);
      return price;
    },
  ),
  operation("GET", "/v1/prices/:id", {}, ({ account, id }) => account.find("prices", "price", id)),
  operation(
    "POST",
    "/v1/prices/:id",
    {
      active: boolean.optional(),
      lookup_key: text.max(200).optional(),
      transfer_lookup_key: boolean.optional(),
      metadata: metadata.optional(),
      nickname: text.optional(),
    },
    ({ account, id }, params) => {
      const price = account.find("prices", "price", id);
      const { lookup_key } = params;
      if (lookup_key !== undefined && lookup_key !== price.lookup_key) {
        claimLookupKey(account, lookup_key, params.transfer_lookup_key ?? false);
      }
      account.change(price, "price.updated", (changed) => {
        changed.active = params.active ?? changed.active;
        changed.lookup_key = lookup_key ?? changed.lookup_key;
        changed.nickname = params.nickname ?? changed.nickname;
        changed.metadata = mergeMetadata(changed.metadata, params.metadata);
      });
      return price;
    },
  ),
  operation(
    "GET",
    "/v1/prices",
    {
      ...page,
      active: boolean.optional(),
      lookup_keys: list(text).optional(),
      product: text.optional(),
      currency: text.optional(),
      type: z.enum(["one_time", "recurring"]).optional(),
    },
    ({ account }, { active, lookup_keys, product, currency, type, ...cursor }) => {
      if (lookup_keys && lookup_keys.length > 10) throw invalidRequest("At most 10 lookup keys.", "lookup_keys");
      const prices = [...account.state.prices.values()].filter(
        (price) =>
          (active === undefined || price.active === active) &&
          (!lookup_keys || (price.lookup_key !== null && lookup_keys.includes(price.lookup_key))) &&
          (product === undefined || price.product === product) &&
          (currency === undefined || price.currency === currency) &&
          (type === undefined || price.type === type),
      );
      return listPage(prices, "/v1/prices", cursor);
    },
  ),
  operation("POST", "/v1/products", productData.shape, ({ account }, params) => addProduct(account, params)),
  operation("GET", "/v1/products/:id", {}, ({ account, id }) => account.find("products", "product", id)),
];

function claimLookupKey(account: Account, key: string, isTransferred: boolean): void {
  const owner = [...account.state.prices.values()].find(({ lookup_key }) => lookup_key === key);
  if (!owner) return;
  if (!isTransferred) {
    throw invalidRequest(`A price (\`${owner.id}\`) already uses that lookup key.`, "lookup_key");
  }
  account.change(owner, "price.updated", (changed) => {
    changed.lookup_key = null;
  });
}

function addProduct(account: Account, data: z.output<typeof productData> | undefined): Product {
  const now = account.now();
  const product = {
    id: newId("prod_", 14),
    object: "product",
    active: true,
    created: now,
    default_price: null,
    description: null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: mergeMetadata({}, data?.metadata),
    name: data?.name ?? "",
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: "service",
    unit_label: null,
    updated: now,
    url: null,
  } satisfies Product;
  account.state.products.set(product.id, product);
  account.emit("product.created", product);
  return product;
}
