import { describe, expect, it } from "vitest";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import {
  type Answer,
  createOrganization,
  type Fault,
  openService,
  type Person,
  type Service,
  signUpPerson,
} from "./support/service.ts";

/** A service whose database requests fail from now on, and the person it serves. */
async function openFaulty(...faults: Fault[]): Promise<{ service: Service; ada: Person; organizationId: string }> {
  const sound = openService();
  const ada = await signUpPerson(sound);
  const { id } = await createOrganization(sound, ada, "Before");
  const service = openService();
  for (const fault of faults) await service.injectFault(fault);
  return { service, ada, organizationId: id };
}

function expectUnavailable(answer: Answer): void {
  expectProblem(answer, "unavailable");
  expect(answer.headers.get("retry-after")).toBe("2");
}

const countRequests = async (service: Service) => (await service.databaseRequests()).length;

const unknownOutcomes: Fault[] = [
  { fault: "refuse" },
  { fault: "drop-before" },
  { fault: "drop-during", statement: 0 },
  { fault: "drop-during", statement: 1 },
  { fault: "drop-during", statement: 99 },
  { fault: "drop-after" },
  { fault: "truncate" },
  { fault: "not-json" },
];
/** After these the database has done what it was asked. */
const committed = ["drop-after", "truncate"];

describe("a read", () => {
  const paths = ["/v1/users/me", "/v1/organizations", "/v1/organizations/{id}", "/v1/organizations/{id}/members"];

  it.each([...unknownOutcomes, { fault: "error-500" } satisfies Fault])(
    "is repeated when the database fails once: $fault $statement",
    async (fault) => {
      const { service, ada, organizationId } = await openFaulty();
      for (const path of paths) {
        await service.injectFault(fault);
        const { status } = await service.call("GET", path.replace("{id}", organizationId), ada);
        expect(status, path).toBe(200);
        const requests = await service.databaseRequests();
        expect(requests.map(({ status }) => status).at(-1)).toBe(200);
        expect(requests).toHaveLength(2);
        for (const { readOnly } of requests.slice(1)) expect(readOnly).toBe(true);
      }
    },
  );

  it("is repeated twice, and then answered with 503", async () => {
    for (const fault of [...unknownOutcomes, { fault: "error-500" } satisfies Fault]) {
      const { service, ada } = await openFaulty({ ...fault, times: 50 });
      expectUnavailable(await service.call("GET", "/v1/users/me", ada));
      expect(await countRequests(service)).toBe(3);
    }
  });

  it("succeeds at the third attempt", async () => {
    const { service, ada } = await openFaulty({ fault: "not-json" }, { fault: "refuse" });
    expect((await service.call("GET", "/v1/users/me", ada)).status).toBe(200);
    expect(await countRequests(service)).toBe(3);
  });

  it("is not repeated when the database has refused it", async () => {
    const { service, ada } = await openFaulty();
    const stranger = await signUpPerson(openService());
    const { id } = await createOrganization(openService(), stranger);
    expectProblem(await service.call("GET", `/v1/organizations/${id}`, ada), "not_found");
    expect(await countRequests(service)).toBe(1);
  });
});

describe("a database that hangs", () => {
  it("is given up after five seconds, by reads and writes, and nothing is written later", async () => {
    const { service, ada, organizationId } = await openFaulty({ fault: "delay", milliseconds: 10_000, times: 2 });
    const started = Date.now();
    const path = `/v1/organizations/${organizationId}`;
    const answers = await Promise.all([
      service.call("GET", "/v1/users/me", ada),
      service.call("PATCH", path, { token: ada.token, body: { name: "After" } }),
    ]);
    for (const answer of answers) expectUnavailable(answer);
    expect(Date.now() - started).toBeLessThan(6_500);
    expect(await countRequests(service)).toBe(2);
    expect((await service.call("GET", path, ada)).body.name).toBe("Before");
  });

  it("is waited for when it is only slow", async () => {
    const { service, ada } = await openFaulty({ fault: "delay", milliseconds: 700 });
    const { status, headers } = await service.call("GET", "/v1/users/me", ada);
    expect(status).toBe(200);
    expect(Number(/db;dur=(\d+)/.exec(headers.get("server-timing") ?? "")?.[1])).toBeGreaterThanOrEqual(690);
  });
});

