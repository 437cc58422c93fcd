import { Client } from "pg";

import { bringUpToDate } from "../../../scripts/db/steps.ts";
import { createNeonLikeDatabase } from "../../../scripts/local/neon-like-database.ts";
import type { LocalPostgres } from "../../../scripts/local/postgres.ts";
import { builtInRoles, permissions } from "../../../src/permissions.ts";
import { createCellRunner } from "./cells.ts";
import { addPeople, keyHandle, organizations, type People, type Person } from "./people.ts";

/** Somebody who asks: how they are let in, and what is theirs. */
export interface Actor {
  name: string;
  /** The person whose rows are the actor's own; null for one who must see nothing. */
  userId: string | null;
  organizationId: string | null;
  /** The person who asks, also when they must be refused. */
  askedBy: string | null;
  /** Whether no statement of theirs may ever run. */
  refused: boolean;
  /** `select app.admit(…)`; null for somebody who is not signed in. */
  admission: string | null;
}

/**
 * A database with the fence, three organizations with rows in every table, and the actors.
 * The connection is a superuser's: it can look at what an actor did inside the actor's transaction.
 */
export interface World {
  client: Client;
  /** Another connection like it, on which nobody has been let in yet. */
  connect(): Promise<Client>;
  people: People;
  actors: Actor[];
}

/** Statistics that come in the middle would change plans, and with them which error comes first. */
export const quietSettings = { settings: { autovacuum: "off", jit: "off" } };

export async function openWorld(postgres: LocalPostgres, database: string): Promise<World> {
  const { ownerUrl } = await createNeonLikeDatabase(postgres, database);
  await bringUpToDate(ownerUrl);
  const connect = async () => {
    const client = new Client({ connectionString: postgres.url("postgres", database) });
    await client.connect();
    await createCellRunner(client);
    return client;
  };
  const client = await connect();
  // Rows of roles that the product does not have; what they may do is added by addTestRoles.
  await client.query("alter table membership_roles drop constraint membership_roles_custom_role_fkey");
  const people = await addPeople(client);
  await client.query("vacuum analyze");
  return { client, connect, people, actors: listActors(people) };
}

/** Runs `work` in a transaction that is rolled back. */
export async function inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query("begin");
  try {
    return await work();
  } finally {
    await client.query("rollback");
  }
}

/**
 * Lets roles called "only <permission>" have that permission, and other unknown ones none. Inside the
 * transaction of a test, so that the fence is first seen by the guard as rls-policies.sql left it.
 */
export async function addTestRoles(client: Client): Promise<void> {
  const bound = await client.query(
    `select d.objid::regprocedure::text as name from pg_depend d
      where d.refobjid = 'app_private.role_permissions(text)'::regprocedure and d.classid = 'pg_proc'::regclass`,
  );
  if (bound.rowCount) throw new Error(`${bound.rows[0].name} calls role_permissions by its OID, past the test's own`);
  await client.query(`
    alter function app_private.role_permissions(text) rename to built_in_permissions;
    create function app_private.role_permissions(p_role text) returns text[]
    language sql immutable set search_path = ''
    return case when p_role ^@ 'only ' then array[pg_catalog.substr(p_role, 6)]
                else app_private.built_in_permissions(p_role) end;
    alter function app_private.role_permissions(text) owner to app_definer;
  `);
}

export function admission(person: Person, organizationId: string | null = null, permission: string | null = null) {
  const rest =
    organizationId === null ? "" : `, '${organizationId}', ${permission === null ? "null" : `'${permission}'`}`;
  return `select app.admit('${person.handle}'${rest})`;
}

/** As an administrator of the platform. */
export const platformAdmission = ({ handle }: Person) => `select app.admit_platform_admin('${handle}', false)`;

/** With a key of this name, in a transaction that may write. */
export const keyAdmission = (name: string, permission: string, organizationId = organizations.mine) =>
  `select app.admit_key('${keyHandle(name)}', '${organizationId}', '${permission}', false, false)`;

function listActors(people: People): Actor[] {
  const { mine, theirs, third } = organizations;
  const actors: Actor[] = [
    { name: "nobody", userId: null, organizationId: null, askedBy: null, refused: false, admission: null },
  ];
  const add = (
    name: string,
    who: string,
    organizationId: string | null,
    permission: string | null,
    refused = false,
  ) => {
    const person = people[who];
    if (!person) throw new Error(`there is no ${who}`);
    actors.push({
      name,
      userId: refused ? null : person.id,
      organizationId: refused ? null : organizationId,
      askedBy: person.id,
      refused,
      admission: admission(person, organizationId, permission),
    });
  };
  add("outsider as a person", "outsider", null, null);
  add("outsider in their own", "outsider", third, "organization:read");
  add("owner as a person", "owner", null, null);
  for (const role of builtInRoles) add(role, role, mine, "organization:read");
  for (const permission of permissions) add(`only ${permission}`, `only ${permission}`, mine, permission);
  const administrator = people["administrator"];
  if (!administrator) throw new Error("there is no administrator");
  actors.push({
    name: "administrator",
    userId: administrator.id,
    organizationId: null,
    askedBy: administrator.id,
    refused: false,
    admission: platformAdmission(administrator),
  });
  const addKey = (name: string, key: string, permission: string) =>
    actors.push({
      name,
      userId: null,
      organizationId: mine,
      askedBy: people["owner"]?.id ?? null,
      refused: false,
      admission: keyAdmission(key, permission),
    });
  addKey("key of an admin", "adm", "members:write");
  addKey("key of the organization", "own", "teams:write");
  add("viewer here, owner there", "both", mine, "organization:read");
  add("bare member", "bare", mine, "organization:read", true);
  add("bare member as a person", "bare", null, null);
  add("viewer asking for organization:delete", "viewer", mine, "organization:delete", true);
  add("owner asking for no permission", "owner", mine, null, true);
  add("owner asking for another organization", "owner", theirs, "organization:read", true);
  for (const who of ["revoked", "expired", "disabled"]) add(`${who} owner`, who, mine, "organization:read", true);
  return actors;
}
