import type { Operation } from "./contract.ts";
import { creates, optionsOf, targetOf } from "./operations.ts";
import { type DatabaseRequest, openService, type Person } from "./service.ts";

/** Somebody for whom every operation must succeed, and the identifiers for its path. */
export interface Caller {
  person: Person;
  ids: Record<string, string>;
  /** Gives the person again what a request takes for good, though it is not answered. */
  renew?: () => Promise<unknown>;
}

/** Carries an operation out; or, with a number of database requests to let through, up to the next one. */
async function call(operation: Operation, caller: Caller, query: string, letThrough: number | undefined) {
  await caller.renew?.();
  const service = openService();
  if (letThrough) await service.injectFault({ fault: "delay", times: letThrough });
  // Three, since a read is tried again.
  if (letThrough !== undefined) await service.injectFault({ fault: "not-json", times: 3 });
  const { person, ids } = caller;
  const answer = await service.call(operation.method, targetOf(operation, ids) + query, {
    ...optionsOf(operation, person),
    ...(creates(operation) && { headers: { "idempotency-key": crypto.randomUUID() } }),
  });
  const requests = await service.databaseRequests();
  const isComplete = letThrough === undefined || requests.length <= letThrough;
  if (isComplete && answer.status >= 400) {
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
  if (!operation.parameters.some(({ name }) => name === "cursor")) return [""];
  let cursor = "";
  for (let page = 0; page < pages; page++) {
    const { answer } = await call(operation, caller, `?limit=100${cursor}`, undefined);
    if (!answer.body.nextCursor) throw new Error(`${operation.name}: the list ends after ${page + 1} pages`);
    cursor = `&cursor=${answer.body.nextCursor}`;
  }
  return ["", "?limit=100", `?limit=20${cursor}`];
}
