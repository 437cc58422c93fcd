import { createExecutionContext, env, waitOnExecutionContext } from "cloudflare:test";
import { inject } from "vitest";
import worker from "../../src/index.ts";
import { testFile, workerUrl } from "./database.ts";
import type { FlowProofs } from "./identities.ts";
import type { MailedTokens } from "./one-time-tokens.ts";
import type { SignedEvent } from "./stripe.ts";

/** Settings of the running Worker, for tests that need others. */
export type SettingsOverride = Record<string, string | undefined>;

/** A deployment that says of no origin that it is its own or its frontend's, and has nothing that needs one. */
export const withoutFrontend: SettingsOverride = Object.fromEntries(
  Object.keys(env)
    .filter((name) => /^(APP_URL|PUBLIC_ORIGIN|EMAIL_PROVIDER|(GOOGLE|GITHUB|MICROSOFT|APPLE|STRIPE)_\w+)$/.test(name))
    .map((name) => [name, undefined]),
);

interface CallOptions {
  body?: unknown;
  /** Sent as it is, instead of `body` as JSON. */
  rawBody?: BodyInit;
  token?: string | undefined;
  headers?: Record<string, string>;
  /** Settings for this call alone. */
  settings?: SettingsOverride;
}

export interface Answer<T = any> {
  status: number;
  headers: Headers;
  /** The JSON body; undefined when there is none. */
  body: T;
}

/** A client of the service, with an address and settings of its own, and its own tag at the database endpoint. */
export interface Service {
  /** What it calls from. */
  address: string;
  call<T = any>(method: string, path: string, options?: CallOptions): Promise<Answer<T>>;
  fetch(request: Request, settings?: SettingsOverride): Promise<Response>;
  /** What was asked of the database since the start or the last call of this, for an answer: the outbox comes after it. */
  databaseRequests(): Promise<DatabaseRequest[]>;
  /** Those with them. */
  allDatabaseRequests(): Promise<DatabaseRequest[]>;
  /** Makes the next database requests of this service fail. */
  injectFault(fault: Fault): Promise<void>;
}

export interface DatabaseRequest {
  statements: { query: string; params: unknown[] }[];
  batch: boolean;
  readOnly: boolean;
  isolationLevel: string | null;
  status: number;
}

export interface Fault {
  fault: "refuse" | "delay" | "drop-before" | "drop-after" | "drop-during" | "error-500" | "truncate" | "not-json";
  times?: number;
  statement?: number;
  milliseconds?: number;
}

/** An IPv6 address in a /64 that nobody else has, of the range for documentation (RFC 3849). */
export function newAddress(): string {
  const [high, low] = crypto.getRandomValues(new Uint16Array(2));
  return `2001:db8:${high?.toString(16)}:${low?.toString(16)}::1`;
}

/** Calls the Worker over HTTP's own types, in workerd, with the real driver and Postgres behind it. */
export function openService(overrides: SettingsOverride = {}): Service {
  const tag = crypto.randomUUID();
  // Only when it is called, since a file may open a database of its own before that.
  const settingsWith = (own: SettingsOverride = {}) => {
    const databaseUrl = new URL(overrides.DATABASE_URL ?? workerUrl());
    databaseUrl.searchParams.set("tag", tag);
    return override({ ...env }, { ...overrides, DATABASE_URL: databaseUrl.href, ...own });
  };
  const control = (path: string, init?: RequestInit) => fetch(`${inject("endpointUrl")}/control/${path}`, init);
  // One for each test file: a network's attempts are counted, and what the support modules open serves many files.
  const addresses = new Map<string | undefined, string>();

  const service: Service = {
    get address() {
      const file = testFile();
      const address = addresses.get(file) ?? newAddress();
      addresses.set(file, address);
      return address;
    },
    async fetch(request, own) {
      const context = createExecutionContext();
      const response = await worker.fetch(request, settingsWith(own), context);
      await waitOnExecutionContext(context);
      return response;
    },
    async call(method, path, { body, rawBody, token, headers, settings: own } = {}) {
      const response = await service.fetch(
        new Request(`https://api.example.com${path}`, {
          method,
          headers: {
            "cf-connecting-ip": service.address,
            ...(body !== undefined && { "content-type": "application/json" }),
            ...(token && { authorization: `Bearer ${token}` }),
            ...headers,
          },
          body: rawBody ?? (body === undefined ? null : JSON.stringify(body)),
        }),
        own,
      );
      const text = await response.text();
      const type = response.headers.get("content-type");
      const isJson = /json(;|$)/.test(type ?? "");
      return {
        status: response.status,
        headers: response.headers,
        body: isJson ? JSON.parse(text) : type === null ? text || undefined : text,
      };
    },
    async databaseRequests() {
      return (await service.allDatabaseRequests()).filter((request) => !isOutboxRequest(request));
    },
    async allDatabaseRequests() {
      const response = await control(`requests?tag=${tag}`, { method: "DELETE" });
      return (await response.json<{ requests: DatabaseRequest[] }>()).requests;
    },
    async injectFault(fault) {
      await control("faults", {
        method: "POST",
        body: JSON.stringify({ tag, ...fault }),
        headers: { "content-type": "application/json" },
      });
    },
  };
  return service;
}

