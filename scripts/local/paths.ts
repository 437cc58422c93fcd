import path from "node:path";

/** The project's folder. */
export const root = path.resolve(import.meta.dirname, "../..");

/** Where `npm run dev` keeps its data and secrets; git ignores it. */
export const localDirectory = path.join(root, ".local");
