CREATE TABLE "platform_admins" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "platform_admins" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "users" RENAME COLUMN "disabled_at" TO "suspended_at";--> statement-breakpoint
ALTER TABLE "audit_events" DROP CONSTRAINT "audit_events_actor_known";--> statement-breakpoint
ALTER TABLE "audit_events" DROP CONSTRAINT "audit_events_actor_given";--> statement-breakpoint
ALTER TABLE "user_audit_events" DROP CONSTRAINT "user_audit_events_actor_known";--> statement-breakpoint
ALTER TABLE "user_audit_events" DROP CONSTRAINT "user_audit_events_actor_given";--> statement-breakpoint
ALTER TABLE "audit_events" ADD COLUMN "impersonator_id" uuid;--> statement-breakpoint
ALTER TABLE "organizations" ADD COLUMN "suspended_at" timestamp(3) with time zone;--> statement-breakpoint
ALTER TABLE "organizations" ADD COLUMN "suspension_reason" text;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "impersonator_id" uuid;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "impersonation_reason" text;--> statement-breakpoint
ALTER TABLE "user_audit_events" ADD COLUMN "impersonator_id" uuid;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "suspension_reason" text;--> statement-breakpoint
ALTER TABLE "platform_admins" ADD CONSTRAINT "platform_admins_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "organizations_slug_idx" ON "organizations" USING btree ("slug" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "organizations_suspended_idx" ON "organizations" USING btree ("slug" text_pattern_ops) WHERE suspended_at is not null;--> statement-breakpoint
CREATE INDEX "sessions_impersonations_idx" ON "sessions" USING btree ("id") WHERE impersonator_id is not null;--> statement-breakpoint
CREATE INDEX "users_email_idx" ON "users" USING btree ("email" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "users_suspended_idx" ON "users" USING btree ("email" text_pattern_ops) WHERE suspended_at is not null;--> statement-breakpoint
ALTER TABLE "audit_events" ADD CONSTRAINT "audit_events_actor_known" CHECK (actor_type in ('user', 'api_key', 'platform_admin', 'anonymous', 'system'));--> statement-breakpoint
ALTER TABLE "audit_events" ADD CONSTRAINT "audit_events_actor_given" CHECK ((actor_type in ('user', 'api_key', 'platform_admin')) = (actor_id is not null));--> statement-breakpoint
ALTER TABLE "organizations" ADD CONSTRAINT "organizations_suspension_reason_known" CHECK (suspended_at is not null or suspension_reason is null);--> statement-breakpoint
ALTER TABLE "organizations" ADD CONSTRAINT "organizations_suspension_reason_length" CHECK (length(suspension_reason) between 1 and 500);--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_impersonation_whole" CHECK ((impersonator_id is null) = (impersonation_reason is null));--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_impersonation_reason_length" CHECK (length(impersonation_reason) between 1 and 500);--> statement-breakpoint
ALTER TABLE "user_audit_events" ADD CONSTRAINT "user_audit_events_actor_known" CHECK (actor_type in ('user', 'api_key', 'platform_admin', 'anonymous', 'system'));--> statement-breakpoint
ALTER TABLE "user_audit_events" ADD CONSTRAINT "user_audit_events_actor_given" CHECK ((actor_type in ('user', 'api_key', 'platform_admin')) = (actor_id is not null));--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_suspension_reason_known" CHECK (suspended_at is not null or suspension_reason is null);--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_suspension_reason_length" CHECK (length(suspension_reason) between 1 and 500);