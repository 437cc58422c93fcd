import { newTeam } from "./members.ts";
import { openService, type Person } from "./service.ts";

type Caller = Pick<Person, "token">;

const service = openService();

/** A new organization with these people in it, and what can be done with its teams. */
export async function newTeaming<Name extends string>(people: Record<Name, string[]>) {
  const organization = await newTeam(people);
  const path = `${organization.path}/teams`;
  const at = (teamId: string, who: Pick<Person, "id">) => `${path}/${teamId}/members/${who.id}`;
  const create = (name: string, by: Caller = organization.owner) =>
    service.call("POST", path, { token: by.token, body: { name } });
  const put = (by: Caller, teamId: string, who: Pick<Person, "id">, role: unknown = "member") =>
    service.call("PUT", at(teamId, who), { token: by.token, body: { role } });
  return {
    ...organization,
    teamsPath: path,
    create,
    put,
    /** Makes a team with these in it, and returns its id. */
    async teamOf(members: Record<string, Pick<Person, "id">[]> = {}, name: string = crypto.randomUUID()) {
      const { body } = await create(name);
      for (const [role, all] of Object.entries(members)) {
        for (const who of all) {
          const { status } = await put(organization.owner, body.id, who, role);
          if (status !== 200) throw new Error(`nobody was let in: ${status}`);
        }
      }
      return body.id as string;
    },
    take: (by: Caller, teamId: string, who: Pick<Person, "id">) =>
      service.call("DELETE", at(teamId, who), { token: by.token }),
    listTeams: (by: Caller, query = "") => service.call("GET", `${path}${query}`, { token: by.token }),
    readTeam: (by: Caller, teamId: string) => service.call("GET", `${path}/${teamId}`, { token: by.token }),
    rename: (by: Caller, teamId: string, name: string) =>
      service.call("PATCH", `${path}/${teamId}`, { token: by.token, body: { name } }),
    drop: (by: Caller, teamId: string) => service.call("DELETE", `${path}/${teamId}`, { token: by.token }),
    listIn: (by: Caller, teamId: string, query = "") =>
      service.call("GET", `${path}/${teamId}/members${query}`, { token: by.token }),
    /** Who is in it, and with which role. */
    async rolesIn(teamId: string): Promise<Record<string, string>> {
      const { body } = await this.listIn(organization.owner, teamId, "?limit=100");
      return Object.fromEntries(body.data.map(({ userId, role }: { userId: string; role: string }) => [userId, role]));
    },
  };
}
