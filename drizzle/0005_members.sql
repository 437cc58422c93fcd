CREATE TABLE "membership_roles" (
	"organization_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"role" text NOT NULL,
	CONSTRAINT "membership_roles_organization_id_user_id_role_pk" PRIMARY KEY("organization_id","user_id","role"),
	CONSTRAINT "membership_roles_role_built_in" CHECK (role in ('owner', 'admin', 'member', 'viewer'))
);
--> statement-breakpoint
ALTER TABLE "memberships" ADD COLUMN "joined_by" text;--> statement-breakpoint
-- Else an owner without BYPASSRLS would copy nothing; rls-policies.sql, which follows, forces it again.
ALTER TABLE "memberships" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
INSERT INTO "membership_roles" ("organization_id", "user_id", "role")
SELECT "organization_id", "user_id", "role" FROM "memberships";--> statement-breakpoint
-- So far people came in no other ways.
UPDATE "memberships" SET "joined_by" = CASE "role" WHEN 'owner' THEN 'creation' ELSE 'sso' END;--> statement-breakpoint
ALTER TABLE "memberships" ALTER COLUMN "joined_by" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "memberships" DROP CONSTRAINT "memberships_role_built_in";--> statement-breakpoint
ALTER TABLE "memberships" DROP COLUMN "role";--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_joined_by_known" CHECK (joined_by in ('creation', 'sso'));--> statement-breakpoint
ALTER TABLE "membership_roles" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "membership_roles" ADD CONSTRAINT "membership_roles_membership_fkey" FOREIGN KEY ("organization_id","user_id") REFERENCES "public"."memberships"("organization_id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "membership_roles_organization_id_role_idx" ON "membership_roles" USING btree ("organization_id","role","user_id");
