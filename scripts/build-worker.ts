import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { build, type BuildOptions, type Plugin } from "esbuild";

/**
 * Bundles the Worker of the entry that is given into dist/worker. wrangler's own bundle is one file,
 * loaded whole at each start; here every `import()` is a module that workerd loads when it is asked for.
 */
const root = path.join(import.meta.dirname, "..");
const folder = path.join(root, "dist/worker");

/**
 * Every schema of zod's has methods that make JSON Schema of it, which the Worker never calls: /openapi.json is made by
 * zod-to-openapi. Without what they call they throw.
 */
const withoutJsonSchema: Plugin = {
  name: "without-json-schema",
  setup(build) {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]core[\\/]to-json-schema\.js$/ }, async ({ path: file }) => {
      const names = [...(await readFile(file, "utf8")).matchAll(/^export (?:function|const) (\w+)/gm)];
      return { contents: names.map(([, name]) => `export const ${name} = undefined;`).join("\n") };
    });
  },
};

const options = {
  absWorkingDir: root,
  // The same name whatever the entry: it is `main` in wrangler.toml.
  entryPoints: { index: process.argv[2] ?? "src/index.ts" },
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  // What wrangler.toml has a rule for.
  chunkNames: "worker-modules/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  metafile: true,
  minify: true,
  keepNames: true,
  sourcemap: "linked",
  sourcesContent: true,
  // As wrangler bundles for workerd.
  target: "es2024",
  platform: "browser",
  conditions: ["workerd", "worker", "browser"],
  define: { "process.env.NODE_ENV": '"production"' },
  external: ["cloudflare:*", "node:*"],
  loader: { ".sql": "text", ".txt": "text" },
  // Zod without its 60 languages; src/zod.ts says why it takes this.
  alias: { zod: "./src/zod.ts", "zod/v4": "./node_modules/zod/v4/classic/external.js" },
  plugins: [withoutJsonSchema],
  logLevel: "warning",
} satisfies BuildOptions;

// What is wrong, esbuild has said.
const { metafile } = await build(options).catch(() => process.exit(1));

// Names of chunks carry a hash: those of earlier builds would be uploaded too.
const written = new Set(Object.keys(metafile.outputs).map((file) => path.join(root, file)));
const files = await readdir(folder, { recursive: true, withFileTypes: true });
const stale = files.filter((file) => file.isFile()).map((file) => path.join(file.parentPath, file.name));
await Promise.all(stale.filter((file) => !written.has(file)).map((file) => rm(file, { force: true })));
// What each module holds and imports, for tests and for https://esbuild.github.io/analyze/.
await writeFile(path.join(root, "dist/worker.meta.json"), JSON.stringify(metafile));
