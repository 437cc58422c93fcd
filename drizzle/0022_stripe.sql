CREATE TABLE "stripe_customers" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"organization_id" uuid,
	"customer_id" text,
	"ticket" bigint DEFAULT 0 NOT NULL,
	"applied_ticket" bigint DEFAULT 0 NOT NULL,
	"checkouts" integer DEFAULT 0 NOT NULL,
	"checkout_price_id" uuid,
	"checkout_session_id" text,
	"checkout_url" text,
	"checkout_expires_at" timestamp(3) with time zone,
	"due_at" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "stripe_customers_customer_id_length" CHECK (length(customer_id) between 1 and 255),
	CONSTRAINT "stripe_customers_tickets_given" CHECK (applied_ticket between 0 and ticket),
	CONSTRAINT "stripe_customers_checkout_whole" CHECK (num_nulls(checkout_url, checkout_expires_at) in (0, 2))
);
--> statement-breakpoint
ALTER TABLE "stripe_customers" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "stripe_events" (
	"id" text PRIMARY KEY NOT NULL,
	"type" text NOT NULL,
	"status" text NOT NULL,
	"attempts" integer DEFAULT 1 NOT NULL,
	"leased_until" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "stripe_events_id_length" CHECK (length(id) between 1 and 255),
	CONSTRAINT "stripe_events_type_length" CHECK (length(type) between 1 and 255),
	CONSTRAINT "stripe_events_status_known" CHECK (status in ('processing', 'done', 'failed', 'ignored')),
	CONSTRAINT "stripe_events_lease_of_what_is_processed" CHECK ((status = 'processing') = (leased_until is not null))
);
--> statement-breakpoint
ALTER TABLE "stripe_events" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "invoices" DROP CONSTRAINT "invoices_status_known";--> statement-breakpoint
ALTER TABLE "invoices" DROP CONSTRAINT "invoices_total_positive";--> statement-breakpoint
ALTER TABLE "subscriptions" DROP CONSTRAINT "subscriptions_provider_known";--> statement-breakpoint
ALTER TABLE "subscriptions" DROP CONSTRAINT "subscriptions_status_known";--> statement-breakpoint
DROP INDEX "subscriptions_trial_key";--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "provider_id" text;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "provider_number" text;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "url" text;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "provider_id" text;--> statement-breakpoint
ALTER TABLE "stripe_customers" ADD CONSTRAINT "stripe_customers_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_customers" ADD CONSTRAINT "stripe_customers_checkout_price_id_plan_prices_id_fk" FOREIGN KEY ("checkout_price_id") REFERENCES "public"."plan_prices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "stripe_customers_organization_id_key" ON "stripe_customers" USING btree ("organization_id");--> statement-breakpoint
CREATE UNIQUE INDEX "stripe_customers_customer_id_key" ON "stripe_customers" USING btree ("customer_id");--> statement-breakpoint
CREATE INDEX "stripe_customers_due_at_idx" ON "stripe_customers" USING btree ("due_at") WHERE due_at is not null;--> statement-breakpoint
CREATE INDEX "stripe_customers_checkout_price_id_idx" ON "stripe_customers" USING btree ("checkout_price_id") WHERE checkout_price_id is not null;--> statement-breakpoint
CREATE INDEX "stripe_events_created_at_idx" ON "stripe_events" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "invoices_provider_id_key" ON "invoices" USING btree ("provider_id") WHERE provider_id is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "subscriptions_provider_id_key" ON "subscriptions" USING btree ("provider_id") WHERE provider_id is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "subscriptions_trial_key" ON "subscriptions" USING btree ("organization_id") WHERE trial_ends_at is not null and provider = 'manual';--> statement-breakpoint
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_status_known" CHECK (status in ('open', 'paid', 'uncollectible', 'void'));--> statement-breakpoint
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_total_positive" CHECK (total > 0 or provider_id is not null);--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_provider_id_given" CHECK ((provider_id is null) = (provider = 'manual'));--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_provider_known" CHECK (provider in ('manual', 'stripe'));--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_status_known" CHECK (status in ('incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled'));