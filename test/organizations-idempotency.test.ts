import { describe, expect, it } from "vitest";
import { asOwner } from "./support/database.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";

const service = openService();

describe("Idempotency-Key on POST /v1/organizations", () => {
  const create = (token: string, key: string, name: string) =>
    service.call("POST", "/v1/organizations", { token, body: { name }, headers: { "idempotency-key": key } });

  it("answers the same key and body with the first answer, in one database request", async () => {
    const own = openService();
    const owner = await signUpPerson(own);
    const key = crypto.randomUUID();
    const send = () =>
      own.call("POST", "/v1/organizations", {
        token: owner.token,
        body: { name: "Once" },
        headers: { "idempotency-key": key },
      });
    const first = await send();
    await own.databaseRequests();
    const second = await send();
    expect(await own.databaseRequests()).toHaveLength(1);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect([first.headers.get("idempotent-replayed"), second.headers.get("idempotent-replayed")]).toEqual([
      null,
      "true",
    ]);
  });

  it("keeps the first answer although the organization has changed since", async () => {
    const owner = await signUpPerson(service);
    const key = crypto.randomUUID();
    const first = await create(owner.token, key, "Before");
    await service.call("PATCH", `/v1/organizations/${first.body.id}`, { token: owner.token, body: { name: "After" } });
    expect((await create(owner.token, key, "Before")).body).toEqual(first.body);
  });

  it("refuses the same key with another body with 422", async () => {
    const owner = await signUpPerson(service);
    const key = crypto.randomUUID();
    await create(owner.token, key, "One");
    const { status, body } = await create(owner.token, key, "Two");
    expect([status, body.code]).toEqual([422, "idempotency_key_reused"]);
  });

  it("creates one organization for 50 repetitions at once", async () => {
    const owner = await signUpPerson(service);
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 50 }, () => create(owner.token, key, "Once")));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const { body } = await service.call("GET", "/v1/organizations", { token: owner.token });
    expect(body.data).toHaveLength(1);
  });

  it("belongs to the person: another one's request under the same key is their own", async () => {
    const [ada, eve] = [await signUpPerson(service), await signUpPerson(service)];
    const key = crypto.randomUUID();
    const hers = await create(ada.token, key, "Secret plans");
    const theirs = await create(eve.token, key, "Secret plans");
    expect(theirs.headers.get("idempotent-replayed")).toBeNull();
    expect(theirs.body.id).not.toBe(hers.body.id);
  });

  it("forgets a request that failed, so that it can be repeated", async () => {
    const organization = await createOrganization(service, await signUpPerson(service));
    const owner = await signUpPerson(service);
    const headers = { "idempotency-key": crypto.randomUUID() };
    const body = { name: "Late", slug: organization.slug };
    const refused = await service.call("POST", "/v1/organizations", { token: owner.token, headers, body });
    expect(refused.status).toBe(409);
    // Its slug is free again once the organization is purged.
    await asOwner(["delete from organizations where id = $1", [organization.id]]);
    const repeated = await service.call("POST", "/v1/organizations", { token: owner.token, headers, body });
    expect(repeated.status).toBe(201);
  });

  it("is a new key after 24 hours", async () => {
    const owner = await signUpPerson(service);
    const key = crypto.randomUUID();
    const first = await create(owner.token, key, "One");
    await asOwner(["update idempotency_keys set created_at = now() - interval '25 hours' where key = $1", [key]]);
    const second = await create(owner.token, key, "Two");
    expect(second.status).toBe(201);
    expect(second.body.id).not.toBe(first.body.id);
  });
});
