import { verifyAddress } from "./accounts.ts";
import { asOwner } from "./database.ts";
import { newHost } from "./invitations.ts";
import { openService, type Person, signUpPerson } from "./service.ts";

const service = openService();

type Caller = Pick<Person, "token">;

/** A new organization of somebody's whose address is verified, and what can be done with its share links. */
export async function newSharingHost() {
  const host = await newHost();
  const at = `${host.path}/share-links`;
  return {
    ...host,
    create: (by: Caller, body: Record<string, unknown> = {}) =>
      service.call("POST", at, { token: by.token, body: { roles: ["member"], maxUses: 10, ...body } }),
    /** The link itself, with its token. */
    async share(body: Record<string, unknown> = {}, by: Caller = host.owner) {
      const answer = await this.create(by, body);
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return answer.body as { id: string; token: string };
    },
    listLinks: (by: Caller, query = "") => service.call("GET", `${at}${query}`, { token: by.token }),
    revokeLink: (by: Caller, id: string) => service.call("DELETE", `${at}/${id}`, { token: by.token }),
    /** How often it was used. */
    async usesOf(id: string): Promise<number> {
      const [[row] = []] = await asOwner(["select uses from share_links where id = $1", [id]]);
      return row?.["uses"];
    },
  };
}

export const lookUpLink = (token: string) => service.call("POST", "/v1/share-links/lookup", { body: { token } });

export const join = (by: Caller, token: string) =>
  service.call("POST", "/v1/share-links/accept", { token: by.token, body: { token } });

/** Somebody with a verified address of this domain. */
export async function signUpAt(domain: string): Promise<Person> {
  const person = await signUpPerson(service);
  const email = `${person.id}@${domain}`;
  await asOwner(["update users set email = $2 where id = $1", [person.id, email]]);
  await verifyAddress(person);
  return { ...person, email };
}

/** As if its time were over. */
export const expireLink = (id: string) => asOwner(["update share_links set expires_at = now() where id = $1", [id]]);
