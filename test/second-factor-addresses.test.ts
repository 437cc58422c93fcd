import { describe, expect, it } from "vitest";
import { readMe, verifyAddress } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { addsFactor } from "./support/factors.ts";
import { operations, optionsOf } from "./support/operations.ts";
import { prepare } from "./support/prepare.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";

const service = openService();
const withoutMail = openService({ EMAIL_PROVIDER: undefined });
const adding = operations.all.filter(([name]) => addsFactor.has(name));

/** Whoever registered an address that is not theirs would keep its owner out for good with a factor of their own. */
describe("A second factor, where EMAIL_VERIFICATION is optional", () => {
  it.each(adding)("waits for the address, if mail can verify it: %s", async (_, operation) => {
    const { person } = await prepare(service, undefined, operation);
    const call = () => service.call(operation.method, operation.path, optionsOf(operation, person));
    await asOwner(["update users set email_verified_at = null where id = $1", [person.id]]);
    expectProblem(await call(), "email_unverified");
    expect((await readMe(person.token)).status).toBe(200);
    await verifyAddress(person);
    expect((await call()).status).toBeLessThan(300);
  });

  it.each(adding)("does not, where no mail is sent: %s", async (_, operation) => {
    const { person } = await prepare(service, undefined, operation);
    await asOwner(["update users set email_verified_at = null where id = $1", [person.id]]);
    const answer = await withoutMail.call(operation.method, operation.path, optionsOf(operation, person));
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  });
});
