import { describe, expect, it } from "vitest";
import { signUpVerified } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { lastMailTo } from "./support/mailbox.ts";
import { addPasskey, askToSignIn, beginSignIn, signInWith } from "./support/passkeys.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signInPerson } from "./support/service.ts";

const service = openService();

describe("GET /v1/auth/passkeys", () => {
  it("lists the person's own passkeys by pages, newest first, without keys", async () => {
    const [ada, grace] = [await signUpVerified(), await signUpVerified()];
    await addPasskey(grace);
    const ids = [];
    for (let n = 0; n < 3; n++) ids.unshift((await addPasskey(ada)).passkey.id);
    const { body: first } = await service.call("GET", "/v1/auth/passkeys?limit=2", ada);
    const { body: rest } = await service.call("GET", `/v1/auth/passkeys?limit=2&cursor=${first.nextCursor}`, ada);
    expect([...first.data, ...rest.data].map(({ id }: { id: string }) => id)).toEqual(ids);
    expect(rest.nextCursor).toBeNull();
    expect(Object.keys(first.data[0]).toSorted()).toEqual(["backedUp", "createdAt", "id", "lastUsedAt", "name"]);
  });
});

describe("PATCH /v1/auth/passkeys/{passkeyId}", () => {
  it("renames the person's own passkey, and no other's", async () => {
    const [ada, grace] = [await signUpVerified(), await signUpVerified()];
    const { passkey } = await addPasskey(ada);
    const rename = (token: string) =>
      service.call("PATCH", `/v1/auth/passkeys/${passkey.id}`, { token, body: { name: "Old phone" } });
    expectProblem(await rename(grace.token), "not_found");
    expect((await rename(ada.token)).body).toMatchObject({ id: passkey.id, name: "Old phone" });
  });
});

describe("DELETE /v1/auth/passkeys/{passkeyId}", () => {
  const remove = (token: string, id: string) => service.call("DELETE", `/v1/auth/passkeys/${id}`, { token });

  it("removes the person's own passkey, which signs in no more, and mails a notice", async () => {
    const [ada, grace] = [await signUpVerified(), await signUpVerified()];
    const { authenticator, passkey } = await addPasskey(ada);
    expectProblem(await remove(grace.token, passkey.id), "not_found");
    expect((await remove(ada.token, passkey.id)).status).toBe(204);
    expectProblem(await remove(ada.token, passkey.id), "not_found");
    expectProblem(await signInWith(await authenticator.get(await askToSignIn())), "invalid_passkey");
    expect((await lastMailTo(ada.email)).subject).toBe("A passkey was removed from your account");
  });

  it("takes the recovery codes with the last factor alone, and sign-in asks for the password again", async () => {
    const ada = await signUpVerified();
    const [first, second] = [await addPasskey(ada), await addPasskey(ada)];
    const codes = async () => (await asOwner(["select from recovery_codes where user_id = $1", [ada.id]]))[0]?.length;
    await remove(ada.token, first.passkey.id);
    expect(await codes()).toBe(10);
    await beginSignIn(ada);
    await remove(ada.token, second.passkey.id);
    expect(await codes()).toBe(0);
    await signInPerson(service, ada.email);
    expect((await addPasskey(ada)).passkey.recoveryCodes).toHaveLength(10);
  });
});

describe("An export of the account", () => {
  it("names the passkeys, without their keys", async () => {
    const ada = await signUpVerified();
    const { authenticator, passkey } = await addPasskey(ada);
    const { body } = await service.call("GET", "/v1/users/me/export", ada);
    expect(body.passkeys).toEqual([
      { id: passkey.id, name: "Passkey", backedUp: false, createdAt: expect.any(String), lastUsedAt: null },
    ]);
    expect(JSON.stringify(body)).not.toContain(authenticator.id);
  });
});
