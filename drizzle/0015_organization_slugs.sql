CREATE TABLE "organization_slugs" (
	"slug" text PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"replaced_at" timestamp(3) with time zone
);
--> statement-breakpoint
ALTER TABLE "organization_slugs" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "organization_slugs" ADD CONSTRAINT "organization_slugs_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "organization_slugs_organization_id_replaced_at_idx" ON "organization_slugs" USING btree ("organization_id","replaced_at");--> statement-breakpoint
CREATE INDEX "organization_slugs_replaced_at_idx" ON "organization_slugs" USING btree ("replaced_at") WHERE replaced_at is not null;