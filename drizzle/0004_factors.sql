CREATE TABLE "identities" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"provider" text NOT NULL,
	"connection_id" uuid,
	"subject" text NOT NULL,
	"email" text,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp(3) with time zone,
	CONSTRAINT "identities_provider_connection_id_subject_key" UNIQUE NULLS NOT DISTINCT("provider","connection_id","subject"),
	CONSTRAINT "identities_provider_known" CHECK (provider in ('google', 'github', 'microsoft', 'apple', 'sso')),
	CONSTRAINT "identities_connection_given" CHECK ((provider = 'sso') = (connection_id is not null)),
	CONSTRAINT "identities_subject_length" CHECK (length(subject) between 1 and 255),
	CONSTRAINT "identities_email_length" CHECK (length(email) <= 254)
);
--> statement-breakpoint
ALTER TABLE "identities" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "passkeys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"name" text NOT NULL,
	"credential_id" "bytea" NOT NULL,
	"public_key" "bytea" NOT NULL,
	"sign_count" bigint NOT NULL,
	"transports" text NOT NULL,
	"backed_up" boolean NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp(3) with time zone,
	CONSTRAINT "passkeys_credential_id_key" UNIQUE("credential_id"),
	CONSTRAINT "passkeys_name_length" CHECK (length(name) between 1 and 100),
	CONSTRAINT "passkeys_credential_id_length" CHECK (length(credential_id) between 1 and 1023),
	CONSTRAINT "passkeys_public_key_length" CHECK (length(public_key) <= 2048)
);
--> statement-breakpoint
ALTER TABLE "passkeys" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "recovery_codes" (
	"user_id" uuid NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "recovery_codes_user_id_key_hash_pk" PRIMARY KEY("user_id","key_hash"),
	CONSTRAINT "recovery_codes_key_hash_length" CHECK (length(key_hash) = 32)
);
--> statement-breakpoint
ALTER TABLE "recovery_codes" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "spent_challenges" (
	"key_hash" "bytea" PRIMARY KEY NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "spent_challenges_key_hash_length" CHECK (length(key_hash) = 32)
);
--> statement-breakpoint
ALTER TABLE "spent_challenges" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "sso_connections" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"domain" text NOT NULL,
	"txt_record" text NOT NULL,
	"domain_verified_at" timestamp(3) with time zone,
	"issuer" text NOT NULL,
	"client_id" text NOT NULL,
	"sealed_client_secret" "bytea" NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "sso_connections_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "sso_connections_id_key" UNIQUE("id"),
	CONSTRAINT "sso_connections_organization_id_domain_key" UNIQUE("organization_id","domain"),
	CONSTRAINT "sso_connections_domain_canonical" CHECK (domain = lower(domain) and length(domain) between 3 and 253),
	CONSTRAINT "sso_connections_txt_record_length" CHECK (length(txt_record) between 20 and 100),
	CONSTRAINT "sso_connections_issuer_length" CHECK (length(issuer) between 8 and 255),
	CONSTRAINT "sso_connections_client_id_length" CHECK (length(client_id) between 1 and 255),
	CONSTRAINT "sso_connections_sealed_client_secret_length" CHECK (length(sealed_client_secret) <= 1024)
);
--> statement-breakpoint
ALTER TABLE "sso_connections" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "totp_factors" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"sealed_seed" "bytea" NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"last_step" bigint,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"activated_at" timestamp(3) with time zone,
	CONSTRAINT "totp_factors_sealed_seed_length" CHECK (length(sealed_seed) <= 256),
	CONSTRAINT "totp_factors_key_hash_length" CHECK (length(key_hash) = 32)
);
--> statement-breakpoint
ALTER TABLE "totp_factors" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "one_time_tokens" DROP CONSTRAINT "one_time_tokens_purpose_known";--> statement-breakpoint
ALTER TABLE "one_time_tokens" DROP CONSTRAINT "one_time_tokens_email_given";--> statement-breakpoint
ALTER TABLE "users" ALTER COLUMN "password_scheme" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ALTER COLUMN "password_salt" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ALTER COLUMN "password_verifier" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD COLUMN "code_hash" "bytea";--> statement-breakpoint
ALTER TABLE "organizations" ADD COLUMN "mfa_required" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "second_factor" text;--> statement-breakpoint
ALTER TABLE "identities" ADD CONSTRAINT "identities_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identities" ADD CONSTRAINT "identities_connection_id_sso_connections_id_fk" FOREIGN KEY ("connection_id") REFERENCES "public"."sso_connections"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "passkeys" ADD CONSTRAINT "passkeys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "recovery_codes" ADD CONSTRAINT "recovery_codes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sso_connections" ADD CONSTRAINT "sso_connections_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "totp_factors" ADD CONSTRAINT "totp_factors_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "identities_user_id_id_idx" ON "identities" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "identities_connection_id_idx" ON "identities" USING btree ("connection_id");--> statement-breakpoint
CREATE INDEX "passkeys_user_id_id_idx" ON "passkeys" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "spent_challenges_created_at_idx" ON "spent_challenges" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "sso_connections_verified_domain_key" ON "sso_connections" USING btree ("domain") WHERE domain_verified_at is not null;--> statement-breakpoint
CREATE INDEX "totp_factors_user_id_idx" ON "totp_factors" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "totp_factors_active_key" ON "totp_factors" USING btree ("user_id") WHERE activated_at is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "totp_factors_new_key" ON "totp_factors" USING btree ("user_id") WHERE activated_at is null;--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD CONSTRAINT "one_time_tokens_code_given" CHECK ((purpose = 'sign_in') = (code_hash is not null));--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD CONSTRAINT "one_time_tokens_code_hash_length" CHECK (length(code_hash) = 32);--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD CONSTRAINT "one_time_tokens_purpose_known" CHECK (purpose in ('reset_password', 'verify_email', 'change_email_old', 'change_email_new', 'sign_in'));--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD CONSTRAINT "one_time_tokens_email_given" CHECK ((purpose in ('reset_password', 'sign_in')) = (email is null));--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_second_factor_known" CHECK (second_factor in ('pending', 'given'));--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_password_whole" CHECK (num_nulls(password_scheme, password_salt, password_verifier) in (0, 3));