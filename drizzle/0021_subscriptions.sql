CREATE TABLE "invoices" (
	"organization_id" uuid NOT NULL,
	"id" uuid PRIMARY KEY NOT NULL,
	"subscription_id" uuid NOT NULL,
	"price_id" uuid,
	"number" integer NOT NULL,
	"status" text NOT NULL,
	"currency" text NOT NULL,
	"total" bigint NOT NULL,
	"lines" jsonb NOT NULL,
	"period_starts_at" timestamp(3) with time zone NOT NULL,
	"period_ends_at" timestamp(3) with time zone NOT NULL,
	"due_at" timestamp(3) with time zone NOT NULL,
	"paid_at" timestamp(3) with time zone,
	"payment_reference" text,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "invoices_number_positive" CHECK (number > 0),
	CONSTRAINT "invoices_status_known" CHECK (status in ('open', 'paid', 'void')),
	CONSTRAINT "invoices_paid_at_given" CHECK ((status = 'paid') = (paid_at is not null)),
	CONSTRAINT "invoices_payment_reference_length" CHECK (length(payment_reference) between 1 and 100),
	CONSTRAINT "invoices_total_positive" CHECK (total > 0)
);
--> statement-breakpoint
ALTER TABLE "invoices" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"price_id" uuid NOT NULL,
	"scheduled_price_id" uuid,
	"provider" text NOT NULL,
	"status" text NOT NULL,
	"quantity" integer NOT NULL,
	"trial_ends_at" timestamp(3) with time zone,
	"anchor_at" timestamp(3) with time zone NOT NULL,
	"period_started_at" timestamp(3) with time zone NOT NULL,
	"period_ends_at" timestamp(3) with time zone NOT NULL,
	"grace_ends_at" timestamp(3) with time zone,
	"cancel_at_period_end" boolean DEFAULT false NOT NULL,
	"canceled_at" timestamp(3) with time zone,
	"ended_at" timestamp(3) with time zone,
	"due_at" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "subscriptions_id_organization_id_pk" PRIMARY KEY("id","organization_id"),
	CONSTRAINT "subscriptions_provider_known" CHECK (provider in ('manual')),
	CONSTRAINT "subscriptions_status_known" CHECK (status in ('incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'unpaid', 'canceled')),
	CONSTRAINT "subscriptions_quantity_positive" CHECK (quantity > 0),
	CONSTRAINT "subscriptions_period_lasts" CHECK (period_ends_at > period_started_at),
	CONSTRAINT "subscriptions_trial_ends" CHECK (status <> 'trialing' or trial_ends_at is not null),
	CONSTRAINT "subscriptions_grace_given" CHECK (status <> 'past_due' or grace_ends_at is not null),
	CONSTRAINT "subscriptions_schedule_lives" CHECK (scheduled_price_id is null or ended_at is null and not cancel_at_period_end),
	CONSTRAINT "subscriptions_end_kept" CHECK ((ended_at is not null) = (status in ('incomplete_expired', 'canceled'))),
	CONSTRAINT "subscriptions_ended_not_due" CHECK (ended_at is null or due_at is null)
);
--> statement-breakpoint
ALTER TABLE "subscriptions" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_price_id_plan_prices_id_fk" FOREIGN KEY ("price_id") REFERENCES "public"."plan_prices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_subscription_fkey" FOREIGN KEY ("subscription_id","organization_id") REFERENCES "public"."subscriptions"("id","organization_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_price_id_plan_prices_id_fk" FOREIGN KEY ("price_id") REFERENCES "public"."plan_prices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_scheduled_price_id_plan_prices_id_fk" FOREIGN KEY ("scheduled_price_id") REFERENCES "public"."plan_prices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "invoices_organization_id_number_key" ON "invoices" USING btree ("organization_id","number");--> statement-breakpoint
CREATE INDEX "invoices_open_idx" ON "invoices" USING btree ("id") WHERE status = 'open';--> statement-breakpoint
CREATE INDEX "invoices_price_id_idx" ON "invoices" USING btree ("price_id") WHERE price_id is not null;--> statement-breakpoint
CREATE INDEX "invoices_subscription_id_organization_id_idx" ON "invoices" USING btree ("subscription_id","organization_id");--> statement-breakpoint
CREATE INDEX "subscriptions_organization_id_id_idx" ON "subscriptions" USING btree ("organization_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "subscriptions_live_key" ON "subscriptions" USING btree ("organization_id") WHERE ended_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "subscriptions_trial_key" ON "subscriptions" USING btree ("organization_id") WHERE trial_ends_at is not null;--> statement-breakpoint
CREATE INDEX "subscriptions_due_at_idx" ON "subscriptions" USING btree ("due_at") WHERE due_at is not null;--> statement-breakpoint
CREATE INDEX "subscriptions_price_id_idx" ON "subscriptions" USING btree ("price_id");--> statement-breakpoint
CREATE INDEX "subscriptions_scheduled_price_id_idx" ON "subscriptions" USING btree ("scheduled_price_id") WHERE scheduled_price_id is not null;