describe("a write whose outcome nobody knows", () => {
  it.each(unknownOutcomes)("creates whole or not at all, and is sent once: $fault $statement", async (fault) => {
    const { service, ada } = await openFaulty(fault);
    const slug = `slug-${crypto.randomUUID()}`;
    expectUnavailable(
      await service.call("POST", "/v1/organizations", { token: ada.token, body: { name: "New", slug } }),
    );
    expect(await countRequests(service)).toBe(1);
    const [organizations, memberships] = await asOwner(
      ["select id from organizations where slug = $1", [slug]],
      ["select role from membership_roles join organizations on id = organization_id where slug = $1", [slug]],
    );
    const effect = committed.includes(fault.fault) ? 1 : 0;
    expect(organizations).toHaveLength(effect);
    expect(memberships).toEqual(effect ? [{ role: "owner" }] : []);
  });

  it.each(unknownOutcomes)("updates or does not, and is sent once: $fault $statement", async (fault) => {
    const { service, ada, organizationId } = await openFaulty(fault);
    const change = { token: ada.token, body: { name: "After" } };
    expectUnavailable(await service.call("PATCH", `/v1/organizations/${organizationId}`, change));
    expect(await countRequests(service)).toBe(1);
    const [rows] = await asOwner(["select name from organizations where id = $1", [organizationId]]);
    expect(rows).toEqual([{ name: committed.includes(fault.fault) ? "After" : "Before" }]);
  });

  it.each(unknownOutcomes)("deletes or does not, and is sent once: $fault $statement", async (fault) => {
    const { service, ada, organizationId } = await openFaulty(fault);
    expectUnavailable(await service.call("DELETE", `/v1/organizations/${organizationId}`, ada));
    expect(await countRequests(service)).toBe(1);
    const [left] = await asOwner([
      "select deleted_at is not null as deleted from organizations where id = $1",
      [organizationId],
    ]);
    expect(left).toEqual([{ deleted: committed.includes(fault.fault) }]);
  });

  it("says how to find out", async () => {
    const { service, ada } = await openFaulty({ fault: "drop-after" });
    const { body } = await service.call("POST", "/v1/organizations", { token: ada.token, body: { name: "New" } });
    expect(body.detail).toContain("Idempotency-Key");
  });

  it.each(unknownOutcomes)("is done once when it is repeated with its key: $fault $statement", async (fault) => {
    const { service, ada } = await openFaulty(fault);
    const name = `Named ${crypto.randomUUID()}`;
    const create = () =>
      service.call("POST", "/v1/organizations", {
        token: ada.token,
        body: { name },
        headers: { "idempotency-key": name.replace(" ", "-") },
      });
    expectUnavailable(await create());
    const [second, third] = [await create(), await create()];
    expect([second.status, third.status]).toEqual([201, 201]);
    expect(second.headers.get("idempotent-replayed")).toBe(committed.includes(fault.fault) ? "true" : null);
    expect(third.headers.get("idempotent-replayed")).toBe("true");
    expect(third.body).toEqual(second.body);
    const [rows] = await asOwner(["select id, name from organizations where name = $1", [name]]);
    expect(rows).toEqual([{ id: second.body.id, name }]);
  });

  it("is done once for a sign-up and for a refresh, too", async () => {
    const { service, ada } = await openFaulty({ fault: "drop-after", times: 2 });
    const body = { email: `${crypto.randomUUID()}@example.com`, password: ada.password, name: "Grace" };
    // Without a mail, whose sending would meet the second fault.
    const settings = { EMAIL_PROVIDER: undefined };
    const headers = { "idempotency-key": body.email };
    const signUp = () => service.call("POST", "/v1/auth/sign-up", { body, headers, settings });
    const refresh = () => service.call("POST", "/v1/auth/refresh", { body: { refreshToken: ada.refreshToken } });
    expectUnavailable(await signUp());
    expectUnavailable(await refresh());
    expect(await signUp()).toMatchObject({ status: 201, body: { email: body.email, name: "Grace" } });
    const { status, body: tokens } = await refresh();
    expect(status).toBe(200);
    expect((await service.call("GET", "/v1/users/me", { token: tokens.accessToken })).status).toBe(200);
  });
});

describe("a write that was certainly not begun", () => {
  it("is repeated, and done once", async () => {
    const { service, ada, organizationId } = await openFaulty({ fault: "error-500", times: 2 });
    const name = `Named ${crypto.randomUUID()}`;
    const created = await service.call("POST", "/v1/organizations", { token: ada.token, body: { name } });
    expect(created.status).toBe(201);
    expect(await countRequests(service)).toBe(3);
    expect(await asOwner(["select id from organizations where name = $1", [name]])).toEqual([
      [{ id: created.body.id }],
    ]);
    await service.injectFault({ fault: "error-500" });
    expect((await service.call("DELETE", `/v1/organizations/${organizationId}`, ada)).status).toBe(204);
  });

  it("is answered with 503 when that lasts", async () => {
    const { service, ada } = await openFaulty({ fault: "error-500", times: 50 });
    const answer = await service.call("POST", "/v1/organizations", { token: ada.token, body: { name: "New" } });
    expectUnavailable(answer);
    expect(answer.body.detail).not.toContain("may or may not");
    expect(await countRequests(service)).toBe(3);
  });
});
