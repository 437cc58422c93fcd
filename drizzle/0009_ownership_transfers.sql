CREATE TABLE "ownership_transfers" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"from_user_id" uuid NOT NULL,
	"from_role" text GENERATED ALWAYS AS ('owner') STORED NOT NULL,
	"to_user_id" uuid NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp(3) with time zone DEFAULT now() + interval '7 days' NOT NULL,
	CONSTRAINT "ownership_transfers_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "ownership_transfers_organization_id_key" UNIQUE("organization_id"),
	CONSTRAINT "ownership_transfers_to_another" CHECK (from_user_id <> to_user_id)
);
--> statement-breakpoint
ALTER TABLE "ownership_transfers" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "ownership_transfers" ADD CONSTRAINT "ownership_transfers_from_owner_fkey" FOREIGN KEY ("organization_id","from_user_id","from_role") REFERENCES "public"."membership_roles"("organization_id","user_id","role") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ownership_transfers" ADD CONSTRAINT "ownership_transfers_to_member_fkey" FOREIGN KEY ("organization_id","to_user_id") REFERENCES "public"."memberships"("organization_id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "ownership_transfers_from_user_id_id_idx" ON "ownership_transfers" USING btree ("from_user_id","id");--> statement-breakpoint
CREATE INDEX "ownership_transfers_to_user_id_id_idx" ON "ownership_transfers" USING btree ("to_user_id","id");--> statement-breakpoint
CREATE INDEX "ownership_transfers_expires_at_idx" ON "ownership_transfers" USING btree ("expires_at");