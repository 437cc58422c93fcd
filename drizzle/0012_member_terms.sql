CREATE TABLE "member_terms" (
	"organization_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"term" "bytea" NOT NULL,
	CONSTRAINT "member_terms_organization_id_term_user_id_pk" PRIMARY KEY("organization_id","term","user_id"),
	CONSTRAINT "member_terms_term_length" CHECK (length(term) between 1 and 400)
);
--> statement-breakpoint
ALTER TABLE "member_terms" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "member_terms" ADD CONSTRAINT "member_terms_membership_fkey" FOREIGN KEY ("organization_id","user_id") REFERENCES "public"."memberships"("organization_id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "member_terms_organization_id_user_id_idx" ON "member_terms" USING btree ("organization_id","user_id","term");