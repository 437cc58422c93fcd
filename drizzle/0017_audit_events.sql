CREATE TABLE "audit_events" (
	"organization_id" uuid NOT NULL,
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"action" text NOT NULL,
	"actor_type" text NOT NULL,
	"actor_id" uuid,
	"subject_type" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"before" jsonb,
	"after" jsonb,
	"request_id" text,
	"ip_address" text,
	CONSTRAINT "audit_events_actor_known" CHECK (actor_type in ('user', 'api_key', 'anonymous', 'system')),
	CONSTRAINT "audit_events_actor_given" CHECK ((actor_type in ('user', 'api_key')) = (actor_id is not null))
);
--> statement-breakpoint
ALTER TABLE "audit_events" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "user_audit_events" (
	"user_id" uuid NOT NULL,
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"action" text NOT NULL,
	"actor_type" text NOT NULL,
	"actor_id" uuid,
	"subject_type" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"before" jsonb,
	"after" jsonb,
	"request_id" text,
	"ip_address" text,
	CONSTRAINT "user_audit_events_actor_known" CHECK (actor_type in ('user', 'api_key', 'anonymous', 'system')),
	CONSTRAINT "user_audit_events_actor_given" CHECK ((actor_type in ('user', 'api_key')) = (actor_id is not null))
);
--> statement-breakpoint
ALTER TABLE "user_audit_events" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE INDEX "audit_events_organization_id_id_idx" ON "audit_events" USING btree ("organization_id","id");--> statement-breakpoint
CREATE INDEX "audit_events_organization_id_action_id_idx" ON "audit_events" USING btree ("organization_id","action","id");--> statement-breakpoint
CREATE INDEX "audit_events_organization_id_actor_id_id_idx" ON "audit_events" USING btree ("organization_id","actor_id","id");--> statement-breakpoint
CREATE INDEX "audit_events_organization_id_subject_id_id_idx" ON "audit_events" USING btree ("organization_id","subject_id","id");--> statement-breakpoint
CREATE INDEX "user_audit_events_user_id_id_idx" ON "user_audit_events" USING btree ("user_id","id");