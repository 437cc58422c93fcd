CREATE TABLE "features" (
	"key" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"position" integer NOT NULL,
	"archived_at" timestamp(3) with time zone,
	CONSTRAINT "features_key_kind_key" UNIQUE("key","kind"),
	CONSTRAINT "features_key_shape" CHECK (key ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(key) <= 50),
	CONSTRAINT "features_kind_known" CHECK (kind in ('boolean', 'number', 'metered')),
	CONSTRAINT "features_name_length" CHECK (length(name) between 1 and 100)
);
--> statement-breakpoint
ALTER TABLE "features" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "plan_features" (
	"plan_id" uuid NOT NULL,
	"feature_key" text NOT NULL,
	"kind" text NOT NULL,
	"limit" numeric,
	"per" text,
	CONSTRAINT "plan_features_feature_key_plan_id_pk" PRIMARY KEY("feature_key","plan_id"),
	CONSTRAINT "plan_features_kind_kept" CHECK (case kind when 'boolean' then "limit" is null and per is null
        when 'number' then per is null and "limit" = trunc("limit") is not false and "limit" <= 9007199254740991 is not false
        else per is not null end),
	CONSTRAINT "plan_features_limit_bounded" CHECK ("limit" >= 0 and "limit" < 1e30 and scale("limit") <= 9),
	CONSTRAINT "plan_features_per_known" CHECK (per in ('day', 'month', 'year'))
);
--> statement-breakpoint
ALTER TABLE "plan_features" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "plan_prices" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"plan_id" uuid NOT NULL,
	"currency" text NOT NULL,
	"interval" text NOT NULL,
	"unit_amount" bigint NOT NULL,
	"per_seat" boolean NOT NULL,
	CONSTRAINT "plan_prices_currency_shape" CHECK (currency ~ '^[a-z]{3}$'),
	CONSTRAINT "plan_prices_interval_known" CHECK (interval in ('month', 'year')),
	CONSTRAINT "plan_prices_unit_amount_bounded" CHECK (unit_amount between 1 and 99999999)
);
--> statement-breakpoint
ALTER TABLE "plan_prices" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "plans" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"key" text NOT NULL,
	"version" integer NOT NULL,
	"name" text NOT NULL,
	"description" text NOT NULL,
	"trial_days" integer NOT NULL,
	"is_default" boolean NOT NULL,
	"is_public" boolean NOT NULL,
	"position" integer NOT NULL,
	"managed_by" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"archived_at" timestamp(3) with time zone,
	CONSTRAINT "plans_key_version_key" UNIQUE("key","version"),
	CONSTRAINT "plans_key_shape" CHECK (key ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(key) <= 50),
	CONSTRAINT "plans_version_positive" CHECK (version > 0),
	CONSTRAINT "plans_name_length" CHECK (length(name) between 1 and 100),
	CONSTRAINT "plans_description_length" CHECK (length(description) <= 500),
	CONSTRAINT "plans_trial_days_bounded" CHECK (trial_days between 0 and 730),
	CONSTRAINT "plans_managed_by_known" CHECK (managed_by in ('file', 'platform'))
);
--> statement-breakpoint
ALTER TABLE "plans" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "plan_features" ADD CONSTRAINT "plan_features_plan_id_plans_id_fk" FOREIGN KEY ("plan_id") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plan_features" ADD CONSTRAINT "plan_features_feature_fkey" FOREIGN KEY ("feature_key","kind") REFERENCES "public"."features"("key","kind") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plan_prices" ADD CONSTRAINT "plan_prices_plan_id_plans_id_fk" FOREIGN KEY ("plan_id") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "plan_features_plan_id_idx" ON "plan_features" USING btree ("plan_id");--> statement-breakpoint
CREATE UNIQUE INDEX "plan_prices_plan_id_currency_interval_key" ON "plan_prices" USING btree ("plan_id","currency","interval");--> statement-breakpoint
CREATE UNIQUE INDEX "plans_sold_key" ON "plans" USING btree ("key") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "plans_public_idx" ON "plans" USING btree ("id") WHERE archived_at is null and is_public;--> statement-breakpoint
CREATE UNIQUE INDEX "plans_default_key" ON "plans" USING btree ("is_default") WHERE is_default and archived_at is null;