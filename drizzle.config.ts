import { defineConfig } from "drizzle-kit";

// Set by the npm scripts. `generate` needs none.
const url = process.env["DATABASE_OWNER_URL"] ?? process.env["DATABASE_URL"];

// No `entities.roles`: it would plan to drop every role that is not in the schema, Neon's own too.
export default defineConfig({
  dialect: "postgresql",
  schema: [
    "./src/db/schema.ts",
    "./src/db/unseen-tables.ts",
    "./src/db/plan-tables.ts",
    "./src/db/billing-tables.ts",
    "./src/db/stripe-tables.ts",
    "./src/db/usage-tables.ts",
  ],
  out: "./drizzle",
  schemaFilter: ["public"],
  ...(url ? { dbCredentials: { url } } : {}),
});
