CREATE TABLE "api_keys" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"user_id" uuid,
	"created_by" uuid,
	"name" text NOT NULL,
	"scopes" text[] NOT NULL,
	"rate_limit" integer,
	"lifetime_days" integer,
	"hint" text NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"previous_key_hash" "bytea",
	"previous_expires_at" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"rotated_at" timestamp(3) with time zone,
	"expires_at" timestamp(3) with time zone,
	"last_used_at" timestamp(3) with time zone,
	CONSTRAINT "api_keys_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "api_keys_key_hash_key" UNIQUE("key_hash"),
	CONSTRAINT "api_keys_previous_key_hash_key" UNIQUE("previous_key_hash"),
	CONSTRAINT "api_keys_name_length" CHECK (length(name) between 1 and 100),
	CONSTRAINT "api_keys_scopes_bounded" CHECK (cardinality(scopes) >= 1 and not 'organization:own' = any (scopes)),
	CONSTRAINT "api_keys_rate_limit_bounded" CHECK (rate_limit between 1 and 100000),
	CONSTRAINT "api_keys_lifetime_days_bounded" CHECK (lifetime_days between 1 and 365),
	CONSTRAINT "api_keys_expires_at_given" CHECK ((lifetime_days is null) = (expires_at is null)),
	CONSTRAINT "api_keys_previous_whole" CHECK (num_nulls(previous_key_hash, previous_expires_at) in (0, 2)),
	CONSTRAINT "api_keys_hint_length" CHECK (length(hint) = 4),
	CONSTRAINT "api_keys_key_hash_length" CHECK (length(key_hash) = 32),
	CONSTRAINT "api_keys_previous_key_hash_length" CHECK (length(previous_key_hash) = 32)
);
--> statement-breakpoint
ALTER TABLE "api_keys" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_membership_fkey" FOREIGN KEY ("organization_id","user_id") REFERENCES "public"."memberships"("organization_id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_keys_user_id_organization_id_idx" ON "api_keys" USING btree ("user_id","organization_id");--> statement-breakpoint
CREATE INDEX "api_keys_created_by_id_idx" ON "api_keys" USING btree ("created_by","id");--> statement-breakpoint
CREATE INDEX "api_keys_expires_at_idx" ON "api_keys" USING btree ("expires_at");