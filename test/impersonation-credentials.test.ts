import { describe, expect, it } from "vitest";
import { expectContract, type Operation } from "./support/contract.ts";
import { asOwner } from "./support/database.ts";
import { contract, operations, optionsOf, targetOf } from "./support/operations.ts";
import { prepare } from "./support/prepare.ts";
import { newAdmin, takesAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Service } from "./support/service.ts";

/** What touches what somebody is known by, or what lets in without them. */
const refused = new Set([
  "DELETE /v1/auth/mfa/totp",
  "DELETE /v1/auth/passkeys/{passkeyId}",
  "DELETE /v1/auth/sessions",
  "DELETE /v1/auth/sessions/{sessionId}",
  "DELETE /v1/organizations/{organizationId}/api-keys/{apiKeyId}",
  "DELETE /v1/organizations/{organizationId}/sso-connections/{connectionId}",
  "DELETE /v1/users/me",
  "DELETE /v1/users/me/identities/{identityId}",
  "GET /v1/organizations/{organizationId}/export",
  "GET /v1/users/me/export",
  "PATCH /v1/auth/passkeys/{passkeyId}",
  "PATCH /v1/organizations/{organizationId}/api-keys/{apiKeyId}",
  "PATCH /v1/organizations/{organizationId}/sso-connections/{connectionId}",
  "POST /v1/auth/change-email",
  "POST /v1/auth/change-email/confirm",
  "POST /v1/auth/change-password",
  "POST /v1/auth/mfa/passkey-options",
  "POST /v1/auth/mfa/recovery-codes",
  "POST /v1/auth/mfa/totp",
  "POST /v1/auth/mfa/totp/activate",
  "POST /v1/auth/passkeys/registration-options",
  "POST /v1/auth/reauthenticate",
  "POST /v1/auth/resend-verification",
  "POST /v1/auth/verify-email",
  // It verifies the address that it was sent to.
  "POST /v1/invitations/accept",
  "POST /v1/organizations/{organizationId}/api-keys",
  "POST /v1/organizations/{organizationId}/api-keys/{apiKeyId}/rotate",
  "POST /v1/organizations/{organizationId}/ownership-transfer",
  "POST /v1/organizations/{organizationId}/ownership-transfer/accept",
  "POST /v1/organizations/{organizationId}/sso-connections",
  "POST /v1/organizations/{organizationId}/webhook-endpoints",
  "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/rotate-secret",
  "POST /v1/users/me/identities",
]);

/** Those that a person can be acted for in: not by those of the platform, nor before the second factor. */
const walked = operations.signedIn.filter(([name]) => !takesAdmin(name));

/** Whoever has these can come in, or become somebody else. */
const credentials = `
  select (select jsonb_agg(to_jsonb(u) - 'name' - 'updated_at') from users u where u.id = $1) as users,
         (select jsonb_agg(to_jsonb(s) - 'last_used_at' order by s.id) from sessions s where s.user_id = $1 and s.impersonator_id is null) as sessions,
         (select jsonb_agg(to_jsonb(t) order by t.id) from one_time_tokens t where t.user_id = $1) as tokens,
         (select jsonb_agg(to_jsonb(f) order by f.id) from totp_factors f where f.user_id = $1) as apps,
         (select jsonb_agg(to_jsonb(c) order by c.key_hash) from recovery_codes c where c.user_id = $1) as codes,
         (select jsonb_agg(to_jsonb(p) order by p.id) from passkeys p where p.user_id = $1) as passkeys,
         (select jsonb_agg(to_jsonb(i) order by i.id) from identities i where i.user_id = $1) as identities,
         (select jsonb_agg(to_jsonb(k) order by k.id) from api_keys k where k.organization_id = $2) as keys,
         (select jsonb_agg(to_jsonb(c) order by c.id) from sso_connections c where c.organization_id = $2) as connections,
         (select jsonb_agg(jsonb_build_array(e.id, e.sealed_secret, e.previous_sealed_secret) order by e.id)
            from webhook_endpoints e where e.organization_id = $2) as webhooks`;

/** All that somebody has, and a token of an administrator who acts as them. */
async function prepareImpersonated(service: Service, operation: Operation) {
  const { person, ids } = await prepare(service, undefined, operation);
  const { impersonate } = await newAdmin();
  const { token } = await impersonate(person);
  const look = async () => (await asOwner([credentials, [person.id, ids.organizationId]]))[0]?.[0];
  return { person, ids, token, look };
}

describe("Whoever acts as somebody", () => {
  it("is refused by operations that the product has", () => {
    const names = walked.map(([name]) => name);
    expect([...refused].filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(walked)("%s: does it, or is refused where it touches what they are known by", async (name, operation) => {
    const service = openService();
    const { person, ids, token, look } = await prepareImpersonated(service, operation);
    const before = await look();
    const answer = await service.call(operation.method, targetOf(operation, ids), {
      ...optionsOf(operation, person),
      token,
    });
    expectContract(contract, operation, answer);
    if (refused.has(name)) expectProblem(answer, "impersonation_refused");
    // A challenge is good in the session that asked for it, and whoever acts as somebody gets none.
    else if (name === "POST /v1/auth/passkeys") expectProblem(answer, "passkey_refused");
    else expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    // What goes with the organization, or with a member, was theirs to do.
    if (!/^DELETE|leave$/.test(name) || refused.has(name)) expect(await look()).toEqual(before);
  });
});
