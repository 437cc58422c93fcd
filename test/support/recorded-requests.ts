import { type DatabaseRequest, newEmail, openService, type Person } from "./service.ts";

/** An operation of /openapi.json, for calling it with nothing known but its contract. */
export interface Operation {
  name: string;
  method: string;
  path: string;
  isPublic: boolean;
  isPaged: boolean;
  takesKey: boolean;
  requestSchema: any;
}

/** Somebody for whom every operation must succeed, and the identifiers for its path. */
export interface Caller {
  person: Person;
  ids: Record<string, string>;
}

const hasParameter = ({ parameters = [] }: { parameters?: { name: string }[] }, wanted: string) =>
  parameters.some(({ name }) => name === wanted);

const { body: document } = await openService().call("GET", "/openapi.json");

export const operations: Operation[] = Object.entries<Record<string, any>>(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([verb, spec]) => ({
    name: `${verb.toUpperCase()} ${path}`,
    method: verb.toUpperCase(),
    path,
    isPublic: !spec.security?.length,
    isPaged: hasParameter(spec, "cursor"),
    takesKey: hasParameter(spec, "idempotency-key"),
    requestSchema: spec.requestBody?.content["application/json"].schema,
  })),
);

/** What the contract's examples cannot be: the caller's own, or something that nobody has yet. */
function fieldOf(name: string, { person }: Caller, isSignUp: boolean): unknown {
  switch (name) {
    case "email":
      return isSignUp ? newEmail() : person.email;
    case "password":
      return person.password;
    case "refreshToken":
      return person.refreshToken;
    case "slug":
      return `s-${crypto.randomUUID()}`;
  }
}

function exampleOf(schema: any, caller: Caller, isSignUp: boolean): unknown {
  const given = schema.$ref ? document.components.schemas[schema.$ref.split("/").at(-1)] : schema;
  if (!given.properties) return given.example ?? given.enum?.[0];
  return Object.fromEntries(
    Object.entries(given.properties).map(([name, field]) => [
      name,
      fieldOf(name, caller, isSignUp) ?? exampleOf(field, caller, isSignUp),
    ]),
  );
}

function pathOf(path: string, { ids }: Caller): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (!id) throw new Error(`no ${name} is made for the callers of ${path}`);
    return id;
  });
}

/** Carries an operation out; or, with a number of database requests to let through, up to the next one. */
async function call(operation: Operation, caller: Caller, query: string, letThrough: number | undefined) {
  const service = openService();
  if (letThrough) await service.injectFault({ fault: "delay", times: letThrough });
  // Three, since a read is tried again.
  if (letThrough !== undefined) await service.injectFault({ fault: "not-json", times: 3 });
  const isSignUp = operation.name === "POST /v1/auth/sign-up";
  const answer = await service.call(operation.method, pathOf(operation.path, caller) + query, {
    ...(operation.takesKey && { headers: { "idempotency-key": crypto.randomUUID() } }),
    token: operation.isPublic ? undefined : caller.person.token,
    ...(operation.requestSchema && { body: exampleOf(operation.requestSchema, caller, isSignUp) }),
  });
  const requests = await service.databaseRequests();
  const isComplete = letThrough === undefined || requests.length <= letThrough;
  if (isComplete && answer.status >= 300) {
    throw new Error(`${operation.name}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return { answer, requests, isComplete };
}

/**
 * Each database request that an operation makes, before it is executed: the endpoint records it and
 * drops the connection, so the reader can try it on the state that it was meant for. In the end
 * the operation is carried out, and must succeed.
 */
export async function* recordRequests(
  operation: Operation,
  caller: Caller,
  query = "",
): AsyncGenerator<DatabaseRequest> {
  for (let letThrough = 0; ; letThrough++) {
    const { requests, isComplete } = await call(operation, caller, query, letThrough);
    if (isComplete) return;
    const request = requests[letThrough];
    if (!request?.statements.length) throw new Error(`${operation.name}: nothing was recorded`);
    yield request;
  }
}

/** The first page's query, a longer one's, and that of a page `pages` hundred rows further on. */
export async function pageQueries(operation: Operation, caller: Caller, pages: number): Promise<string[]> {
  if (!operation.isPaged) return [""];
  let cursor = "";
  for (let page = 0; page < pages; page++) {
    const { answer } = await call(operation, caller, `?limit=100${cursor}`, undefined);
    if (!answer.body.nextCursor) throw new Error(`${operation.name}: the list ends after ${page + 1} pages`);
    cursor = `&cursor=${answer.body.nextCursor}`;
  }
  return ["", "?limit=100", `?limit=20${cursor}`];
}