/** The settings with others in their place, and without those that are undefined. */
const override = (settings: Record<string, unknown>, overrides: SettingsOverride): Record<string, unknown> =>
  Object.fromEntries(Object.entries({ ...settings, ...overrides }).filter(([, value]) => value !== undefined));

/** Made after the answer, to send the mails that the request has queued. */
const isOutboxRequest = ({ statements }: DatabaseRequest) =>
  statements.some(({ query }) =>
    /\bapp\.(due_messages|claim_messages|settle_message|claim_webhooks|settle_webhook)\(\$/.test(query),
  );

export interface Person {
  id: string;
  email: string;
  password: string;
  token: string;
  refreshToken: string;
  /** Where a test has made them: see one-time-tokens.ts. */
  mailedTokens?: MailedTokens;
  /** Likewise: see identities.ts. */
  flowProofs?: FlowProofs;
  /** Where a test has made them, of a session that waits for its second factor and of an app: see factors.ts. */
  mfaToken?: string;
  totpCode?: string;
  /** Another member, where the operation is about one: see operations.ts. */
  colleagueId?: string;
  /** Of a plan that they can buy, where the operation does. */
  priceId?: string;
  /** Of an event of their organization's usage, where the operation corrects one. */
  usageEventId?: string;
  /** What Stripe tells, for the operation that it is told to: see stripe.ts. */
  signedEvent?: SignedEvent;
  /** What an authenticator answers, for the operation that takes it: see passkeys.ts. */
  passkeyAnswer?: unknown;
}

export const newEmail = () => `${crypto.randomUUID()}@example.com`;

export const goodPassword = "a quiet harbour at dawn";

/** A new person, signed in, to whom nothing was mailed. */
export async function signUpPerson(service: Service, name = "Ada Lovelace"): Promise<Person> {
  const email = newEmail();
  const signedUp = await service.call("POST", "/v1/auth/sign-up", {
    body: { email, password: goodPassword, name },
    settings: { EMAIL_PROVIDER: undefined },
  });
  if (signedUp.status !== 201) throw new Error(`sign-up: ${signedUp.status} ${JSON.stringify(signedUp.body)}`);
  const tokens = await signInPerson(service, email);
  return { id: signedUp.body.id, email, password: goodPassword, ...tokens };
}

/** From an address of their own: those whom a test signs in at once are not in one office. */
export async function signInPerson(service: Service, email: string, password = goodPassword) {
  const headers = { "cf-connecting-ip": newAddress() };
  const { status, body } = await service.call("POST", "/v1/auth/sign-in", { body: { email, password }, headers });
  if (status !== 200) throw new Error(`sign-in: ${status} ${JSON.stringify(body)}`);
  return { token: body.accessToken as string, refreshToken: body.refreshToken as string };
}

/** A new organization of this person. */
export async function createOrganization(
  service: Service,
  owner: Person,
  name = "Acme",
): Promise<{ id: string; slug: string }> {
  const { status, body } = await service.call("POST", "/v1/organizations", { token: owner.token, body: { name } });
  if (status !== 201) throw new Error(`create organization: ${status} ${JSON.stringify(body)}`);
  return body;
}
