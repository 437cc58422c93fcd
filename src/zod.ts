/**
 * What the bundle gets for "zod" (see scripts/build-worker.ts): all of it but what the Worker never
 * calls. @hono/zod-openapi takes zod as one object, so no bundler can leave these out by itself;
 * the 60 languages alone are 69 KiB of gzip.
 */
export * from "zod/v4";
// oxlint-disable-next-line import/no-self-import -- `z` is this very module, without what it leaves out.
export * as z from "./zod.ts";

// An export of the module's own goes before one of the same name from `export *`.
export const locales = {};
export const core = {};
export const fromJSONSchema = undefined;
export const toJSONSchema = undefined;
export const deepPartial = undefined;
