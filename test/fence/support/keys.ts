import { id, keyHandle, organizations } from "./people.ts";
import { letIn, text, type Scene } from "./scene.ts";

export const { mine, theirs } = organizations;

/** The id of the key that `giveKey` makes, unless it is told another, and what the Worker would send for it. */
export const given = id(9701);
export const handle = keyHandle("given");
export const nextHandle = keyHandle("next");

export const write = (scene: Scene, name: string) => letIn(scene, name, "api-keys:write");

interface Given {
  id?: string;
  organization?: string;
  /** Whose it is: a person by name, or the organization itself. */
  of?: string | null;
  by?: string;
  scopes?: string;
  key?: string;
  expires?: string | null;
}

/** A key as if it had been made for 10 days. */
export async function giveKey(scene: Scene, options: Given = {}): Promise<void> {
  const {
    id: keyId = given,
    organization = mine,
    of = "admin",
    by = of ?? "owner",
    scopes = "{members:read,members:write,organization:read}",
    key = handle,
    expires = "now() + interval '10 days'",
  } = options;
  const userId = of === null ? null : scene.person(of).id;
  await scene.see(
    `insert into api_keys (organization_id, id, user_id, created_by, name, scopes, rate_limit, lifetime_days, hint, key_hash, expires_at)
     values ('${organization}', '${keyId}', ${text(userId)}, '${scene.person(by).id}', 'Given', '${scopes}', 7, ${expires ? "10" : "null"}, 'give',
             sha256('${key}'), ${expires ?? "null"})`,
  );
}

/** In a transaction that may write, unless it is told otherwise. */
export const admitKey = (
  permission: string | null = "members:read",
  rest = "false, false",
  key = handle,
  organization = mine,
) => `select app.admit_key('${key}', '${organization}', ${text(permission)}, ${rest})`;

interface Made {
  scopes?: string;
  isOwn?: boolean;
  days?: string | null;
}

export const create = ({ scopes = "{members:read}", isOwn = false, days = "30" }: Made = {}) =>
  `select app.create_api_key('${given}', 'Made', '${scopes}', ${isOwn}, 60, ${days ?? "null"}, 'hint', '${handle}')`;
export const update = (changes: object, keyId = given) =>
  `select app.update_api_key('${keyId}', ${text(JSON.stringify(changes))})`;
export const rotate = (keyId = given, overlap = "1 hour") =>
  `select app.rotate_api_key('${keyId}', 'next', '${overlap}', '${nextHandle}')`;

/** All but this one of `mine`. */
export const others: [string, string] = ["api_keys", `id <> '${given}' or organization_id <> '${mine}'`];
