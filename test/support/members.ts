import { addMember, asOwner } from "./database.ts";
import { createOrganization, openService, type Person, signUpPerson } from "./service.ts";

const service = openService();

/** An organization of its own, and people in it, each with these roles. */
export async function newTeam<Name extends string>(people: Record<Name, string[]>) {
  const team = await teamOf(await signUpPerson(service));
  const members = {} as Record<Name, Person>;
  for (const [name, roles] of Object.entries(people) as [Name, string[]][]) {
    members[name] = await signUpPerson(service);
    await addMember(team.id, members[name].id, ...roles);
  }
  return { ...members, ...team };
}

/** A new organization of this person's, and what can be done to its members. */
export async function teamOf(owner: Person) {
  const { id } = await createOrganization(service, owner);
  const path = `/v1/organizations/${id}`;
  const at = (who: Pick<Person, "id">) => `${path}/members/${who.id}`;
  return {
    owner,
    id,
    path,
    setRoles: (by: Pick<Person, "token">, who: Pick<Person, "id">, roles: unknown) =>
      service.call("PATCH", at(who), { token: by.token, body: { roles } }),
    remove: (by: Pick<Person, "token">, who: Pick<Person, "id">) =>
      service.call("DELETE", at(who), { token: by.token }),
    read: (by: Pick<Person, "token">, who: Pick<Person, "id">) => service.call("GET", at(who), { token: by.token }),
    leave: ({ token }: Pick<Person, "token">) => service.call("POST", `${path}/leave`, { token }),
    roles: (): Promise<Record<string, string[]>> => allRolesIn(id),
  };
}

/** Everybody's roles in an organization, by person. */
export async function allRolesIn(organizationId: string): Promise<Record<string, string[]>> {
  const [rows = []] = await asOwner([
    `select m.user_id, coalesce(json_agg(r.role order by r.role) filter (where r.role is not null), '[]') as roles
       from memberships m left join membership_roles r using (organization_id, user_id)
      where m.organization_id = $1 group by m.user_id`,
    [organizationId],
  ]);
  return Object.fromEntries(rows.map((row) => [row["user_id"], row["roles"]]));
}
