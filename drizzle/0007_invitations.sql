CREATE TABLE "invitations" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"email" text NOT NULL,
	"roles" text[] NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"invited_by" uuid,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"sent_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp(3) with time zone NOT NULL,
	"ended_at" timestamp(3) with time zone,
	CONSTRAINT "invitations_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "invitations_key_hash_key" UNIQUE("key_hash"),
	CONSTRAINT "invitations_email_canonical" CHECK (email = lower(email) and length(email) between 3 and 254),
	CONSTRAINT "invitations_roles_given" CHECK (cardinality(roles) between 1 and 10),
	CONSTRAINT "invitations_status_known" CHECK (status in ('pending', 'accepted', 'declined', 'revoked', 'expired')),
	CONSTRAINT "invitations_ended" CHECK ((status = 'pending') = (ended_at is null)),
	CONSTRAINT "invitations_key_hash_length" CHECK (length(key_hash) = 32)
);
--> statement-breakpoint
ALTER TABLE "invitations" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "memberships" DROP CONSTRAINT "memberships_joined_by_known";--> statement-breakpoint
ALTER TABLE "memberships" ADD COLUMN "invited_by" uuid;--> statement-breakpoint
ALTER TABLE "organizations" ADD COLUMN "member_limit" integer;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_invited_by_users_id_fk" FOREIGN KEY ("invited_by") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "invitations_organization_id_email_pending_key" ON "invitations" USING btree ("organization_id","email") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "invitations_organization_id_status_id_idx" ON "invitations" USING btree ("organization_id","status","id","expires_at");--> statement-breakpoint
CREATE INDEX "invitations_email_pending_idx" ON "invitations" USING btree ("email","id") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "invitations_invited_by_id_idx" ON "invitations" USING btree ("invited_by","id");--> statement-breakpoint
CREATE INDEX "invitations_ended_at_idx" ON "invitations" USING btree (least(ended_at, expires_at));--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_invited_by_users_id_fk" FOREIGN KEY ("invited_by") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "memberships_invited_by_idx" ON "memberships" USING btree ("invited_by");--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_invited_by_given" CHECK (joined_by = 'invitation' or invited_by is null);--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_joined_by_known" CHECK (joined_by in ('creation', 'sso', 'invitation'));--> statement-breakpoint
ALTER TABLE "organizations" ADD CONSTRAINT "organizations_member_limit_positive" CHECK (member_limit > 0);