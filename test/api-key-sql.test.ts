import { describe, expect, it } from "vitest";
import { newKeyHost } from "./support/api-keys.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { toBytea } from "./support/bytes.ts";

/** What the Worker sends the database for a key. */
const handleOf = async (key: string) =>
  toBytea(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key))));

describe("Hostile SQL in the transaction of an API key", () => {
  const admitKey = async (
    key: string,
    organizationId: string,
    permission: string,
    reads = false,
  ): Promise<[string, unknown[]]> => [
    "select set_config('role', 'app_user', true), app.admit_key($1::bytea, $2::uuid, $3, false, $4::boolean)",
    [await handleOf(key), organizationId, permission, reads],
  ];

  it("reaches no account, session or factor of its person", async () => {
    const host = await newKeyHost();
    const { token } = await host.make();
    const admit = await admitKey(token, host.id, "members:read");
    for (const table of ["users", "sessions", "passkeys", "identities", "totp_factors", "recovery_codes"]) {
      await expect(
        asWorker(admit, [`select user_id from ${table}`.replace("user_id from users", "id from users")]),
      ).rejects.toMatchObject({ code: "APSES" });
    }
    for (const call of [
      "app.user_id()",
      "app.session_id()",
      "app.claimant_passkeys()",
      "app.my_organizations(null, 10)",
      "app.delete_account()",
      "app.leave_organization()",
      "app.decline_ownership()",
      "app.create_organization(gen_random_uuid(), 'Mine', '{mine-own}')",
    ]) {
      await expect(asWorker(admit, [`select ${call}`]), call).rejects.toMatchObject({ code: "APSES" });
    }
  });

  it("writes nothing in a request that reads, and takes that not back", async () => {
    const host = await newKeyHost();
    const { token } = await host.make({ scopes: ["teams:write", "organization:update"] });
    const admit = await admitKey(token, host.id, "organization:read", true);
    await expect(asWorker(admit, ["update organizations set name = 'Taken'"])).rejects.toMatchObject({ code: "25006" });
    await expect(
      asWorker(admit, ["set transaction read write"], ["update organizations set name = 'Taken'"]),
    ).rejects.toMatchObject({
      code: "25001",
    });
    expect((await host.read(host.owner)).body.name).toBe("Acme");
  });

  it("is not let in by what is kept of a key, nor by the handle of a session", async () => {
    const host = await newKeyHost();
    const { id } = await host.make();
    const [[row] = []] = await asOwner(["select encode(key_hash, 'hex') as kept from api_keys where id = $1", [id]]);
    await expect(
      asWorker(["select app.admit_key($1::bytea, $2::uuid, 'members:read')", [`\\x${row?.["kept"]}`, host.id]]),
    ).rejects.toMatchObject({ code: "AP401" });
    const [[session] = []] = await asOwner([
      "select encode(handle_hash, 'hex') as kept from sessions where user_id = $1",
      [host.owner.id],
    ]);
    await expect(
      asWorker(["select app.admit_key($1::bytea, $2::uuid, 'members:read')", [`\\x${session?.["kept"]}`, host.id]]),
    ).rejects.toMatchObject({ code: "AP401" });
  });
});
