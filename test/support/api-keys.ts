import { newApiKey } from "../../src/services/api-key-format.ts";
import type { Settings } from "../../src/env.ts";
import { addMember, asOwner } from "./database.ts";
import { newHost } from "./invitations.ts";
import { openService, type Person, signUpPerson } from "./service.ts";

const service = openService();

type Caller = Pick<Person, "token">;

export interface MadeKey {
  id: string;
  /** Itself: what is sent as a bearer token. */
  token: string;
}

/** A new organization of somebody's whose address is verified, and what can be done with its API keys. */
export async function newKeyHost() {
  const host = await newHost();
  const at = `${host.path}/api-keys`;
  return {
    ...host,
    at,
    create: (by: Caller, body: Record<string, unknown> = {}) =>
      service.call("POST", at, { token: by.token, body: { name: "Nightly", scopes: ["members:read"], ...body } }),
    /** The key itself. */
    async make(body: Record<string, unknown> = {}, by: Caller = host.owner): Promise<MadeKey> {
      const answer = await this.create(by, body);
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return { id: answer.body.id, token: answer.body.key };
    },
    listKeys: (by: Caller, query = "") => service.call("GET", `${at}${query}`, { token: by.token }),
    readKey: (by: Caller, id: string) => service.call("GET", `${at}/${id}`, { token: by.token }),
    change: (by: Caller, id: string, body: unknown) => service.call("PATCH", `${at}/${id}`, { token: by.token, body }),
    revokeKey: (by: Caller, id: string) => service.call("DELETE", `${at}/${id}`, { token: by.token }),
    rotate: (by: Caller, id: string, body?: unknown) =>
      service.call("POST", `${at}/${id}/rotate`, { token: by.token, body }),
    /** Somebody who is a member, with these roles. */
    async join(...roles: string[]): Promise<Person> {
      const person = await signUpPerson(service);
      await addMember(host.id, person.id, ...roles);
      return person;
    },
    /** What a key with members:read, or organization:read alone, can be tried with. */
    members: (by: Caller) => service.call("GET", `${host.path}/members`, { token: by.token }),
    read: (by: Caller) => service.call("GET", host.path, { token: by.token }),
  };
}

/** A key of a member's, or of the organization's own, without asking who may make it. */
export async function giveApiKey(organizationId: string, userId: string | null, scopes: string[]): Promise<MadeKey> {
  // Of the settings, a key's shape depends on this one alone.
  const { key, hint, hash } = await newApiKey({ ENVIRONMENT: "test" } as Settings);
  const [[row] = []] = await asOwner([
    `insert into api_keys (organization_id, id, user_id, created_by, name, scopes, hint, key_hash, lifetime_days, expires_at)
     values ($1, gen_random_uuid(), $2, $2, 'Given', $3, $4, sha256($5::bytea), 90, now() + interval '90 days') returning id`,
    [organizationId, userId, scopes, hint, hash],
  ]);
  return { id: row?.["id"], token: key };
}

/** As if its time were over. */
export const expireKey = (id: string) => asOwner(["update api_keys set expires_at = now() where id = $1", [id]]);
