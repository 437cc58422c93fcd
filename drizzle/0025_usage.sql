CREATE TABLE "usage_corrections" (
	"organization_id" uuid NOT NULL,
	"id" uuid DEFAULT uuidv7() NOT NULL,
	"source" text NOT NULL,
	"source_id" text NOT NULL,
	"value" text,
	"reason" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "usage_corrections_id_organization_id_pk" PRIMARY KEY("id","organization_id"),
	CONSTRAINT "usage_corrections_reason_length" CHECK (length(reason) between 1 and 500),
	CONSTRAINT "usage_corrections_value_shape" CHECK (value ~ '^[0-9]{1,21}([.][0-9]{1,9})?$')
);
--> statement-breakpoint
ALTER TABLE "usage_corrections" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "usage_counters" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"meter" text NOT NULL,
	"started_at" timestamp(3) with time zone NOT NULL,
	"ends_at" timestamp(3) with time zone NOT NULL,
	"used" numeric NOT NULL,
	CONSTRAINT "usage_counters_period_whole" CHECK (started_at < ends_at),
	CONSTRAINT "usage_counters_used_positive" CHECK (used >= 0)
);
--> statement-breakpoint
ALTER TABLE "usage_counters" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "usage_events" (
	"organization_id" uuid NOT NULL,
	"source" text NOT NULL,
	"source_id" text NOT NULL,
	"meter" text NOT NULL,
	"occurred_at" timestamp(3) with time zone NOT NULL,
	"value" numeric,
	"corrected_value" numeric,
	"is_void" boolean DEFAULT false NOT NULL,
	"unique_value" text,
	"dimensions" jsonb NOT NULL,
	"subject" text,
	"digest" "bytea" NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "usage_events_organization_id_source_source_id_pk" PRIMARY KEY("organization_id","source","source_id"),
	CONSTRAINT "usage_events_source_length" CHECK (length(source) between 1 and 200),
	CONSTRAINT "usage_events_source_id_length" CHECK (length(source_id) between 1 and 200),
	CONSTRAINT "usage_events_unique_value_length" CHECK (length(unique_value) between 1 and 200),
	CONSTRAINT "usage_events_subject_length" CHECK (length(subject) between 1 and 200),
	CONSTRAINT "usage_events_value_bounded" CHECK (value >= 0 and value < 1e21 and scale(value) <= 9),
	CONSTRAINT "usage_events_corrected_value_bounded" CHECK (corrected_value >= 0 and corrected_value < 1e21 and scale(corrected_value) <= 9),
	CONSTRAINT "usage_events_one_value" CHECK (num_nonnulls(value, unique_value) <= 1),
	CONSTRAINT "usage_events_corrected_kind" CHECK (corrected_value is null or value is not null and not is_void),
	CONSTRAINT "usage_events_dimensions_object" CHECK (jsonb_typeof(dimensions) = 'object')
);
--> statement-breakpoint
ALTER TABLE "usage_events" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "usage_reservations" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"meter" text NOT NULL,
	"value" numeric NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "usage_reservations_id_organization_id_pk" PRIMARY KEY("id","organization_id"),
	CONSTRAINT "usage_reservations_value_bounded" CHECK (value > 0 and value < 1e21 and scale(value) <= 9)
);
--> statement-breakpoint
ALTER TABLE "usage_reservations" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "usage_rollups" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"meter" text NOT NULL,
	"size" text NOT NULL,
	"started_at" timestamp(3) with time zone NOT NULL,
	"key" "bytea" NOT NULL,
	"dimensions" jsonb NOT NULL,
	"unique_value" text,
	"events" bigint NOT NULL,
	"sum" numeric,
	"max" numeric,
	"last" numeric,
	"last_at" timestamp(3) with time zone,
	"last_name" text,
	CONSTRAINT "usage_rollups_size_known" CHECK (size in ('quarter', 'day')),
	CONSTRAINT "usage_rollups_events_positive" CHECK (events >= 0),
	CONSTRAINT "usage_rollups_last_whole" CHECK (num_nonnulls(last, last_at, last_name) in (0, 3))
);
--> statement-breakpoint
ALTER TABLE "usage_rollups" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "usage_corrections" ADD CONSTRAINT "usage_corrections_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_corrections" ADD CONSTRAINT "usage_corrections_event_fkey" FOREIGN KEY ("organization_id","source","source_id") REFERENCES "public"."usage_events"("organization_id","source","source_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_counters" ADD CONSTRAINT "usage_counters_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_counters" ADD CONSTRAINT "usage_counters_meter_features_key_fk" FOREIGN KEY ("meter") REFERENCES "public"."features"("key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_events" ADD CONSTRAINT "usage_events_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_reservations" ADD CONSTRAINT "usage_reservations_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_reservations" ADD CONSTRAINT "usage_reservations_meter_features_key_fk" FOREIGN KEY ("meter") REFERENCES "public"."features"("key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_rollups" ADD CONSTRAINT "usage_rollups_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_rollups" ADD CONSTRAINT "usage_rollups_meter_features_key_fk" FOREIGN KEY ("meter") REFERENCES "public"."features"("key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "usage_corrections_organization_id_source_source_id_idx" ON "usage_corrections" USING btree ("organization_id","source","source_id");--> statement-breakpoint
CREATE UNIQUE INDEX "usage_counters_organization_id_meter_period_key" ON "usage_counters" USING btree ("organization_id","meter","started_at","ends_at");--> statement-breakpoint
CREATE INDEX "usage_events_organization_id_meter_occurred_at_idx" ON "usage_events" USING btree ("organization_id","meter","occurred_at");--> statement-breakpoint
CREATE INDEX "usage_events_organization_id_meter_unique_value_idx" ON "usage_events" USING btree ("organization_id","meter","unique_value","occurred_at") WHERE unique_value is not null;--> statement-breakpoint
CREATE INDEX "usage_reservations_organization_id_meter_expires_at_idx" ON "usage_reservations" USING btree ("organization_id","meter","expires_at");--> statement-breakpoint
CREATE INDEX "usage_reservations_expires_at_idx" ON "usage_reservations" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "usage_rollups_organization_id_meter_size_started_at_key" ON "usage_rollups" USING btree ("organization_id","meter","size","started_at","key");