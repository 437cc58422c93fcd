import * as fc from "fast-check";
import { expect } from "vitest";
import { actor, actorAmong, command, type Command, hasSession } from "./model-accounts.ts";
import {
  callOperation,
  expectOutcome,
  type Model,
  pick,
  readAll,
  type Real,
  refusal,
  type RoleName,
  visibleOrganizations,
} from "./model.ts";

export const hasOrganization = (model: Model) => hasSession(model) && model.organizations.length > 0;

/** One of a few slugs, so that they meet. */
const slugOf = ({ run }: Real, slug: number) => `${run}-${slug}`;

const isTaken = ({ organizations }: Model, slug: string | undefined, except?: unknown) =>
  organizations.some((other) => other !== except && !other.isDeleted && other.slug === slug);

export const create = (number: number, name: string, slugNumber: number | undefined, key: number | undefined) =>
  command(
    "create",
    [number, name, slugNumber, key],
    async (model, real) => {
      const { session, token } = actor(model, real, number);
      const slug = slugNumber === undefined ? undefined : slugOf(real, slugNumber);
      const body = { name, slug };
      const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": `${key}` };
      const answer = await callOperation("POST /v1/organizations", { token, body, headers });

      const request = JSON.stringify(body);
      const first = key === undefined ? undefined : model.created.get(`${session.person} ${key}`);
      if (!session.isAlive) expectOutcome(answer, "unauthenticated");
      else if (first && first.request !== request) expectOutcome(answer, "idempotency_key_reused");
      else if (first) {
        expect(answer.body).toEqual(first.answer);
        expect(answer.headers.get("idempotent-replayed")).toBe("true");
      } else if (expectOutcome(answer, isTaken(model, slug) ? "slug_taken" : undefined)) {
        expect(answer.body).toMatchObject({ name, roles: ["owner"], ...(slug && { slug }) });
        expect(answer.headers.has("idempotent-replayed")).toBe(false);
        const roles = new Map<number, RoleName[]>([[session.person, ["owner"]]]);
        model.organizations.push({ name, slug: answer.body.slug, isDeleted: false, roles });
        real.organizations.push({ id: answer.body.id });
        if (key !== undefined) model.created.set(`${session.person} ${key}`, { request, answer: answer.body });
      }
    },
    hasSession,
  );

/** What a command on an organization needs to know of it. */
export function target(model: Model, real: Real, number: number, which: number) {
  const organization = pick(model.organizations, which);
  const ids = { organizationId: pick(real.organizations, which).id };
  return { ...actorAmong(model, real, number, (person) => organization.roles.has(person)), organization, ids };
}

const read = (number: number, which: number) =>
  command(
    "read",
    [number, which],
    async (model, real) => {
      const { session, token, organization, ids } = target(model, real, number, which);
      const answer = await callOperation("GET /v1/organizations/{organizationId}", { token, ids });
      if (!expectOutcome(answer, refusal(session, organization, "read"))) return;
      const { name, slug, roles } = organization;
      expect(answer.body).toMatchObject({ id: ids.organizationId, name, slug, roles: roles.get(session.person) });
    },
    hasOrganization,
  );

const update = (number: number, which: number, name: string | undefined, slugNumber: number | undefined) =>
  command(
    "update",
    [number, which, name, slugNumber],
    async (model, real) => {
      const { session, token, organization, ids } = target(model, real, number, which);
      const slug = slugNumber === undefined ? undefined : slugOf(real, slugNumber);
      const answer = await callOperation("PATCH /v1/organizations/{organizationId}", {
        token,
        ids,
        body: { name, slug },
      });
      const taken = isTaken(model, slug, organization) ? "slug_taken" : undefined;
      if (!expectOutcome(answer, refusal(session, organization, "update") ?? taken)) return;
      Object.assign(organization, { ...(name && { name }), ...(slug && { slug }) });
      expect(answer.body).toMatchObject({ id: ids.organizationId, name: organization.name, slug: organization.slug });
    },
    hasOrganization,
  );

const remove = (number: number, which: number) =>
  command(
    "remove",
    [number, which],
    async (model, real) => {
      const { session, token, organization, ids } = target(model, real, number, which);
      const answer = await callOperation("DELETE /v1/organizations/{organizationId}", { token, ids });
      if (expectOutcome(answer, refusal(session, organization, "delete"))) organization.isDeleted = true;
    },
    hasOrganization,
  );

export const list = (number: number, limit: number) =>
  command(
    "list",
    [number, limit],
    async (model, real) => {
      const { session, token } = actor(model, real, number);
      const answer = await readAll("GET /v1/organizations", limit, { token });
      if (!expectOutcome(answer, session.isAlive ? undefined : "unauthenticated")) return;
      const seen = answer.body.map(({ id, name, slug, roles }) => ({ id, name, slug, roles }));
      expect(seen).toEqual(visibleOrganizations(model, real, session.person));
    },
    hasSession,
  );

const number = fc.nat(1_000);
const names = fc.constantFrom("Acme", "Umbrella", "会社");
const slugs = fc.option(fc.nat(3), { nil: undefined });
const limits = fc.constantFrom(1, 2, 100);

/** Those that others depend on are there more than once, and so come more often. */
export const organizationCommands: fc.Arbitrary<Command>[] = [
  ...[1, 2].map(() =>
    fc.tuple(number, names, slugs, fc.option(fc.nat(1), { nil: undefined })).map((args) => create(...args)),
  ),
  ...[1, 2].map(() => fc.tuple(number, number).map((args) => read(...args))),
  fc
    .tuple(number, number, fc.option(names, { nil: undefined }), slugs)
    .map(([who, which, name, slug]) => update(who, which, name ?? (slug === undefined ? "Acme" : undefined), slug)),
  fc.tuple(number, number).map((args) => remove(...args)),
  fc.tuple(number, limits).map((args) => list(...args)),
];
