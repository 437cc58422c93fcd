CREATE TABLE "domain_bars" (
	"organization_id" uuid NOT NULL,
	"person_hash" "bytea" NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "domain_bars_organization_id_person_hash_pk" PRIMARY KEY("organization_id","person_hash"),
	CONSTRAINT "domain_bars_person_hash_length" CHECK (length(person_hash) = 32)
);
--> statement-breakpoint
ALTER TABLE "domain_bars" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "organization_domains" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"domain" text NOT NULL,
	"txt_record" text NOT NULL,
	"verified_at" timestamp(3) with time zone,
	"enrollment" text DEFAULT 'none' NOT NULL,
	"roles" text[] DEFAULT '{member}' NOT NULL,
	"enrollment_set_by" uuid,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "organization_domains_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "organization_domains_organization_id_domain_key" UNIQUE("domain","organization_id"),
	CONSTRAINT "organization_domains_domain_canonical" CHECK (domain = lower(domain) and length(domain) between 3 and 253),
	CONSTRAINT "organization_domains_txt_record_length" CHECK (length(txt_record) between 20 and 100),
	CONSTRAINT "organization_domains_enrollment_known" CHECK (enrollment in ('none', 'suggest', 'auto_join')),
	CONSTRAINT "organization_domains_roles_given" CHECK (cardinality(roles) between 1 and 10 and not 'owner' = any (roles))
);
--> statement-breakpoint
ALTER TABLE "organization_domains" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "memberships" DROP CONSTRAINT "memberships_joined_by_known";--> statement-breakpoint
ALTER TABLE "domain_bars" ADD CONSTRAINT "domain_bars_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "organization_domains" ADD CONSTRAINT "organization_domains_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "organization_domains" ADD CONSTRAINT "organization_domains_enrollment_set_by_users_id_fk" FOREIGN KEY ("enrollment_set_by") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "organization_domains_verified_domain_key" ON "organization_domains" USING btree ("domain") WHERE verified_at is not null;--> statement-breakpoint
CREATE INDEX "organization_domains_enrollment_set_by_idx" ON "organization_domains" USING btree ("enrollment_set_by");--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_joined_by_known" CHECK (joined_by in ('creation', 'sso', 'invitation', 'share_link', 'domain'));