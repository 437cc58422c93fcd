import { verifyAddress } from "./support/accounts.ts";
import { beforeAll, describe, expect, it } from "vitest";
import { expectContract } from "./support/contract.ts";
import { addMember, asOwner } from "./support/database.ts";
import { beginSignIn, enrolTotp, giveTotp, totpCode, verify } from "./support/factors.ts";
import { contract, operations, optionsOf, targetOf } from "./support/operations.ts";
import { prepare, type Prepared } from "./support/prepare.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();

const patch = ({ token }: { token: string }, id: string, body: unknown) =>
  service.call("PATCH", `/v1/organizations/${id}`, { token, body });
const read = ({ token }: { token: string }, id: string) => service.call("GET", `/v1/organizations/${id}`, { token });

/** An organization that asks for a second factor, its owner with one, and a member without. */
async function makeDemand() {
  const owner = await signUpPerson(service);
  const { id } = await createOrganization(service, owner);
  await enrolTotp(service, owner);
  expect((await patch(owner, id, { mfaRequired: true })).status).toBe(200);
  const member = await signUpPerson(service);
  await addMember(id, member.id, "admin");
  return { owner, id, member };
}

describe("PATCH /v1/organizations/{organizationId} with mfaRequired", () => {
  it("is for sessions with a second factor, so that nobody locks themselves out", async () => {
    const owner = await signUpPerson(service);
    const { id } = await createOrganization(service, owner);
    const own = await read(owner, id);
    expect(own.body.mfaRequired).toBe(false);
    expectProblem(await patch(owner, id, { mfaRequired: true }), "mfa_enrollment_required");
    expectProblem(await patch(owner, id, { mfaRequired: true, name: "Renamed" }), "mfa_enrollment_required");
    expect((await read(owner, id)).body).toEqual(own.body);
    await enrolTotp(service, owner);
    const { status, body } = await patch(owner, id, { mfaRequired: true });
    expect([status, body.mfaRequired]).toEqual([200, true]);
  });

  it("can be taken back, and given again, by who has a second factor", async () => {
    const { owner, id, member } = await makeDemand();
    expect((await patch(owner, id, { mfaRequired: true })).body.mfaRequired).toBe(true);
    expect((await patch(owner, id, { name: "Renamed" })).body.mfaRequired).toBe(true);
    expectProblem(await patch(member, id, { mfaRequired: false }), "mfa_enrollment_required");
    expect((await patch(owner, id, { mfaRequired: false })).body.mfaRequired).toBe(false);
    expect((await read(member, id)).status).toBe(200);
  });

  it("needs the permission, whatever factors there are", async () => {
    const { id } = await makeDemand();
    const viewer = await signUpPerson(service);
    await addMember(id, viewer.id, "viewer");
    await enrolTotp(service, viewer);
    expectProblem(await patch(viewer, id, { mfaRequired: false }), "forbidden");
    expect((await read(viewer, id)).body.mfaRequired).toBe(true);
  });
});

describe("An organization that asks for a second factor", () => {
  /** Ids of one for every operation, of which none is changed: each is refused. */
  let prepared: Prepared;
  let member: Person;
  let outsider: Person;

  beforeAll(async () => {
    prepared = await prepare(service);
    [member, outsider] = [await signUpPerson(service), await signUpPerson(service)];
    await addMember(prepared.organization.id, member.id, "owner");
    for (const person of [prepared.person, member, outsider]) await verifyAddress(person);
    await giveTotp(prepared.person, true);
    const { status } = await patch(prepared.person, prepared.organization.id, { mfaRequired: true });
    if (status !== 200) throw new Error(`mfaRequired: ${status}`);
    await asOwner(
      ["delete from totp_factors where user_id = $1", [prepared.person.id]],
      ["update sessions set second_factor = null where user_id = $1", [prepared.person.id]],
    );
  });

  it.each(operations.tenant)(
    "is out of a session's reach that has none at %s, and not there for outsiders",
    async (_, op) => {
      const path = targetOf(op, { ...prepared.ids, userId: member.id });
      for (const [person, code] of [
        [prepared.person, "mfa_enrollment_required"],
        [member, "mfa_enrollment_required"],
        [outsider, "not_found"],
      ] as const) {
        const answer = await service.call(op.method, path, optionsOf(op, person));
        expectContract(contract, op, answer);
        expectProblem(answer, code);
      }
    },
  );

  it.each(operations.tenant)("is within reach at %s of who has one", async (_, op) => {
    const own = await prepare(service, undefined, op);
    await giveTotp(own.person, true);
    expect((await patch(own.person, own.organization.id, { mfaRequired: true })).status).toBe(200);
    const answer = await service.call(op.method, targetOf(op, own.ids), optionsOf(op, own.person));
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  });

  it("is not there for outsiders with a second factor either", async () => {
    const { id } = await makeDemand();
    const eve = await signUpPerson(service);
    await giveTotp(eve, true);
    expectProblem(await read(eve, id), "not_found");
  });

  it("lets a member in as soon as they have set an app up, in the same session", async () => {
    const { id, member } = await makeDemand();
    expectProblem(await read(member, id), "mfa_enrollment_required");
    const { seed } = await enrolTotp(service, member);
    expect((await read(member, id)).status).toBe(200);
    const { body } = await verify(service, await beginSignIn(service, member), { code: await totpCode(seed) });
    expect((await read({ token: body.accessToken }, id)).status).toBe(200);
  });

  it("is out of reach again for who gives their last second factor up", async () => {
    const { id, member } = await makeDemand();
    await enrolTotp(service, member);
    expect((await service.call("DELETE", "/v1/auth/mfa/totp", member)).status).toBe(204);
    expectProblem(await read(member, id), "mfa_enrollment_required");
    const signedIn = await signInPerson(service, member.email);
    expectProblem(await read(signedIn, id), "mfa_enrollment_required");
  });

  it("stays in the list of its members, who see why they do not get in", async () => {
    const { id, member } = await makeDemand();
    const other = await createOrganization(service, member, "Other");
    const { status, body } = await service.call("GET", "/v1/organizations", member);
    expect(status).toBe(200);
    const listed = body.data.map((organization: any) => [organization.id, organization.mfaRequired]);
    expect(listed).toEqual(
      expect.arrayContaining([
        [id, true],
        [other.id, false],
      ]),
    );
  });
});
