import { describe, expect, it } from "vitest";
import { grantablePermissions } from "../src/permissions.ts";
import { giveApiKey } from "./support/api-keys.ts";
import { expectContract } from "./support/contract.ts";
import { contract, operations, optionsOf, targetOf } from "./support/operations.ts";
import { prepare } from "./support/prepare.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";

const withKeys = operations.guarded.filter(([, { takesApiKeys }]) => takesApiKeys);
const withoutKeys = operations.guarded.filter(([, { takesApiKeys }]) => !takesApiKeys);

describe("Every operation that takes an API key", () => {
  it.each(withKeys)("%s succeeds with the scopes that it asks for, in one request to the database", async (_, op) => {
    const service = openService();
    const { person, organization, ids } = await prepare(service, undefined, op);
    // Beside it what it answers with, and as much as the roles that it gives or takes.
    const permission = op.permission ?? "";
    const reading = grantablePermissions.find((name) => name === permission.replace(/:.*/, ":read"));
    const filling = /\/teams\/.+\/members\//.test(op.path) ? ["teams:write"] : [];
    const scopes = [permission, "organization:read", "members:read", ...(reading ? [reading] : []), ...filling];
    const { token } = await giveApiKey(organization.id, person.id, scopes);
    await service.databaseRequests();
    const answer = await service.call(op.method, targetOf(op, ids), { ...optionsOf(op, person), token });
    expectContract(contract, op, answer);
    const requests = await service.databaseRequests();
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.statements[0]?.params.slice(1, 3)).toEqual([organization.id, permission]);
  });

  it.each(withKeys)(
    "%s refuses a key with every other scope with 403, and of another organization with 404",
    async (_, op) => {
      const service = openService();
      const { person, organization, ids } = await prepare(service, undefined, op);
      const call = async (organizationId: string, userId: string, scopes: string[]) => {
        const { token } = await giveApiKey(organizationId, userId, scopes);
        const answer = await service.call(op.method, targetOf(op, ids), { ...optionsOf(op, person), token });
        expectContract(contract, op, answer);
        return answer;
      };
      const others = grantablePermissions.filter((name) => name !== op.permission);
      expectProblem(await call(organization.id, person.id, others), "forbidden");
      const stranger = await prepare(service);
      expectProblem(await call(stranger.organization.id, stranger.person.id, [...grantablePermissions]), "not_found");
    },
  );
});

describe("Every operation that takes a session", () => {
  it.each(withoutKeys)("%s refuses an API key with 403, and asks no database", async (_, op) => {
    const service = openService();
    const { person, organization, ids } = await prepare(service, undefined, op);
    const { token } = await giveApiKey(organization.id, person.id, [...grantablePermissions]);
    await service.databaseRequests();
    const answer = await service.call(op.method, targetOf(op, ids), { ...optionsOf(op, person), token });
    expectProblem(answer, "session_required");
    expectContract(contract, op, answer);
    expect(await service.databaseRequests()).toEqual([]);
  });
});
