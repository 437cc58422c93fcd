import { beforeAll, describe, expect, it } from "vitest";
import { signUpVerified } from "../support/accounts.ts";
import { asOwner, asWorker } from "../support/database.ts";
import { membersOf, newHost } from "../support/invitations.ts";
import { type Answer, openService, type Person } from "../support/service.ts";
import { join, newSharingHost } from "../support/share-links.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

const service = openService();

let people: Person[];

beforeAll(async () => {
  people = await atOnce(() => signUpVerified());
});

type Caller = Pick<Person, "token">;

const remove = ({ token }: Caller, id: string) => service.call("DELETE", `/v1/organizations/${id}`, { token });
const restore = ({ token }: Caller, id: string) =>
  service.call("POST", `/v1/users/me/deleted-organizations/${id}/restore`, { token });
const countOf = async ({ token }: Caller, path: string) =>
  (await service.call("GET", path, { token })).body.data.length as number;

describe("50 at once", tenRounds, () => {
  it("join while the organization is deleted: who joined did so before, and afterwards nobody does", async () => {
    const host = await newSharingHost();
    const { id, token } = await host.share({ maxUses: 100 });
    const joinAs = (i: number) => join(people[i] as Person, token);
    const answers = await atOnce((i) => (i === 25 ? remove(host.owner, host.id) : joinAs(i)));
    expect(answers[25]?.status).toBe(204);
    const { 201: joined = 0, ...others } = tally(answers);
    for (const outcome of Object.keys(others)) expect(["204", "404 not_found"]).toContain(outcome);
    expect((await joinAs(25)).status).toBe(404);
    expect(await membersOf(host.id)).toHaveLength(joined + 1);
    expect(await host.usesOf(id)).toBe(joined);
  });

  it("delete and restore one organization: it is there or not, and one list has it", async () => {
    const { owner, id } = await newHost();
    const answers = await atOnce((i) => (i % 2 === 0 ? remove(owner, id) : restore(owner, id)));
    const outcomes = Object.keys(tally(answers));
    for (const outcome of outcomes) expect(["200", "204", "404 not_found"]).toContain(outcome);
    const restored = answers.filter((_, i) => i % 2 === 1);
    expectTally(restored, { 200: crowd / 2 });
    const found = await countOf(owner, "/v1/organizations");
    expect(found + (await countOf(owner, "/v1/users/me/deleted-organizations"))).toBe(1);
    expect((await service.call("GET", `/v1/organizations/${id}`, owner)).status).toBe(found === 1 ? 200 : 404);
  });

  it("restore one that is being purged: nobody does, and nothing of it is left", async () => {
    const { owner, id } = await newHost();
    await remove(owner, id);
    await asOwner(["update organizations set deleted_at = now() - interval '31 days' where id = $1", [id]]);
    const answers: Answer[] = [];
    await atOnce(async (i) => {
      if (i % 10 === 0) await asWorker(["select app.purge_expired()"]);
      else answers.push(await restore(owner, id));
    });
    expectTally(answers, { "404 not_found": crowd - 5 });
    const left = await asOwner(
      ["select from organizations where id = $1", [id]],
      ["select from memberships where organization_id = $1", [id]],
    );
    expect(left).toEqual([[], []]);
  });
});
