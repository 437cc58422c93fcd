import { asOwner } from "../support/database.ts";
import {
  type Answer,
  goodPassword,
  openService,
  type Person,
  type Service,
  signInPerson,
  signUpPerson,
} from "../support/service.ts";

/** What /openapi.json says of an operation. */
export interface Operation {
  name: string;
  method: string;
  path: string;
  isPublic: boolean;
  hasBody: boolean;
  /** Takes an Idempotency-Key. */
  creates: boolean;
}

/** A person with an organization, a second session, and a name that is in all they create. */
export interface World {
  ada: Person;
  mark: string;
  ids: Record<string, string>;
}

const bodies: Record<string, (world: World) => unknown> = {
  "POST /v1/auth/sign-up": ({ mark }) => ({ email: `${mark}@example.com`, password: goodPassword, name: mark }),
  "POST /v1/auth/sign-in": ({ ada }) => ({ email: ada.email, password: ada.password }),
  "POST /v1/auth/refresh": ({ ada }) => ({ refreshToken: ada.refreshToken }),
  "PATCH /v1/users/me": ({ mark }) => ({ name: mark }),
  "POST /v1/organizations": ({ mark }) => ({ name: mark, slug: mark }),
  "PATCH /v1/organizations/{organizationId}": ({ mark }) => ({ name: mark, slug: mark }),
};

/** Every operation that asks the database. */
export async function listOperations(): Promise<Operation[]> {
  const { body } = await openService().call("GET", "/openapi.json");
  const operations = Object.entries<Record<string, any>>(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([verb, spec]) => ({
      name: `${verb.toUpperCase()} ${path}`,
      method: verb.toUpperCase(),
      path,
      isPublic: !spec.security?.length,
      hasBody: !!spec.requestBody,
      creates: !!spec.parameters?.some((parameter: any) => parameter.name === "idempotency-key"),
    })),
  );
  return operations.filter(({ path }) => path !== "/health");
}

export async function makeWorld(): Promise<World> {
  const sound = openService();
  const ada = await signUpPerson(sound, "Before");
  const { body: organization } = await sound.call("POST", "/v1/organizations", {
    token: ada.token,
    body: { name: "Before", slug: `before-${crypto.randomUUID()}` },
  });
  await signInPerson(sound, ada.email);
  const { body: sessions } = await sound.call("GET", "/v1/auth/sessions", ada);
  const other = sessions.data.find(({ current }: { current: boolean }) => !current);
  const ids = { organizationId: organization.id, sessionId: other.id };
  return { ada, mark: `mark-${crypto.randomUUID()}`, ids };
}

/** Sends the operation's request; in one world it is the same request each time. */
export function send(operation: Operation, world: World, service: Service = openService()): Promise<Answer> {
  const { creates, hasBody, isPublic, method, name, path } = operation;
  const realPath = path.replaceAll(/\{(\w+)\}/g, (_, id: string) => {
    const value = world.ids[id];
    if (!value) throw new Error(`makeWorld() makes no ${id}`);
    return value;
  });
  const body = bodies[name];
  if (hasBody && !body) throw new Error(`give ${name} a body in test/slow/world.ts`);
  return service.call(method, realPath, {
    token: isPublic ? undefined : world.ada.token,
    ...(hasBody && { body: body?.(world) }),
    ...(creates && { headers: { "idempotency-key": world.mark } }),
  });
}

let tables: string[] | undefined;

async function listTables(): Promise<string[]> {
  const [rows = []] = await asOwner([
    "select quote_ident(tablename) as name from pg_tables where schemaname = 'public' order by tablename",
  ]);
  return rows.map(({ name }) => name);
}

/**
 * All that is stored of a world, table by table and as text that is the same for every world in
 * the same state: identifiers, times, hashes and salts are told by their kind alone.
 */
export async function observe({ ada, mark, ids }: World): Promise<string[]> {
  tables ??= await listTables();
  const signs = [ada.id, ada.email, mark, ...Object.values(ids)];
  const rows = await asOwner(
    ...tables.map((table): [string, unknown[]] => [
      `select to_jsonb(t)::text as row from ${table} t where to_jsonb(t)::text ~ $1`,
      [signs.join("|")],
    ]),
  );
  return tables.flatMap((table, i) => (rows[i] ?? []).map(({ row }) => `${table} ${simplify(row)}`)).toSorted();
}

function simplify(row: string): string {
  return row
    .replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, "<id>")
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.]+(\+00:00|Z)/g, "<time>")
    .replaceAll(/\\\\x[\da-f]{64}/g, "<hash>")
    .replaceAll(/\$2b\$\d\d\$[./\w]{22}/g, "<salt>");
}
