import { describe, expect, it } from "vitest";
import { readMe } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { signInWith } from "./support/oauth.ts";
import { openService } from "./support/service.ts";

const service = openService();
const newLogin = () => `ada-${crypto.randomUUID()}`;

describe("Signing in with an OpenID provider", () => {
  it("makes an account with the verified address, without a password, and finds it again", async () => {
    const login = newLogin();
    const first = await signInWith(service, login);
    expect([first.status, first.body.user]).toMatchObject([
      200,
      { email: `${login}@example.com`, emailVerified: true, name: `Person ${login}`.slice(0, 60) },
    ]);
    const me = await readMe(first.body.accessToken);
    expect(me.body).toEqual(first.body.user);
    const again = await signInWith(service, login);
    expect(again.body.user.id).toBe(first.body.user.id);
    const [rows] = await asOwner([
      "select provider, subject, i.email, connection_id, password_verifier from identities i join users u on u.id = user_id where u.id = $1",
      [me.body.id],
    ]);
    expect(rows).toMatchObject([{ provider: "google", subject: login, connection_id: null, password_verifier: null }]);
  });
});
