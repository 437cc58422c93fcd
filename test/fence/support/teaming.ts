import { id, organizations } from "./people.ts";
import { letIn, text, type Scene } from "./scene.ts";

export const { mine, theirs } = organizations;

/** The id of the team that `giveTeam` makes, unless it is told another. */
export const team = id(9801);
export const otherTeam = id(9802);
export const foreignTeam = id(9803);
export const unknownTeam = id(9899);

/** A team with these people in it: their names, with their roles. */
export async function giveTeam(
  scene: Scene,
  members: Record<string, "lead" | "member"> = {},
  { teamId = team, organization = mine }: { teamId?: string; organization?: string } = {},
): Promise<void> {
  await scene.see(
    `insert into teams (organization_id, id, name) values ('${organization}', '${teamId}', 'Team ${teamId} of ${organization}')`,
  );
  for (const [name, role] of Object.entries(members)) {
    await scene.see(
      `insert into team_memberships (organization_id, team_id, user_id, role) values ('${organization}', '${teamId}', '${scene.person(name).id}', '${role}')`,
    );
  }
}

/** Of an organization that most have nothing to do with, with one of its members leading it; and of the same id as ours. */
export async function giveForeignTeams(scene: Scene): Promise<void> {
  await giveTeam(scene, { founder: "lead", helper: "member" }, { teamId: foreignTeam, organization: theirs });
  await giveTeam(scene, { both: "lead" }, { organization: theirs });
}

export const create = (name = "Support") => `select id, name from app.create_team('${id(9810)}', ${text(name)})`;
export const put = (userId: string, role = "member", teamId = team) =>
  `select app.set_team_member('${teamId}', '${userId}', '${role}')`;
export const take = (userId: string, teamId = team) => `select app.remove_team_member('${teamId}', '${userId}')`;

export const write = (scene: Scene, name: string) => letIn(scene, name, "teams:write");

/** Who is in a team of `mine`, and with which role. */
export const membersOf = (scene: Scene, teamId = team) =>
  scene.see(
    `select user_id, role from team_memberships where organization_id = '${mine}' and team_id = '${teamId}' order by user_id`,
  );

/** All but those of this team of `mine`. */
export const others: [string, string] = ["team_memberships", `team_id <> '${team}' or organization_id <> '${mine}'`];
