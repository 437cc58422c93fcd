DROP INDEX "sessions_expires_at_idx";--> statement-breakpoint
CREATE INDEX "sessions_ended_at_idx" ON "sessions" USING btree (least(revoked_at, idle_expires_at, expires_at));