/**
 * What plans are made of. A `boolean` one is had or not, a `number` is a ceiling, a `metered` one is what its meter counts. A key is
 * of its kind for good.
 */
export type FeatureDefinition = {
  /** For people. */
  name: string;
} & ({ kind: "boolean" | "number" } | { kind: "metered"; meter: MeterDefinition });

/** How usage is counted. Once a plan was sold with it, its aggregation and its reset stay. */
export interface MeterDefinition {
  /** What one of it is, for people: `request`, `GB`. */
  unit: string;
  /** How many values become one; `unique` counts the different ones. */
  aggregation: "sum" | "count" | "max" | "last" | "unique";
  /** What usage can be told apart by: at most ten, camelCase. */
  dimensions: readonly string[];
  /** When it is counted anew: with periods from the subscription's first day on, with the calendar's months in UTC, or never. */
  reset: "period" | "month" | "never";
}

/** How much of a feature: true of a boolean, of a number null for any. */
type Amount<Kind> = Kind extends "boolean"
  ? true
  : Kind extends "number"
    ? number | null
    : {
        /** A decimal number, or null for any amount. */
        limit: string | null;
        /** Of a meter that is counted anew each month `month`, of one that never is `lifetime`; a day is one in UTC. */
        per: "day" | "month" | "year" | "lifetime";
      };

export interface PriceDefinition {
  /** ISO 4217, in small letters. */
  currency: string;
  interval: "month" | "year";
  /** In the currency's smallest unit. */
  unitAmount: number;
  /** Whether it is for each seat. */
  perSeat: boolean;
}

export interface PlanDefinition {
  /** What it is known by, for good. */
  key: string;
  name: string;
  description: string;
  /** 0 for none. */
  trialDays: number;
  /** What organizations have without a subscription: one plan, without prices. */
  isDefault: boolean;
  /** Whether anybody sees it. */
  isPublic: boolean;
  prices: PriceDefinition[];
  features: { [Key in Feature]?: Amount<(typeof features)[Key]["kind"]> };
}

export const features = {
  members: { kind: "number", name: "Members" },
  teams: { kind: "number", name: "Teams" },
  "api-requests": {
    kind: "metered",
    name: "API requests",
    meter: { unit: "request", aggregation: "sum", dimensions: [], reset: "period" },
  },
  sso: { kind: "boolean", name: "Sign-in with a company's own identity provider" },
} as const satisfies Record<string, FeatureDefinition>;

export type Feature = keyof typeof features;

/**
 * What is sold, in the order in which it is shown. `npm run db:plans` brings it into the database: other terms (trial, prices,
 * features) become a new version, and whoever bought the one before keeps it; what is no longer here is no longer sold.
 */
export const plans: PlanDefinition[] = [
  {
    key: "free",
    name: "Free",
    description: "To try it out.",
    trialDays: 0,
    isDefault: true,
    isPublic: true,
    prices: [],
    features: { members: null, teams: null, "api-requests": { limit: "10000", per: "month" }, sso: true },
  },
  {
    key: "pro",
    name: "Pro",
    description: "For teams that work with it every day.",
    trialDays: 14,
    isDefault: false,
    isPublic: true,
    prices: [
      { currency: "usd", interval: "month", unitAmount: 1200, perSeat: true },
      { currency: "usd", interval: "year", unitAmount: 12_000, perSeat: true },
    ],
    features: { members: null, teams: null, "api-requests": { limit: "1000000", per: "month" }, sso: true },
  },
];
