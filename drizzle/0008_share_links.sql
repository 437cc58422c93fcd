CREATE TABLE "share_links" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"roles" text[] NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"allowed_domains" text[] NOT NULL,
	"max_uses" integer NOT NULL,
	"uses" integer DEFAULT 0 NOT NULL,
	"created_by" uuid,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "share_links_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "share_links_key_hash_key" UNIQUE("key_hash"),
	CONSTRAINT "share_links_roles_given" CHECK (cardinality(roles) between 1 and 10 and not 'owner' = any (roles)),
	CONSTRAINT "share_links_allowed_domains_bounded" CHECK (cardinality(allowed_domains) <= 20),
	CONSTRAINT "share_links_uses_bounded" CHECK (uses between 0 and max_uses and max_uses between 1 and 1000),
	CONSTRAINT "share_links_expires_in_time" CHECK (expires_at <= created_at + interval '30 days'),
	CONSTRAINT "share_links_key_hash_length" CHECK (length(key_hash) = 32)
);
--> statement-breakpoint
ALTER TABLE "share_links" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "memberships" DROP CONSTRAINT "memberships_joined_by_known";--> statement-breakpoint
ALTER TABLE "memberships" DROP CONSTRAINT "memberships_invited_by_given";--> statement-breakpoint
ALTER TABLE "share_links" ADD CONSTRAINT "share_links_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "share_links" ADD CONSTRAINT "share_links_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "share_links_created_by_id_idx" ON "share_links" USING btree ("created_by","id");--> statement-breakpoint
CREATE INDEX "share_links_expires_at_idx" ON "share_links" USING btree ("expires_at");--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_joined_by_known" CHECK (joined_by in ('creation', 'sso', 'invitation', 'share_link'));--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_invited_by_given" CHECK (joined_by in ('invitation', 'share_link') or invited_by is null);