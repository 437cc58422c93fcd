import { describe, expect, inject, it } from "vitest";
import { makeStale } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, type Service, signUpPerson } from "./support/service.ts";
import { connectionInput, newConnectionOwner, giveConnection, newDomain, newIssuer } from "./support/sso.ts";

const service = openService();

const { owner, pathOf } = await newConnectionOwner();

const create = (body: Record<string, unknown>, by: Service = service, token = owner.token) =>
  by.call("POST", pathOf(), { token, body });

const refusal = (answer: { body: { errors: { path: string }[] } }) => answer.body.errors.map(({ path }) => path);

describe("POST /v1/organizations/{organizationId}/sso-connections", () => {
  it("adds one that is not verified, and shows the record that verifies it and nothing of the secret", async () => {
    const body = connectionInput();
    const answer = await create(body);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(String),
      domain: body.domain,
      txtRecord: {
        name: `_saas-challenge.${body.domain}`,
        value: expect.stringMatching(/^saas-verification=[\w-]{43}$/),
      },
      domainVerifiedAt: null,
      issuer: body.issuer,
      clientId: "a-client",
      redirectUri: "https://api.example.com/v1/auth/sso/callback",
      createdAt: expect.any(String),
      updatedAt: answer.body.createdAt,
    });
    const { body: read } = await service.call("GET", pathOf(answer.body.id), { token: owner.token });
    expect(read).toEqual(answer.body);
  });

  it("keeps the secret encrypted, for this connection alone", async () => {
    const body = connectionInput();
    const { body: one } = await create(body);
    const { body: two } = await create({ ...body, domain: newDomain() });
    const [rows] = await asOwner([
      "select encode(sealed_client_secret, 'escape') as sealed, c::text as all from sso_connections c where id = any ($1)",
      [`{${one.id},${two.id}}`],
    ]);
    expect(rows).toHaveLength(2);
    for (const row of rows ?? []) expect(JSON.stringify(row)).not.toContain(body.clientSecret);
    expect(rows?.[0]?.["sealed"]).not.toBe(rows?.[1]?.["sealed"]);
  });

  it("asks for another record each time", async () => {
    const [one, two] = await Promise.all([create(connectionInput()), create(connectionInput())]);
    expect(one.body.txtRecord.value).not.toBe(two.body.txtRecord.value);
  });

  it("answers a repetition with its key, and keeps no secret with it", async () => {
    const body = connectionInput();
    const headers = { "idempotency-key": crypto.randomUUID() };
    const send = () => service.call("POST", pathOf(), { token: owner.token, body, headers });
    const first = await send();
    expect((await send()).body).toEqual(first.body);
    const [kept] = await asOwner([
      "select k::text from idempotency_keys k where key = $1",
      [headers["idempotency-key"]],
    ]);
    expect(kept).toHaveLength(1);
    expect(JSON.stringify(kept)).not.toContain(body.clientSecret);
  });

  it("takes a domain in any case and script, as addresses have it", async () => {
    const name = crypto.randomUUID();
    expect((await create(connectionInput({ domain: `Acme-${name}.EXAMPLE` }))).body.domain).toBe(
      `acme-${name}.example`,
    );
    expect((await create(connectionInput({ domain: `bücher-${name}.example` }))).body.domain).toMatch(
      /^xn--bcher-.+\.example$/,
    );
  });

  it("refuses a second one of the same domain with 409", async () => {
    const body = connectionInput();
    expect((await create(body)).status).toBe(201);
    expectProblem(await create({ ...body, domain: body.domain.toUpperCase() }), "domain_taken");
  });

  it.each([
    "gmail.com",
    "Outlook.com",
    "icloud.com",
    "acme",
    "localhost",
    "acme.local",
    "127.0.0.1",
    "0x7f.1",
    "2130706433",
    "[::1]",
    "acme.example:8443",
    "acme.example/",
    "user@acme.example",
    "acme..example",
    "-acme.example",
    "acme.example.",
    "acme .example",
    "%61cme.example",
    "*.acme.example",
    "acme.123",
  ])("refuses the domain %s", async (domain) => {
    const answer = await create(connectionInput({ domain }));
    expectProblem(answer, "invalid_request");
    expect(refusal(answer)).toEqual(["body.domain"]);
  });

  it.each([
    "http://login.acme.com",
    "https://127.0.0.1",
    "https://127.1",
    "https://10.0.0.1/realm",
    "https://169.254.169.254/latest",
    "https://[::1]",
    "https://[fd00::1]/x",
    "https://localhost",
    "https://login.internal",
    "https://metadata.google.internal",
    "https://intranet",
    "https://0x7f000001",
    "https://user:password@login.acme.com",
    "https://login.acme.com?a=b",
    "https://login.acme.com#a",
    "https://login.acme.com/a/../b",
    "https://LOGIN.acme.com",
    "https://login.acme.com:443",
    "https://login.microsoftonline.com/{tenantid}/v2.0",
    "file:///etc/passwd",
    "not a url",
  ])("refuses the issuer %s, and asks nobody", async (issuer) => {
    const answer = await create(connectionInput({ issuer }));
    expectProblem(answer, "invalid_request");
    expect(refusal(answer)).toEqual(["body.issuer"]);
  });

  it("refuses this machine's own addresses in production", async () => {
    const production = openService({
      ENVIRONMENT: "production",
      EMAIL_VERIFICATION: "optional",
      BCRYPT_WORK_FACTOR: "10",
    });
    const answer = await create(connectionInput(), production);
    expectProblem(answer, "invalid_request");
    expect(refusal(answer)).toEqual(["body.issuer"]);
  });

  it.each(["error", "refused", "garbage", "html", "moved", "cut", "silent", "huge"])(
    "refuses an issuer whose server answers so: %s",
    async (failure) => {
      const answer = await create(connectionInput({ issuer: `${inject("scriptedProviderUrl")}/broken/${failure}` }));
      expectProblem(answer, "invalid_request");
      expect(refusal(answer)).toEqual(["body.issuer"]);
      expect(JSON.stringify(answer.body)).not.toContain("secret of theirs");
    },
  );

  it("refuses one whose metadata names another issuer, or the same written differently", async () => {
    const issuer = newIssuer();
    for (const other of [`${inject("scriptedProviderUrl")}/elsewhere`, `${issuer}/`, `${issuer}/more`]) {
      expectProblem(await create(connectionInput({ issuer: other })), "invalid_request");
    }
  });

  it("asks no server for somebody who may not add one", async () => {
    const stranger = await signUpPerson(service);
    const issuer = `${inject("scriptedProviderUrl")}/broken/silent`;
    const started = Date.now();
    expectProblem(await create(connectionInput({ issuer }), service, stranger.token), "not_found");
    expect(Date.now() - started).toBeLessThan(4_000);
  });

  it("asks for the password given within 10 minutes", async () => {
    const person = await signUpPerson(service);
    const { id } = await createOrganization(service, person);
    const { id: connectionId } = await giveConnection(id);
    await makeStale(person);
    const paths = [
      ["POST", pathOf(undefined, id), connectionInput()],
      ["PATCH", pathOf(connectionId, id), { clientId: "another" }],
      ["DELETE", pathOf(connectionId, id), undefined],
    ] as const;
    for (const [method, path, body] of paths) {
      const answer = await service.call(method, path, { token: person.token, ...(body && { body }) });
      expectProblem(answer, "reauthentication_required");
    }
  });

  it("says so where encryption, or the service's own address, is not set up", async () => {
    expectProblem(await create(connectionInput(), openService({ ENCRYPTION_KEY: undefined })), "encryption_off");
  });
});
