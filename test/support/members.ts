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
    createRole: (by: Pick<Person, "token">, key: string, permissions: unknown, name = "Own role") =>
      service.call("POST", `${path}/roles`, { token: by.token, body: { key, name, permissions } }),
    updateRole: (by: Pick<Person, "token">, roleId: string, body: unknown) =>
      service.call("PATCH", `${path}/roles/${roleId}`, { token: by.token, body }),
    deleteRole: (by: Pick<Person, "token">, roleId: string, replacement?: string) =>
      service.call("DELETE", `${path}/roles/${roleId}${replacement ? `?replacement=${replacement}` : ""}`, {
        token: by.token,
      }),
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

/** A team with a role of its own, which one of its members has and nothing else. */
export async function newDesk() {
  const team = await newTeam({ admin: ["admin"], grace: ["viewer"] });
  const { body: role } = await team.createRole(team.owner, "desk", ["members:read", "organization:read"]);
  const { status, body } = await team.setRoles(team.owner, team.grace, ["desk"]);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return { ...team, role };
}
