import { asOwner } from "./database.ts";
import { newHost } from "./invitations.ts";
import { openService, type Person, type Service, signUpPerson } from "./service.ts";
import { newDomain, setTxtRecords } from "./sso.ts";

const service = openService();

type Caller = Pick<Person, "token">;

/** A new organization of somebody's whose address is verified, and what can be done with its domains. */
export async function newDomainHost() {
  const host = await newHost();
  const at = `${host.path}/domains`;
  const { token } = host.owner;
  return {
    ...host,
    domainsPath: at,
    add: (domain: string, by: Caller = host.owner) => service.call("POST", at, { token: by.token, body: { domain } }),
    listDomains: (query = "", by: Caller = host.owner) => service.call("GET", `${at}${query}`, { token: by.token }),
    update: (id: string, body: unknown, by: Caller = host.owner) =>
      service.call("PATCH", `${at}/${id}`, { token: by.token, body }),
    verify: (id: string, on: Service = service) => on.call("POST", `${at}/${id}/verify`, { token }),
    remove: (id: string) => service.call("DELETE", `${at}/${id}`, { token }),
    /** Proves a domain of nobody else's, and sets what becomes of its people. */
    async enroll(
      enrollment: string,
      roles = ["member"],
      by: Caller = host.owner,
    ): Promise<{ id: string; domain: string }> {
      const domain = newDomain();
      const { id, txtRecord } = (await this.add(domain)).body;
      await setTxtRecords(domain, [txtRecord.value]);
      const verified = await this.verify(id);
      const updated = await this.update(id, { enrollment, roles }, by);
      if (verified.status !== 200 || updated.status !== 200) throw new Error(JSON.stringify([verified, updated]));
      return { id, domain };
    },
  };
}

let next = 0;

/** Somebody with an address of this domain, which is not verified. */
export const signUpUnverifiedAt = (domain: string): Promise<Person> => signUpAs(`person-${next++}@${domain}`);

async function signUpAs(email: string): Promise<Person> {
  const person = await signUpPerson(service);
  await asOwner(["update users set email = $2 where id = $1", [person.id, email]]);
  return { ...person, email };
}

export const listSuggested = (by: Caller) =>
  service.call("GET", "/v1/users/me/suggested-organizations", { token: by.token });

export const joinSuggested = (by: Caller, organizationId: string) =>
  service.call("POST", `/v1/users/me/suggested-organizations/${organizationId}/join`, { token: by.token });
