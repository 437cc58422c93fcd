-- The offers of ownership refer to this key, which cannot be dropped before they let go of it.
ALTER TABLE "ownership_transfers" DROP CONSTRAINT "ownership_transfers_from_owner_fkey";--> statement-breakpoint
ALTER TABLE "membership_roles" DROP CONSTRAINT "membership_roles_organization_id_user_id_role_pk";--> statement-breakpoint
ALTER TABLE "membership_roles" ADD CONSTRAINT "membership_roles_organization_id_role_user_id_pk" PRIMARY KEY("organization_id","role","user_id");--> statement-breakpoint
DROP INDEX "membership_roles_organization_id_role_idx";--> statement-breakpoint
CREATE INDEX "membership_roles_organization_id_user_id_idx" ON "membership_roles" USING btree ("organization_id","user_id","role");--> statement-breakpoint
ALTER TABLE "ownership_transfers" ADD CONSTRAINT "ownership_transfers_from_owner_fkey" FOREIGN KEY ("organization_id","from_user_id","from_role") REFERENCES "public"."membership_roles"("organization_id","user_id","role") ON DELETE cascade ON UPDATE no action;
