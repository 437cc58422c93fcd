import { expect } from "vitest";
import { expectContract } from "./contract.ts";
import { contract, fillPath } from "./operations.ts";
import { expectProblem } from "./problems.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { type Answer, openService } from "./service.ts";

export const service = openService();

export type RoleName = "owner" | "admin" | "member" | "viewer";

export type Action = "read" | "update" | "delete" | "list members" | "change members" | "invite";

/** Who may do what, written down a second time. Each may do what those after it may, and more. */
const allowed: Record<RoleName, Action[]> = {
  owner: ["read", "update", "delete", "list members", "change members", "invite"],
  admin: ["read", "update", "list members", "change members", "invite"],
  member: ["read", "list members"],
  viewer: ["read"],
};

export const roleNames = Object.keys(allowed) as RoleName[];

/** What the service ought to know, by numbers of our own. */
export interface Model {
  people: { email: string; password: string; name: string; isVerified: boolean }[];
  sessions: ModelSession[];
  organizations: ModelOrganization[];
  invitations: ModelInvitation[];
  /** First answers and their requests, by person and key. */
  created: Map<string, { request: string; answer: unknown }>;
}

export interface ModelSession {
  person: number;
  isAlive: boolean;
  generation: number;
  /** When its tokens were rotated; undefined once the token before the current one is good no more. */
  rotatedAt: number | undefined;
}

export interface ModelOrganization {
  name: string;
  slug: string;
  isDeleted: boolean;
  /** By person, in alphabetical order. */
  roles: Map<number, RoleName[]>;
}

export interface ModelInvitation {
  organization: ModelOrganization;
  person: number;
  roles: RoleName[];
  /** Who sent it last. */
  inviter: number;
  isPending: boolean;
}

/** What stands for the model's numbers at the service. */
export interface Real {
  /** Makes addresses and slugs this run's own. */
  run: string;
  people: { id: string }[];
  sessions: { id: string; accessTokens: string[]; refreshTokens: string[] }[];
  organizations: { id: string }[];
  /** The last token is good. */
  invitations: { id: string; organizationId: string; tokens: string[] }[];
}

export const newModel = (): { model: Model; real: Real } => ({
  model: { people: [], sessions: [], organizations: [], invitations: [], created: new Map() },
  real: { run: crypto.randomUUID().slice(0, 13), people: [], sessions: [], organizations: [], invitations: [] },
});

/** The element that a number of any size stands for. */
export function pick<T>(list: T[], number: number): T {
  const item = list[number % list.length];
  if (item === undefined) throw new Error("there is none to pick");
  return item;
}

interface Call {
  token?: string | undefined;
  body?: unknown;
  ids?: Record<string, string>;
  query?: string;
  headers?: Record<string, string>;
}

/** Calls an operation by its name in the contract, and expects an answer that the contract has. */
export async function callOperation(name: string, { ids = {}, query = "", ...options }: Call): Promise<Answer> {
  const operation = contract.operations.find((candidate) => candidate.name === name);
  if (!operation) throw new Error(`there is no ${name}`);
  const answer = await service.call(operation.method, fillPath(operation.path, ids) + query, options);
  expectContract(contract, operation, answer);
  return answer;
}

/** Expects success, or the problem that is foreseen. */
export function expectOutcome(answer: Answer, problem: ErrorCode | undefined): boolean {
  if (problem) expectProblem(answer, problem);
  else expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return !problem;
}

/** Why this session may not do this to the organization; undefined when it may. */
export function refusal(session: ModelSession, organization: ModelOrganization, action: Action): ErrorCode | undefined {
  if (!session.isAlive) return "unauthenticated";
  const roles = organization.roles.get(session.person);
  if (organization.isDeleted || !roles) return "not_found";
  return roles.some((role) => allowed[role].includes(action)) ? undefined : "forbidden";
}

/** Whether some of these roles may do more than those of mine. */
export const isAbove = (given: RoleName[], mine: RoleName[]) => rank(given) < rank(mine);

const rank = (roles: RoleName[]) => Math.min(...roles.map((role) => roleNames.indexOf(role)));

/** Why this session may not give this person these roles, or none, in place of theirs; undefined when it may. */
export function refusalToChange(
  session: ModelSession,
  organization: ModelOrganization,
  person: number,
  roles: RoleName[],
): ErrorCode | undefined {
  const refused = refusal(session, organization, "change members");
  if (refused) return refused;
  const before = organization.roles.get(person);
  if (!before) return "not_found";
  const mine = organization.roles.get(session.person) ?? [];
  if (isAbove([...before, ...roles], mine)) return "role_above_own";
  return roles.includes("owner") ? undefined : refusalToLoseOwner(organization, person);
}

/** An organization keeps an owner. */
export const refusalToLoseOwner = ({ roles }: ModelOrganization, person: number): ErrorCode | undefined =>
  [...roles].every(([other, having]) => (other === person) === having.includes("owner")) ? "last_owner" : undefined;

/** Every page of a list, of which each but the last is full. */
export async function readAll(name: string, limit: number, call: Call): Promise<Answer<any[]>> {
  const items: any[] = [];
  let cursor = "";
  for (;;) {
    const query = `?limit=${limit}${cursor && `&cursor=${cursor}`}`;
    const answer: Answer = await callOperation(name, { ...call, query });
    if (answer.status !== 200) return answer;
    const { data, nextCursor } = answer.body;
    items.push(...data);
    expect(data.length).toBeLessThanOrEqual(limit);
    if (nextCursor === null) return { ...answer, body: items };
    expect(data).toHaveLength(limit);
    expect(nextCursor, "the list does not go on").not.toBe(cursor);
    cursor = nextCursor;
  }
}

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);

/** The organizations that this person ought to see, oldest first. */
export function visibleOrganizations({ organizations }: Model, real: Real, person: number) {
  return organizations
    .map(({ name, slug, isDeleted, roles }, i) => {
      const mine = isDeleted ? undefined : roles.get(person);
      return { id: real.organizations[i]?.id ?? "", name, slug, roles: mine ?? [] };
    })
    .filter((organization) => organization.roles.length > 0)
    .sort(byId);
}

/** The live sessions of this person, newest first. */
export function liveSessions({ sessions }: Model, real: Real, person: number, current: ModelSession) {
  return sessions
    .map((session, i) => ({ session, id: real.sessions[i]?.id ?? "" }))
    .filter(({ session }) => session.person === person && session.isAlive)
    .map(({ session, id }) => ({ id, current: session === current }))
    .sort((a, b) => byId(b, a));
}
