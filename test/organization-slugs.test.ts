import { describe, expect, it } from "vitest";
import { asOwner, asWorker } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person, signUpPerson } from "./support/service.ts";

const service = openService();

type Caller = Pick<Person, "token">;

const newSlug = () => `slug-${crypto.randomUUID()}`;
const create = (by: Caller, body: { name: string; slug?: string }) =>
  service.call("POST", "/v1/organizations", { token: by.token, body });
const rename = (by: Caller, id: string, slug: string) =>
  service.call("PATCH", `/v1/organizations/${id}`, { token: by.token, body: { slug } });
const find = (by: Caller, slug: string, on = service) =>
  on.call("GET", `/v1/organization-slugs/${slug}`, { token: by.token });

/** Somebody with an organization of this slug. */
async function newOrganization(slug = newSlug()) {
  const owner = await signUpPerson(service);
  const { status, body } = await create(owner, { name: "Acme", slug });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return { owner, id: body.id as string, slug };
}

async function expectLeadsTo(by: Caller, from: string, to: string) {
  const { status, headers } = await find(by, from);
  expect([status, headers.get("location"), headers.get("cache-control")]).toEqual([
    308,
    `/v1/organization-slugs/${to}`,
    "no-store",
  ]);
}

/** As if that many days had passed since the slug was replaced. */
const age = (slug: string, days: number) =>
  asOwner([
    "update organization_slugs set replaced_at = replaced_at - $2::int * interval '1 day' where slug = $1",
    [slug, days],
  ]);

describe("GET /v1/organization-slugs/{organizationSlug}", () => {
  it("finds the organization, as its id does, in one database request", async () => {
    const { owner, id, slug } = await newOrganization();
    const counted = openService();
    const { status, body } = await find(owner, slug, counted);
    expect(status).toBe(200);
    expect(await counted.databaseRequests()).toHaveLength(1);
    expect(body).toEqual((await service.call("GET", `/v1/organizations/${id}`, { token: owner.token })).body);
  });

  it("leads from each slug that it had to the one it has now", async () => {
    const { owner, id, slug: first } = await newOrganization();
    const [second, third] = [newSlug(), newSlug()];
    expect((await rename(owner, id, second)).body.slug).toBe(second);
    await expectLeadsTo(owner, first, second);
    expect((await rename(owner, id, third)).body.slug).toBe(third);
    for (const former of [first, second]) await expectLeadsTo(owner, former, third);
    expect((await find(owner, third)).body.id).toBe(id);
  });

  it("tells nobody but members, of a slug that is, that was, and that never was", async () => {
    const { owner, id, slug } = await newOrganization();
    const next = newSlug();
    await rename(owner, id, next);
    const stranger = await signUpPerson(service);
    for (const asked of [slug, next, newSlug()]) expectProblem(await find(stranger, asked), "not_found");
    await service.call("DELETE", `/v1/organizations/${id}`, { token: owner.token });
    for (const asked of [slug, next]) expectProblem(await find(owner, asked), "not_found");
  });

  it("refuses what is no slug", async () => {
    const { owner } = await newOrganization();
    for (const asked of ["A", "Acme", "a--b", "x".repeat(64), "%20"]) {
      expectProblem(await find(owner, asked), "invalid_request");
    }
  });
});

describe("A slug that an organization had", () => {
  it("is nobody else's for 90 days, and by then anybody's", async () => {
    const { owner, id, slug } = await newOrganization();
    const heir = await newOrganization();
    await rename(owner, id, newSlug());
    expectProblem(await create(heir.owner, { name: "Heir", slug }), "slug_taken");
    expectProblem(await rename(heir.owner, heir.id, slug), "slug_taken");
    expect((await find(heir.owner, heir.slug)).status).toBe(200);
    await age(slug, 89);
    expectProblem(await rename(heir.owner, heir.id, slug), "slug_taken");
    await age(slug, 1);
    expectProblem(await find(owner, slug), "not_found");
    expect((await rename(heir.owner, heir.id, slug)).status).toBe(200);
    expect((await find(heir.owner, slug)).body.id).toBe(heir.id);
    await expectLeadsTo(heir.owner, heir.slug, slug);
    expectProblem(await find(owner, slug), "not_found");
  });

  it("is passed over when a slug is made from a name", async () => {
    const name = `Acme ${crypto.randomUUID()}`;
    const owner = await signUpPerson(service);
    const { body: first } = await create(owner, { name });
    await rename(owner, first.id, newSlug());
    const { status, body } = await create(await signUpPerson(service), { name });
    expect(status).toBe(201);
    expect(body.slug).toMatch(new RegExp(`^${first.slug}-[0-9a-f]{8}$`));
  });

  it("can be had again by the same organization", async () => {
    const { owner, id, slug } = await newOrganization();
    const next = newSlug();
    await rename(owner, id, next);
    expect((await rename(owner, id, slug)).status).toBe(200);
    expect((await find(owner, slug)).body.slug).toBe(slug);
    await expectLeadsTo(owner, next, slug);
  });

  it("is given up when there are ten later ones, and when the organization is purged", async () => {
    const { owner, id, slug } = await newOrganization();
    const slugs = Array.from({ length: 11 }, newSlug);
    for (const next of slugs) expect((await rename(owner, id, next)).status).toBe(200);
    expectProblem(await find(owner, slug), "not_found");
    for (const former of slugs.slice(0, 10)) await expectLeadsTo(owner, former, slugs[10] ?? "");
    const heir = await newOrganization(slug);
    await asOwner(["delete from organizations where id = $1", [id]]);
    expect((await rename(heir.owner, heir.id, slugs[3] ?? "")).status).toBe(200);
  });

  it("is forgotten by the clean-up after 90 days, and not before", async () => {
    const { owner, id, slug } = await newOrganization();
    const next = newSlug();
    await rename(owner, id, next);
    await rename(owner, id, newSlug());
    await age(slug, 91);
    await age(next, 89);
    await asWorker(["select app.purge_expired()"]);
    const [left] = await asOwner([
      "select slug from organization_slugs where slug in ($1, $2) order by slug",
      [slug, next],
    ]);
    expect(left).toEqual([{ slug: next }]);
  });

  it("goes to none of 50 that want it in the moment in which it is given up", async () => {
    const { owner, id, slug } = await newOrganization();
    const wanting = await signUpPerson(service);
    const attempts = Array.from({ length: 50 }, () => create(wanting, { name: "Heir", slug }));
    const [renamed, ...answers] = await Promise.all([rename(owner, id, newSlug()), ...attempts]);
    expect(renamed.status).toBe(200);
    for (const answer of answers) expectProblem(answer, "slug_taken");
  });

  it("is exchanged with another organization's by neither, ten times at once", async () => {
    const [one, other] = [await newOrganization(), await newOrganization()];
    const attempts = Array.from({ length: 10 }, () => [
      rename(one.owner, one.id, other.slug),
      rename(other.owner, other.id, one.slug),
    ]);
    for (const answer of await Promise.all(attempts.flat())) expectProblem(answer, "slug_taken");
    for (const { owner, slug, id } of [one, other]) expect((await find(owner, slug)).body.id).toBe(id);
  });
});
