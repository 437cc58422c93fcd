ALTER TABLE "plan_features" DROP CONSTRAINT "plan_features_per_known";--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "unit" text;--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "aggregation" text;--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "dimensions" text[];--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "reset" text;--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_meter_whole" CHECK (num_nonnulls(unit, aggregation, dimensions, reset) in (0, case kind when 'metered' then 4 else 0 end));--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_unit_length" CHECK (length(unit) between 1 and 50);--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_aggregation_known" CHECK (aggregation in ('sum', 'count', 'max', 'last', 'unique'));--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_reset_known" CHECK (reset in ('period', 'month', 'never'));--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_dimensions_few" CHECK (cardinality(dimensions) <= 10);--> statement-breakpoint
ALTER TABLE "plan_features" ADD CONSTRAINT "plan_features_per_known" CHECK (per in ('day', 'month', 'year', 'lifetime'));