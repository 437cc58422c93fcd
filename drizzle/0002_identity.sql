CREATE TABLE "throttles" (
	"scope" "bytea" PRIMARY KEY NOT NULL,
	"attempts" integer NOT NULL,
	"attempted_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "throttles_scope_length" CHECK (length(scope) = 32)
);
--> statement-breakpoint
ALTER TABLE "throttles" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "one_time_tokens" DROP CONSTRAINT "one_time_tokens_purpose_known";--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD COLUMN "email" text;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "authenticated_at" timestamp(3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "idle_expires_at" timestamp(3) with time zone;--> statement-breakpoint
-- The fence keeps the owner out too, and these rows are changed by nobody else.
ALTER TABLE "sessions" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
UPDATE "sessions" SET "authenticated_at" = "created_at", "idle_expires_at" = "expires_at";--> statement-breakpoint
ALTER TABLE "sessions" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "sessions" ALTER COLUMN "idle_expires_at" SET NOT NULL;--> statement-breakpoint
-- A kept answer has its status beside it from now on.
ALTER TABLE "idempotency_keys" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
UPDATE "idempotency_keys" SET "response" = json_build_object('status', 201, 'body', "response") WHERE "response" IS NOT NULL;--> statement-breakpoint
ALTER TABLE "idempotency_keys" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "email_verified_at" timestamp(3) with time zone;--> statement-breakpoint
CREATE INDEX "throttles_attempts_idx" ON "throttles" USING btree ("attempted_at") WHERE attempts > 0;--> statement-breakpoint
CREATE INDEX "throttles_homes_idx" ON "throttles" USING btree ("attempted_at") WHERE attempts = 0;--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD CONSTRAINT "one_time_tokens_email_given" CHECK ((purpose = 'reset_password') = (email is null));--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD CONSTRAINT "one_time_tokens_purpose_known" CHECK (purpose in ('reset_password', 'verify_email', 'change_email_old', 'change_email_new'));