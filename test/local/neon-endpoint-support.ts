import { Client, escapeLiteral } from "pg";
import { vi } from "vitest";

import { startNeonEndpoint, type NeonEndpoint, type NeonEndpointOptions } from "../../scripts/local/neon-endpoint.ts";
import { startPostgres, type LocalPostgres } from "../../scripts/local/postgres.ts";

export const password = "p@ss/w%rd:é ";

/** A Postgres with a database `shop` that the role `app` owns, and an endpoint in front of it. */
export interface Stage {
  postgres: LocalPostgres;
  endpoint: NeonEndpoint;
  /** The superuser, straight at Postgres. */
  admin: Client;
  /** A connection string for the endpoint. */
  url(parts?: UrlParts): string;
  post(body: unknown, options?: PostOptions): Promise<Answer>;
  close(): Promise<void>;
}
export interface UrlParts {
  user?: string;
  password?: string;
  database?: string;
  tag?: string;
}
export interface PostOptions extends UrlParts {
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Another endpoint than the stage's own. */
  endpoint?: NeonEndpoint;
}
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // The tests assert on the shape, which is theirs to know.
  json: any;
}

export async function openStage(options: Partial<NeonEndpointOptions> = {}): Promise<Stage> {
  const postgres = await startPostgres({});
  const admin = new Client({ connectionString: postgres.url() });
  // A test may take the server away; what then fails is the query that a test awaits.
  admin.on("error", () => undefined);
  await admin.connect();
  await admin.query(`create role app login password ${escapeLiteral(password)}`);
  await admin.query("create database shop owner app");
  const endpoint = await startNeonEndpoint({
    postgres: { host: "127.0.0.1", port: postgres.port },
    control: true,
    ...options,
  });
  const url = (parts: UrlParts = {}): string => buildUrl(endpoint.port, parts);
  return {
    postgres,
    endpoint,
    admin,
    url,
    post: (body, { endpoint: other, ...rest } = {}) => post((other ?? endpoint).port, body, rest),
    close: async () => {
      await endpoint.close();
      await admin.end();
      await postgres.stop();
    },
  };
}

function buildUrl(port: number, parts: UrlParts): string {
  const user = encodeURIComponent(parts.user ?? "app");
  const secret = encodeURIComponent(parts.password ?? password);
  const tag = parts.tag === undefined ? "" : `?tag=${parts.tag}`;
  return `postgresql://${user}:${secret}@localhost:${port}/${parts.database ?? "shop"}${tag}`;
}

async function post(port: number, body: unknown, options: PostOptions): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}/sql`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "neon-connection-string": buildUrl(port, options), ...options.headers },
    ...(options.signal && { signal: options.signal }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
}

/** Waits, within bounds, until the superuser's query gives a row. */
export async function untilRow(stage: Stage, text: string): Promise<Record<string, unknown>> {
  return vi.waitFor(
    async () => {
      const { rows } = await stage.admin.query<Record<string, unknown>>(text);
      if (!rows[0]) throw new Error(`no row yet: ${text}`);
      return rows[0];
    },
    { timeout: 10_000, interval: 20 },
  );
}

/** The process id of the backend that runs a statement with this text, once there is one. */
export async function untilRunning(stage: Stage, marker: string): Promise<number> {
  const row = await untilRow(
    stage,
    `select pid from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()
     and query like ${escapeLiteral(`%${marker}%`)}`,
  );
  return Number(row["pid"]);
}

/** Waits until no backend runs a statement with this text any more. */
export async function untilNotRunning(stage: Stage, marker: string): Promise<void> {
  await untilRow(
    stage,
    `select 1 where not exists (select from pg_stat_activity where state <> 'idle'
     and pid <> pg_backend_pid() and query like ${escapeLiteral(`%${marker}%`)})`,
  );
}

/** The one value of a one-row, one-column answer. */
export function valueOf(answer: Answer): unknown {
  return Object.values(answer.json.rows[0])[0];
}
