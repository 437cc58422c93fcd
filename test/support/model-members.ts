import * as fc from "fast-check";
import { expect } from "vitest";
import { addMember } from "./database.ts";
import { command, type Command } from "./model-accounts.ts";
import { hasOrganization, target } from "./model-organizations.ts";
import {
  callOperation,
  expectOutcome,
  pick,
  readAll,
  refusal,
  refusalToChange,
  refusalToLoseOwner,
  type RoleName,
  roleNames,
} from "./model.ts";

const list = (number: number, which: number, limit: number) =>
  command(
    "listMembers",
    [number, which, limit],
    async (model, real) => {
      const { session, token, organization, ids } = target(model, real, number, which);
      const answer = await readAll("GET /v1/organizations/{organizationId}/members", limit, { token, ids });
      if (!expectOutcome(answer, refusal(session, organization, "list members"))) return;
      const members = [...organization.roles].map(([person, roles]) => {
        const { email, name } = pick(model.people, person);
        return { userId: pick(real.people, person).id, email, name, roles };
      });
      const seen = answer.body.map(({ userId, email, name, roles }) => ({ userId, email, name, roles }));
      expect(seen).toEqual(members.sort((a, b) => (a.userId < b.userId ? -1 : 1)));
    },
    hasOrganization,
  );

export const add = (which: number, who: number, role: RoleName) =>
  command(
    "addMember",
    [which, who, role],
    async (model, real) => {
      const person = who % model.people.length;
      await addMember(pick(real.organizations, which).id, pick(real.people, person).id, role);
      pick(model.organizations, which).roles.set(person, [role]);
    },
    (model) => {
      if (!hasOrganization(model)) return false;
      const { isDeleted, roles } = pick(model.organizations, which);
      return !isDeleted && !roles.has(who % model.people.length);
    },
  );

const setRoles = (number: number, which: number, who: number, roles: RoleName[]) =>
  command(
    "setRoles",
    [number, which, who, roles],
    async (model, real) => {
      const { session, token, organization, ids } = target(model, real, number, which);
      const person = who % model.people.length;
      const userId = pick(real.people, person).id;
      const answer = await callOperation("PATCH /v1/organizations/{organizationId}/members/{userId}", {
        token,
        ids: { ...ids, userId },
        body: { roles },
      });
      if (!expectOutcome(answer, refusalToChange(session, organization, person, roles))) return;
      organization.roles.set(person, roles.toSorted());
      expect(answer.body).toMatchObject({ userId, roles: roles.toSorted() });
    },
    hasOrganization,
  );

const remove = (number: number, which: number, who: number) =>
  command(
    "removeMember",
    [number, which, who],
    async (model, real) => {
      const { session, token, organization, ids } = target(model, real, number, which);
      const person = who % model.people.length;
      const answer = await callOperation("DELETE /v1/organizations/{organizationId}/members/{userId}", {
        token,
        ids: { ...ids, userId: pick(real.people, person).id },
      });
      if (expectOutcome(answer, refusalToChange(session, organization, person, []))) organization.roles.delete(person);
    },
    hasOrganization,
  );

const leave = (number: number, which: number) =>
  command(
    "leave",
    [number, which],
    async (model, real) => {
      const { session, token, organization, ids } = target(model, real, number, which);
      const answer = await callOperation("POST /v1/organizations/{organizationId}/leave", { token, ids });
      const refused = refusal(session, organization, "read") ?? refusalToLoseOwner(organization, session.person);
      if (expectOutcome(answer, refused)) organization.roles.delete(session.person);
    },
    hasOrganization,
  );

const number = fc.nat(1_000);

/** What members lose their roles by, or their membership, or are given others. */
export const memberChanges: fc.Arbitrary<Command>[] = [
  ...[1, 2].map(() =>
    fc
      .tuple(number, number, number, fc.uniqueArray(fc.constantFrom(...roleNames), { minLength: 1, maxLength: 2 }))
      .map((args) => setRoles(...args)),
  ),
  fc.tuple(number, number, number).map((args) => remove(...args)),
  fc.tuple(number, number).map((args) => leave(...args)),
];

/** Those that others depend on are there more than once, and so come more often. */
export const memberCommands: fc.Arbitrary<Command>[] = [
  ...[1, 2, 3].map(() => fc.tuple(number, number, fc.constantFrom(...roleNames)).map((args) => add(...args))),
  ...memberChanges,
  ...[1, 2].map(() => fc.tuple(number, number, fc.constantFrom(1, 2, 100)).map((args) => list(...args))),
];
