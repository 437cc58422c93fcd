CREATE TABLE "webhook_endpoints" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"url" text NOT NULL,
	"description" text NOT NULL,
	"event_types" text[] NOT NULL,
	"sealed_secret" "bytea" NOT NULL,
	"previous_sealed_secret" "bytea",
	"previous_expires_at" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"failing_since" timestamp(3) with time zone,
	"disabled_at" timestamp(3) with time zone,
	"disabled_reason" text,
	CONSTRAINT "webhook_endpoints_id_organization_id_pk" PRIMARY KEY("id","organization_id"),
	CONSTRAINT "webhook_endpoints_url_length" CHECK (length(url) between 8 and 2048),
	CONSTRAINT "webhook_endpoints_description_length" CHECK (length(description) <= 200),
	CONSTRAINT "webhook_endpoints_event_types_bounded" CHECK (cardinality(event_types) <= 100 and length(event_types::text) <= 8000),
	CONSTRAINT "webhook_endpoints_sealed_secret_length" CHECK (length(sealed_secret) <= 256),
	CONSTRAINT "webhook_endpoints_previous_sealed_secret_length" CHECK (length(previous_sealed_secret) <= 256),
	CONSTRAINT "webhook_endpoints_previous_whole" CHECK (num_nulls(previous_sealed_secret, previous_expires_at) in (0, 2)),
	CONSTRAINT "webhook_endpoints_disabled_reason_known" CHECK (disabled_reason in ('failing', 'gone'))
);
--> statement-breakpoint
ALTER TABLE "webhook_endpoints" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "webhook_messages" (
	"organization_id" uuid NOT NULL,
	"id" uuid DEFAULT uuidv7() NOT NULL,
	"endpoint_id" uuid NOT NULL,
	"type" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"payload" json NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp(3) with time zone,
	"leased_until" timestamp(3) with time zone,
	"settled_at" timestamp(3) with time zone,
	"log" jsonb DEFAULT '[]' NOT NULL,
	CONSTRAINT "webhook_messages_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "webhook_messages_status_known" CHECK (status in ('pending', 'delivered', 'dead')),
	CONSTRAINT "webhook_messages_settled" CHECK ((status = 'pending') = (settled_at is null))
);
--> statement-breakpoint
ALTER TABLE "webhook_messages" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_messages" ADD CONSTRAINT "webhook_messages_endpoint_fkey" FOREIGN KEY ("endpoint_id","organization_id") REFERENCES "public"."webhook_endpoints"("id","organization_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "webhook_endpoints_organization_id_id_idx" ON "webhook_endpoints" USING btree ("organization_id","id");--> statement-breakpoint
CREATE INDEX "webhook_endpoints_disabled_at_idx" ON "webhook_endpoints" USING btree ("disabled_at") WHERE disabled_at is not null;--> statement-breakpoint
CREATE INDEX "webhook_messages_organization_id_endpoint_id_id_idx" ON "webhook_messages" USING btree ("organization_id","endpoint_id","id");--> statement-breakpoint
CREATE INDEX "webhook_messages_organization_id_endpoint_id_status_id_idx" ON "webhook_messages" USING btree ("organization_id","endpoint_id","status","id");--> statement-breakpoint
CREATE INDEX "webhook_messages_pending_idx" ON "webhook_messages" USING btree ("organization_id","endpoint_id","subject_id","id") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "webhook_messages_due_idx" ON "webhook_messages" USING btree ("organization_id","endpoint_id","next_attempt_at") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "webhook_messages_id_idx" ON "webhook_messages" USING btree ("id");