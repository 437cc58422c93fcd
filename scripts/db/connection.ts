import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseEnv } from "node:util";
import { Client } from "pg";

import { root } from "../local/paths.ts";
import { findRunning } from "../local/running.ts";

export interface FoundUrl {
  url: string;
  /** Where it was found, for people: "DATABASE_URL in .dev.vars". */
  source: string;
}

/** The settings in `.dev.vars`; empty when there is no such file. */
export function readDevVars(): Record<string, string> {
  const file = path.join(root, ".dev.vars");
  return existsSync(file) ? (parseEnv(readFileSync(file, "utf8")) as Record<string, string>) : {};
}

/**
 * The database as its owner, who may change tables and policies. What is set for this one command
 * goes before what is kept in a file.
 *
 * @throws Error when there is none, with what to do
 */
export function findOwnerUrl(): FoundUrl {
  const { DATABASE_OWNER_URL, DATABASE_URL } = process.env;
  if (DATABASE_OWNER_URL) {
    return found(DATABASE_OWNER_URL, "DATABASE_OWNER_URL", "DATABASE_OWNER_URL");
  }
  if (DATABASE_URL) return found(DATABASE_URL, "DATABASE_URL", "DATABASE_URL");
  return findKeptUrl("ownerUrl", "DATABASE_OWNER_URL");
}

/**
 * The database as the Worker sees it.
 *
 * @throws Error when there is none, with what to do
 */
export function findWorkerUrl(): FoundUrl {
  const { DATABASE_URL } = process.env;
  if (DATABASE_URL) return found(DATABASE_URL, "DATABASE_URL", "DATABASE_URL");
  return findKeptUrl("databaseUrl", "DATABASE_URL");
}

function findKeptUrl(kind: "ownerUrl" | "databaseUrl", wanted: string): FoundUrl {
  const { DATABASE_URL } = readDevVars();
  if (DATABASE_URL) return found(DATABASE_URL, "DATABASE_URL", "DATABASE_URL in .dev.vars");
  const local = findRunning()?.[kind];
  if (local) return { url: local, source: "the running `npm run dev`" };
  throw new Error(
    `There is no database to work on. Either set ${wanted} for this command, as in\n` +
      `  ${wanted}='postgresql://…' ${npmCommand()}\n` +
      "or put DATABASE_URL into .dev.vars, or start `npm run dev` in another terminal " +
      "(its database is then used).",
  );
}

function npmCommand(): string {
  return `npm run ${process.env["npm_lifecycle_event"] ?? "db:…"}`;
}

function found(text: string, setting: string, source: string): FoundUrl {
  parseUrl(text, setting);
  return { url: text, source };
}

/** @throws Error that names the setting and never repeats the text, which may hold a password */
export function parseUrl(text: string, setting: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Told below, as for a URL of another kind.
  }
  const isComplete = url?.hostname && url.username && url.pathname.length > 1;
  if (!url || !isComplete || !["postgres:", "postgresql:"].includes(url.protocol)) {
    throw new Error(`${setting} is not of the form postgresql://user:password@host/database`);
  }
  return url;
}

/** Whether a host is this machine. */
export function isLocalHost(host: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[?::1\]?)$/i.test(host);
}

/** Whether a host is one of Neon's. */
export function isNeonHost(host: string): boolean {
  return host.endsWith(".neon.tech");
}

/**
 * The same database for work on its tables: past Neon's pooler, which hands every transaction to
 * another session and so breaks locks and `set`, and always with TLS.
 */
export function makeDirectUrl(text: string): string {
  const url = parseUrl(text, "The database URL");
  const { searchParams } = url;
  if (isNeonHost(url.hostname)) {
    url.hostname = url.hostname.replace(/^(ep-[^.]+?)-pooler\./, "$1.");
    if (!searchParams.has("sslmode")) searchParams.set("sslmode", "require");
  }
  // pg treats `require` as `verify-full` already, and warns at length that it will not always.
  if (searchParams.get("sslmode") === "require") searchParams.set("sslmode", "verify-full");
  return url.href;
}

/** "app at localhost:5432 as app_user": which database and role, without the password. */
export function describeUrl(text: string): string {
  const url = new URL(text);
  const name = decodeURIComponent(url.pathname.slice(1));
  return `${name} at ${url.host} as ${decodeURIComponent(url.username)}`;
}

/** Runs `use` with a connection of its own, past any pooler; server warnings are printed. */
export async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: makeDirectUrl(url),
    connectionTimeoutMillis: 15_000,
    application_name: "saas-backend-layer scripts",
  });
  client.on("notice", ({ severity, message }) => {
    if (severity === "WARNING") console.warn(`Warning from Postgres: ${message}`);
  });
  // A connection that breaks between queries; the next query reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
