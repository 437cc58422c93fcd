import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Puts the API reference's script among the Worker's assets, as /docs/reference.js. */
const target = join(import.meta.dirname, "../dist/assets/docs/reference.js");
const source = join(import.meta.dirname, "../node_modules/@scalar/api-reference/dist/browser/standalone.js");

await mkdir(dirname(target), { recursive: true });
await copyFile(source, target);
