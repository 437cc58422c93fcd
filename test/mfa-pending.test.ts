import { describe, expect, it } from "vitest";
import { answersInvitation, joinsByDomain, takesDeleted, takesShareLink } from "./support/given-invitations.ts";
import { type Admission, admitStatement, readHandle } from "./support/admission.ts";
import { asWorker } from "./support/database.ts";
import { expectContract } from "./support/contract.ts";
import { beginSignIn, currentStep, giveRecoveryCodes, giveTotp, totpCode, verify } from "./support/factors.ts";
import { contract, operations, optionsOf, takesPending, targetOf } from "./support/operations.ts";
import { prepare, takesColleague } from "./support/prepare.ts";
import { takesPasskey } from "./support/passkeys.ts";
import { takesAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";
import { claimsOf, forge, forgeUnsigned } from "./support/tokens.ts";

const service = openService();

/** What a session is for before its second factor, and nothing else is. */
const pendingOperations = [
  "POST /v1/auth/mfa/verify",
  "POST /v1/auth/mfa/passkey",
  "POST /v1/auth/mfa/passkey-options",
];

const isPending = (name: string) => pendingOperations.includes(name);
const others = operations.guarded.filter(([name]) => !isPending(name));

async function makeClaimant() {
  const ada = await signUpPerson(service);
  const organization = await createOrganization(service, ada);
  const seed = await giveTotp(ada, true);
  const [recoveryCode] = await giveRecoveryCodes(ada, 1);
  const mfaToken = await beginSignIn(service, ada);
  const admission: Admission = { handle: await readHandle(mfaToken), organizationId: null, permission: null };
  return { ada, organization, seed, recoveryCode, mfaToken, admission };
}

const codeOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => "done",
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

/** What a path names beside its organization; more would set a second factor up. */
const needsMore = (name: string) =>
  [takesPasskey, takesColleague, answersInvitation, takesShareLink, joinsByDomain, takesDeleted].some((takes) =>
    takes(name),
  );

describe("A session that waits for its second factor", () => {
  it("has the operations whose contract says so, which are those that take the factor", () => {
    const open = operations.guarded.filter(([, operation]) => takesPending(operation));
    expect(open.map(([name]) => name).toSorted()).toEqual(pendingOperations.toSorted());
  });

  it.each(others)("is refused by %s with 401 mfa_required, and asks no database", async (_, operation) => {
    const counted = openService();
    const { person, ids } = await prepare(counted, undefined, needsMore(operation.name) ? operation : undefined);
    // An administrator has it already.
    if (!(needsMore(operation.name) && takesAdmin(operation.name))) await giveTotp(person, true);
    const token = await beginSignIn(counted, person);
    await counted.databaseRequests();
    const path = targetOf(operation, ids);
    const answer = await counted.call(operation.method, path, { ...optionsOf(operation, person), token });
    expectContract(contract, operation, answer);
    expectProblem(answer, "mfa_required");
    expect(await counted.databaseRequests()).toEqual([]);
  });

  it("is refused by the database as well, wherever the Worker does not say that it may wait", async () => {
    const { organization, admission } = await makeClaimant();
    const tenant = { organizationId: organization.id, permission: "organization:read" };
    for (const refused of [
      admission,
      { ...admission, fresh: true },
      { ...admission, verified: true },
      { ...admission, ...tenant },
      { ...admission, ...tenant, pending: true },
    ])
      expect(await codeOf(asWorker(admitStatement(refused)))).toBe("APMFA");
    expect(await codeOf(asWorker(admitStatement({ ...admission, pending: true })))).toBe("done");
  });

  it("sees no table, and is nobody to any function but those that take the factor", async () => {
    const { organization, admission } = await makeClaimant();
    const admit = admitStatement({ ...admission, pending: true });
    const [tables = []] = await asWorker([
      "select oid::regclass::text as tablename from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r' and has_any_column_privilege(oid, 'select') order by 1",
    ]);
    expect(tables.length).toBeGreaterThan(6);
    const statements = [
      "select app.user_id()",
      "select * from app.my_organizations(null, 10)",
      "select * from app.my_memberships(10)",
      `select app.create_organization('${crypto.randomUUID()}', 'Mine', '{mine}')`,
      `select app.enroll_totp('${crypto.randomUUID()}', '\\x00', '\\x00')`,
      "select * from app.begin_totp_activation('\\x00')",
      `select app.activate_totp('\\x00', '${crypto.randomUUID()}', '\\x00', 1, '{}', null, null, null, null)`,
      "select app.remove_totp(null, null, null, null)",
      "select app.replace_recovery_codes('{}')",
      "select * from app.begin_reauthentication('\\x00')",
      "select app.delete_account(null, null)",
    ];
    for (const statement of statements)
      expect([statement, await codeOf(asWorker(admit, [statement]))]).toEqual([statement, "APMFA"]);
    for (const { tablename } of tables) {
      const seen = asWorker(admit, [`select count(*)::int as n from ${tablename}`]).then(
        ([, rows]) => rows?.[0]?.["n"],
      );
      // Those of an organization are seen by whoever is in one, and this session is in none.
      const outcome = await seen.catch((error: { code?: string }) => error.code);
      expect([tablename, outcome]).toEqual([tablename, expect.toBeOneOf(["APMFA", 0])]);
    }
    const [, rows] = await asWorker(admit, ["select id from organizations where id = $1", [organization.id]]);
    expect(rows).toEqual([]);
  });

  it("is completed by no statement that has not read the seed", async () => {
    const { ada, admission } = await makeClaimant();
    const admit = admitStatement({ ...admission, pending: true });
    const [, begun] = await asWorker(admit, ["select id, sealed_seed from app.begin_totp('\\x01')"]);
    const { id, sealed_seed: sealed } = begun?.[0] ?? {};
    expect(sealed).toMatch(/^\\x[\da-f]{96}$/);
    for (const key of [sealed, "\\x00", null]) {
      const complete = "select * from app.verify_totp('\\x01', $1, $2::bytea, $3, '\\x05', '1 day', '1 day')";
      expect(await codeOf(asWorker(admit, [complete, [id, key, currentStep()]]))).toBe("APCOD");
    }
    expect((await service.call("GET", "/v1/auth/mfa", ada)).status).toBe(200);
  });

  it("keeps its access to nothing after it was completed, and the new token is good", async () => {
    const { seed, mfaToken, admission } = await makeClaimant();
    const { body } = await verify(service, mfaToken, { code: await totpCode(seed) });
    expect(await codeOf(asWorker(admitStatement({ ...admission, pending: true })))).toBe("AP401");
    const next = { ...admission, handle: await readHandle(body.accessToken) };
    expect(await codeOf(asWorker(admitStatement(next)))).toBe("done");
  });
});

describe("A forged mfaToken", () => {
  const now = () => Math.floor(Date.now() / 1000);
  const forgeries: Record<string, (token: string) => string | Promise<string>> = {
    "alg none": (token) => forgeUnsigned(token),
    "another secret": (token) =>
      forge(token, { key: new TextEncoder().encode("another-secret-for-tests-alone-Zq8vT3nLw5") }),
    "the audience of an access token": (token) => forge(token, { claims: { aud: "saas-backend-layer/api" } }),
    "the audience of a refresh token": (token) => forge(token, { claims: { aud: "saas-backend-layer/refresh" } }),
    "the type of an access token": (token) => forge(token, { header: { typ: "at+jwt" } }),
    "the type and the audience of an access token, and no second factor": (token) =>
      forge(token, { header: { typ: "at+jwt" }, claims: { aud: "saas-backend-layer/api", sid: "A".repeat(43) } }),
    "no type": (token) => forge(token, { header: { typ: undefined } }),
    "another issuer": (token) => forge(token, { claims: { iss: "somebody-else" } }),
    "an exp in the past": (token) => forge(token, { claims: { exp: now() - 60 } }),
    "no exp": (token) => forge(token, { claims: { exp: undefined } }),
    "an age of an hour": (token) => forge(token, { claims: { iat: now() - 3600, exp: now() + 3600 } }),
    "a handle that nobody has": (token) => forge(token, { claims: { sid: "A".repeat(43) } }),
  };

  it.each(Object.entries(forgeries))("with %s is 401", async (_, forgeToken) => {
    const { seed, mfaToken } = await makeClaimant();
    const forged = await forgeToken(mfaToken);
    expectProblem(await verify(service, forged, { code: await totpCode(seed) }), "unauthenticated");
    expect((await verify(service, mfaToken, { code: await totpCode(seed) })).status).toBe(200);
  });

  it("that is dressed up as an access token is stopped by the database", async () => {
    const { mfaToken } = await makeClaimant();
    const dressed = await forge(mfaToken, { header: { typ: "at+jwt" }, claims: { aud: "saas-backend-layer/api" } });
    expectProblem(await service.call("GET", "/v1/users/me", { token: dressed }), "mfa_required");
    const refreshing = await forge(mfaToken, {
      header: { typ: "refresh+jwt" },
      claims: { aud: "saas-backend-layer/refresh", gen: 1 },
    });
    expectProblem(
      await service.call("POST", "/v1/auth/refresh", { body: { refreshToken: refreshing } }),
      "unauthenticated",
    );
  });

  it("is told from an access token by the claims that each has", async () => {
    const { ada, mfaToken } = await makeClaimant();
    expect(claimsOf(mfaToken).aud).toBe("saas-backend-layer/mfa");
    expect(claimsOf(ada.token).aud).toBe("saas-backend-layer/api");
  });
});
