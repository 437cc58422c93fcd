import { readContract, type Operation } from "./contract.ts";
import { asOwner } from "./database.ts";
import { createOrganization, goodPassword, newEmail, type Person, type Service, signUpPerson } from "./service.ts";

/** The service's contract as /openapi.json states it, so that a new route is held to everything by being mounted. */
export const contract = await readContract();

const named = contract.operations.map((operation): [string, Operation] => [operation.name, operation]);

/** Rows for it.each. */
export const operations = {
  all: named,
  guarded: named.filter(([, { isGuarded }]) => isGuarded),
  /** Those of an organization. */
  tenant: named.filter(([, { permission }]) => permission),
  withBody: named.filter(([, { bodySchema }]) => bodySchema),
  withParameters: named.filter(([, { parameters }]) => parameters.some(({ in: place }) => place !== "header")),
  /** Whose path names something that is somebody's. */
  owned: named.filter(([, { path }]) => path.includes("{")),
};

/** A right body for every operation that takes one; a new route gets its own here. */
const bodies: Record<string, (person: Person) => Record<string, unknown>> = {
  "POST /v1/auth/sign-up": () => ({ email: newEmail(), password: goodPassword, name: "Ada" }),
  "POST /v1/auth/sign-in": ({ email, password }) => ({ email, password }),
  "POST /v1/auth/refresh": ({ refreshToken }) => ({ refreshToken }),
  "PATCH /v1/users/me": () => ({ name: "Ada King" }),
  "POST /v1/organizations": () => ({ name: "Acme" }),
  "PATCH /v1/organizations/{organizationId}": () => ({ name: "Acme" }),
};

export function bodyOf({ name, bodySchema }: Operation, person: Person): Record<string, unknown> | undefined {
  if (!bodySchema) return undefined;
  const body = bodies[name];
  if (!body) throw new Error(`give ${name} a body in support/operations.ts`);
  return body(person);
}

/** What to call the operation with as this person, or as nobody when it is open to all. */
export function optionsOf(operation: Operation, person: Person) {
  const body = bodyOf(operation, person);
  return { ...(body && { body }), ...(operation.isGuarded && { token: person.token }) };
}

/** Puts ids into a path; one that nobody has made is an error. */
export const fillPath = (path: string, ids: Record<string, string>) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (!id) throw new Error(`prepare() makes no ${name}`);
    return id;
  });

/** The path with ids that nobody has. */
export const strangePath = (path: string) => path.replaceAll(/\{\w+\}/g, () => crypto.randomUUID());

export interface Prepared {
  person: Person;
  organization: { id: string; slug: string };
  /** What the parameters of paths stand for. */
  ids: { organizationId: string; sessionId: string };
}

/** A person with an organization, and the real ids for a path. */
export async function prepare(service: Service, name?: string): Promise<Prepared> {
  const person = await signUpPerson(service, name);
  const organization = await createOrganization(service, person, name);
  const [rows] = await asOwner(["select id from sessions where user_id = $1", [person.id]]);
  return { person, organization, ids: { organizationId: organization.id, sessionId: String(rows?.[0]?.["id"]) } };
}
