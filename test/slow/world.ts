import { asOwner, emptyOwnDatabase } from "../support/database.ts";
import { environment } from "../support/environment.ts";
import type { Operation } from "../support/contract.ts";
import { contract, creates, databaseFreeRoutes, newMark, optionsOf, targetOf } from "../support/operations.ts";
import { equip } from "../support/prepare.ts";
import {
  type Answer,
  newAddress,
  openService,
  type Person,
  type Service,
  signInPerson,
  signUpPerson,
} from "../support/service.ts";

/** A person with an organization, a second session, and a name that is in all they create. */
export interface World {
  ada: Person;
  mark: string;
  ids: Record<string, string>;
  /** Where all of its requests come from. */
  address: string;
}

const [part = 0, parts = 1] = (environment["VITE_FAULTS_PART"] ?? "0/1").split("/").map(Number);

/** Every operation that asks the database, or with VITE_FAULTS_PART, "0/3" to "2/3", every third. */
export const operationsOfTheDatabase = contract.operations
  .filter(({ name }) => !databaseFreeRoutes.has(name))
  .filter((_, index) => index % parts === part);

const endsAll = /^DELETE [\w/]+\/(users\/me|organizations\/\{organizationId\})$/;

/** @param operation what is to be sent in it: of what it has nothing to do with, there is nothing */
export async function makeWorld(operation?: Operation): Promise<World> {
  const sound = openService();
  const ada = await signUpPerson(sound, "Before");
  const { body: organization } = await sound.call("POST", "/v1/organizations", {
    token: ada.token,
    body: { name: "Before", slug: `before-${crypto.randomUUID()}` },
  });
  await signInPerson(sound, ada.email);
  const { body: sessions } = await sound.call("GET", "/v1/auth/sessions", ada);
  const other = sessions.data.find(({ current }: { current: boolean }) => !current);
  const isWhole = operation !== undefined && endsAll.test(operation.name);
  const ids = {
    organizationId: organization.id,
    organizationSlug: organization.slug,
    sessionId: other.id,
    ...(await equip(sound, ada, organization.id, operation, { isWhole, areProvable: true })),
  };
  return { ada, mark: newMark(), ids, address: newAddress() };
}

/** Sends the operation's request; in one world it is the same request each time. */
export function send(
  operation: Operation,
  { ada, ids, mark, address }: World,
  service: Service = openService(),
): Promise<Answer> {
  const options = optionsOf(operation, ada, mark);
  return service.call(operation.method, targetOf(operation, ids), {
    ...options,
    headers: {
      ...options.headers,
      "cf-connecting-ip": address,
      ...(creates(operation) && { "idempotency-key": mark }),
    },
  });
}

/** Forgets all worlds, in a database of the file's own: to observe one is to read every table. */
export async function emptyDatabase(): Promise<void> {
  tables ??= (await listTables()).filter((table) => !isOfProduct(table));
  await emptyOwnDatabase(tables);
}

let tables: string[] | undefined;
let observed: string[] | undefined;

async function listTables(): Promise<string[]> {
  const [rows = []] = await asOwner([
    "select quote_ident(tablename) as name from pg_tables where schemaname = 'public' order by tablename",
  ]);
  return rows.map(({ name }) => name);
}

/** What src/plans.ts says, without which nobody has anything. */
const isOfProduct = (table: string): boolean => /^(features|plans|plan_\w+)$/.test(table);

/** What becomes of a message is decided after the answer, at its own time. */
const isSettled = (table: string): boolean => table !== "webhook_messages";

async function listObserved(): Promise<string[]> {
  return (await listTables()).filter(isSettled);
}

/**
 * All that is stored of a world, table by table and as text that is the same for every world in
 * the same state: identifiers, addresses, times, hashes and salts are told by their kind alone.
 */
export async function observe({ ada, mark, ids }: World): Promise<string[]> {
  observed ??= await listObserved();
  const events = ada.signedEvent ? [String(ada.signedEvent.body["id"])] : [];
  // A meter is everybody's.
  const { meter: _, ...own } = ids;
  const signs = [ada.id, ada.email, mark, ...Object.values(own), ...events];
  const rows = await asOwner(
    ...observed.map((table): [string, unknown[]] => [
      // Not by one regular expression, which takes ten times as long.
      `select row from (select to_jsonb(t)::text as row from ${table} t offset 0) t
        where exists (select from unnest($1::text[]) sign where strpos(row, sign) > 0)`,
      [signs],
    ]),
  );
  return observed.flatMap((table, i) => (rows[i] ?? []).map(({ row }) => `${table} ${simplify(row)}`)).toSorted();
}

function simplify(row: string): string {
  return (
    row
      .replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, "<id>")
      .replaceAll(/cus_\w+/g, "<customer>")
      .replaceAll(/2001:db8:[\da-f:]+/g, "<address>")
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.]+(\+00:00|Z)/g, "<time>")
      .replaceAll(/saas-verification=[\w-]{43}/g, "<record>")
      // Of a name and an address.
      .replaceAll(/"term": "\\\\x[\da-f]+"/g, '"term": "<term>"')
      .replaceAll(/(\\\\x|anonymous:)[\da-f]{64,}/g, "<hash>")
      .replaceAll(/"hint": "\w{4}"/g, '"hint": "<hint>"')
      .replaceAll(/"failing_since": ("<time>"|null)/g, '"failing_since": <whether>')
      .replaceAll(/"last_step": [1-9]\d*/g, "<step>")
      .replaceAll(/\$2b\$\d\d\$[./\w]{22}/g, "<salt>")
  );
}
