import { id, organizations, workerKey } from "./people.ts";
import { letIn, text, type Scene } from "./scene.ts";

export const { mine, theirs } = organizations;

/** The endpoint that `giveEndpoint` makes, unless it is told another, and the subject of a message. */
export const endpoint = id(9801);
export const subject = id(9700);
export const workerKeys = `\\x${workerKey.toString("hex")}`;

export const write = (scene: Scene, name = "owner") => letIn(scene, name, "webhooks:write");

interface GivenEndpoint {
  id?: string;
  organization?: string;
  types?: string;
  failingSince?: string;
  disabled?: boolean;
}

/** Nothing is told of it. */
export async function giveEndpoint(scene: Scene, given: GivenEndpoint = {}): Promise<void> {
  const {
    id: endpointId = endpoint,
    organization = mine,
    types = "{organization.purged}",
    failingSince,
    disabled = false,
  } = given;
  await past(
    scene,
    `insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret, failing_since, disabled_at)
     values ('${organization}', '${endpointId}', 'https://${organization === mine ? "mine" : "theirs"}.test/${endpointId.slice(-4)}', 'Given', '${types}', 'secret',
             ${failingSince ? `now() - interval '${failingSince}'` : "null"}, ${disabled ? "now()" : "null"})`,
  );
}

/** A message by its number, which is the last digits of its id. */
export interface GivenMessage {
  n: number;
  organization?: string;
  endpoint?: string;
  subject?: string;
  status?: "pending" | "delivered" | "dead";
  attempts?: number;
  /** From now; null where it waits for another. */
  due?: string | null;
  leased?: string;
}

export const messageId = (n: number) => id(9100 + n);

export const giveMessages = (scene: Scene, ...messages: GivenMessage[]) =>
  past(
    scene,
    messages
      .map(
        ({
          n,
          organization = mine,
          endpoint: of = endpoint,
          subject: about = id(9600 + n),
          status = "pending",
          attempts = 0,
          due,
          leased,
        }) =>
          `insert into webhook_messages (organization_id, id, endpoint_id, type, subject_id, payload, status, attempts, next_attempt_at, leased_until, settled_at)
           values ('${organization}', '${messageId(n)}', '${of}', 'team.created', '${about}', '{"n":${n}}', '${status}', ${attempts},
                   ${due === undefined ? "null" : due === null ? "null" : `now() + interval '${due}'`}, ${leased ? `now() + interval '${leased}'` : "null"},
                   ${status === "pending" ? "null" : "now() - interval '1 day'"})`,
      )
      .join(";\n"),
  );

/** By the owner of the tables, past their triggers and foreign keys. */
export const past = (scene: Scene, statements: string) =>
  scene.see(`set local session_replication_role = replica; ${statements}; set local session_replication_role = origin`);

/** What became of messages: by number, with when they are due and when they were settled, from now. */
export const messagesOf = (scene: Scene, organization = mine) =>
  scene.see(
    `select right(id::text, 4)::int - 9100, status, attempts, (next_attempt_at - now()::timestamptz(3))::text, (leased_until - now()::timestamptz(3))::text,
            (settled_at - now()::timestamptz(3))::text
       from webhook_messages where organization_id = '${organization}' and id::text ~ '^019ab0de-0000-7000-8000-00000000' order by id`,
  );

/** Of an endpoint, since when it fails, and when and why it was disabled. */
export const endpointOf = (scene: Scene, organization = mine, endpointId = endpoint) =>
  scene.see(
    `select (failing_since - now()::timestamptz(3))::text, (disabled_at - now()::timestamptz(3))::text, disabled_reason
       from webhook_endpoints where organization_id = '${organization}' and id = '${endpointId}'`,
  );

/** Who locked each endpoint last. */
export const lockersOf = async (scene: Scene): Promise<Map<string, string>> =>
  new Map(
    (await scene.see("select organization_id || ' ' || id, xmax::text from webhook_endpoints")).map(
      ([name, locker]): [string, string] => [String(name), String(locker)],
    ),
  );

export const claim = (limit = 50, keys = workerKeys, organization: string | null = null) =>
  `select right(id::text, 4)::int - 9100, organization_id, endpoint_id, url, convert_from(sealed_secret, 'UTF8'), convert_from(previous_sealed_secret, 'UTF8'), attempt, payload
     from app.claim_webhooks(${text(keys)}, ${limit}, ${text(organization)}) order by organization_id, id`;

export interface Settled {
  n: number;
  organization?: string;
  attempt?: number;
  status: number | null;
  error?: string;
  retryAfter?: number;
  keys?: string;
}

export const settle = ({
  n,
  organization = mine,
  attempt = 1,
  status,
  error,
  retryAfter,
  keys = workerKeys,
}: Settled) =>
  `select app.settle_webhook(${text(keys)}, '${organization}', '${messageId(n)}', ${attempt}, ${status ?? "null"}, ${text(error ?? null)}, 7, ${retryAfter ?? "null"})`;

/** One after the other, by the Worker. */
export const settleAll = (scene: Scene, ...results: Settled[]) => scene.ask(null, ...results.map(settle));
