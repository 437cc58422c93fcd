CREATE TABLE "roles" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"permissions" text[] NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "roles_organization_id_key_pk" PRIMARY KEY("key","organization_id"),
	CONSTRAINT "roles_key_shape" CHECK (key ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(key) between 2 and 50),
	CONSTRAINT "roles_key_not_built_in" CHECK (key not in ('owner', 'admin', 'member', 'viewer')),
	CONSTRAINT "roles_name_length" CHECK (length(name) between 1 and 100),
	CONSTRAINT "roles_permissions_bounded" CHECK ('organization:read' = any (permissions) and not 'organization:own' = any (permissions))
);
--> statement-breakpoint
ALTER TABLE "roles" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE UNIQUE INDEX "roles_organization_id_id_key" ON "roles" USING btree ("organization_id","id");--> statement-breakpoint
ALTER TABLE "membership_roles" DROP CONSTRAINT "membership_roles_role_built_in";--> statement-breakpoint
ALTER TABLE "membership_roles" ADD COLUMN "custom_role" text GENERATED ALWAYS AS (case when role in ('owner', 'admin', 'member', 'viewer') then null else role end) STORED;--> statement-breakpoint
ALTER TABLE "roles" ADD CONSTRAINT "roles_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
-- Deferred, since an organization takes its roles and its members along in no certain order.
ALTER TABLE "membership_roles" ADD CONSTRAINT "membership_roles_custom_role_fkey" FOREIGN KEY ("organization_id","custom_role") REFERENCES "public"."roles"("organization_id","key") ON DELETE no action ON UPDATE no action DEFERRABLE INITIALLY DEFERRED;