import { asOwner } from "./database.ts";
import { exchangeCode } from "./oauth.ts";
import { createOrganization, openService, type Person, signUpPerson } from "./service.ts";
import { type Connection, getSsoCode, giveConnection } from "./sso.ts";

const service = openService();

interface Company extends Connection {
  owner: Person;
}

export async function newCompany(options: Parameters<typeof giveConnection>[1] = {}): Promise<Company> {
  const owner = await signUpPerson(service);
  const { id } = await createOrganization(service, owner);
  return { owner, ...(await giveConnection(id, options)) };
}

/** Signs in at the scripted provider of the company, as it says. */
export const signInAt = async (company: Connection, claims: Record<string, unknown>) =>
  exchangeCode(service, await getSsoCode(service, company, claims));

export const roleOf = async (company: Connection, userId: string): Promise<string | undefined> => {
  const [rows] = await asOwner([
    "select role from membership_roles where organization_id = $1 and user_id = $2",
    [company.organizationId, userId],
  ]);
  return rows?.[0]?.["role"];
};

export const remove = ({ owner, organizationId, id }: Company) =>
  service.call("DELETE", `/v1/organizations/${organizationId}/sso-connections/${id}`, { token: owner.token });

/** Somebody with an address of this domain, who has a password. */
export async function signUpAt(domain: string, { verified = true } = {}): Promise<Person> {
  const person = await signUpPerson(service);
  const email = `p${crypto.randomUUID()}@${domain}`;
  await asOwner([
    "update users set email = $2, email_verified_at = case when $3 then now() end where id = $1",
    [person.id, email, verified],
  ]);
  return { ...person, email };
}
