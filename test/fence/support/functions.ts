import { createHash } from "node:crypto";
import { escapeLiteral, type Client } from "pg";

import { belongsTo, type Owners, type Relation } from "./catalog.ts";
import { foreignValuesOf, printsOf, type Cell, type Trial } from "./cells.ts";
import { organizations, type Person } from "./people.ts";
import type { World } from "./world.ts";

export interface CallableFunction {
  signature: string;
  /** As it is called, quoted. */
  name: string;
  argumentNames: string[];
  argumentTypes: string[];
}

/** What app_user may call, outside of Postgres's own schemas. */
export async function readCallable(client: Client): Promise<CallableFunction[]> {
  const { rows } = await client.query<CallableFunction>(`
    select p.oid::regprocedure::text as signature, format('%I.%I', n.nspname, p.proname) as name,
           coalesce(p.proargnames[:p.pronargs], '{}') as "argumentNames",
           array(select format_type(t.type, null) from unnest(p.proargtypes) with ordinality t (type, n) order by n) as "argumentTypes"
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and p.prorettype <> 'trigger'::regtype
       and has_schema_privilege('app_user', n.oid, 'USAGE') and has_function_privilege('app_user', p.oid, 'EXECUTE')
     order by 1`);
  return rows;
}

/**
 * What a function may show or change although it is a stranger's: a value that the caller needs before
 * they are anybody. Everything else that comes back is a leak.
 */
const meantForEverybody: Record<string, string> = {
  "app.password_parameters(text)": "select password_salt from public.users",
};

/** Each function, called by each actor with what belongs to people and organizations they share nothing with. */
export async function planFunctionTrials(world: World, relations: Relation[]): Promise<Map<string, Trial>> {
  const { client, people } = world;
  const functions = await readCallable(client);
  const trials = new Map<string, Trial>();
  for (const actor of world.actors) {
    const strangers = await findStrangers(client, actor.askedBy);
    const isOutsider = actor.askedBy === people["outsider"]?.id;
    const victim = people[isOutsider ? "founder" : "outsider"];
    const organizationId = isOutsider ? organizations.theirs : organizations.third;
    if (!victim) throw new Error("there is no victim");
    // A row that a function makes is not a stranger's, so only the rows that strangers have are looked at.
    const ofStrangers = (relation: Relation) =>
      /\.(users|sessions|organizations|memberships|idempotency_keys)$/.test(relation.name)
        ? belongsTo(relation, strangers)
        : "true";
    const foreignValues = await foreignValuesOf(client, relations, ofStrangers);
    const allowed = new Map<string, Set<string>>();
    for (const [signature, query] of Object.entries(meantForEverybody)) {
      const { rows } = await client.query({ text: query, rowMode: "array" });
      allowed.set(signature, new Set(rows.map(([value]) => String(value))));
    }
    const cells: Cell[] = functions.flatMap((callable) => planCalls(callable, victim, organizationId, strangers));
    trials.set(actor.name, {
      admission: actor.admission,
      cells,
      prints: printsOf(relations, ofStrangers),
      foreignValues,
      allowed,
    });
  }
  return trials;
}

/** Everybody who shares no organization with this person, and the organizations they are not in. */
async function findStrangers(client: Client, userId: string | null): Promise<Owners> {
  const { rows } = await client.query<Owners>(
    `with mine as (select organization_id from public.memberships where user_id = $1)
     select array(select id::text from public.organizations where id not in (table mine)) as "organizationIds",
            array(select id::text from public.users u where id is distinct from $1 and not exists (
              select from public.memberships m where m.user_id = u.id and m.organization_id in (table mine))) as "userIds"`,
    [userId],
  );
  return rows[0] ?? { organizationIds: [], userIds: [] };
}

function hashOf(bytea: string): string {
  return `\\x${createHash("sha256")
    .update(Buffer.from(bytea.slice(2), "hex"))
    .digest("hex")}`;
}

/** Three calls: with the ids of the organization, of the person, and of the person's session. */
function planCalls(callable: CallableFunction, victim: Person, organizationId: string, strangers: Owners): Cell[] {
  const byName: Record<string, string> = {
    p_email: victim.email,
    p_hash: victim.hash.slice(0, -1),
    p_key: `key of ${victim.id}`,
    p_organization_id: organizationId,
    p_permission: "members:read",
    p_salt: victim.salt,
  };
  const byType: Record<string, string[]> = {
    uuid: [organizationId, victim.id, victim.sessionId],
    "uuid[]": [`{${strangers.userIds.join(",")}}`, `{${strangers.organizationIds.join(",")}}`, `{${victim.sessionId}}`],
    text: [victim.email, `slug-${organizationId === organizations.third ? "third" : "theirs"}`, `user:${victim.id}`],
    "text[]": [`{slug-${organizationId === organizations.third ? "third" : "theirs"}}`],
    // What the database keeps of a handle must not be good as one.
    bytea: [hashOf(victim.handle), "\\x00"],
    integer: ["1000"],
    interval: ["1 day"],
    json: ["{}"],
  };
  const calls = new Set(
    [0, 1, 2].map((n) => {
      const values = callable.argumentTypes.map((type, index) => {
        const named = byName[callable.argumentNames[index] ?? ""];
        const pool = byType[type] ?? [];
        const value =
          type === "text" && named !== undefined ? named : type === "uuid" && named ? named : pool[n % pool.length];
        return value === undefined ? `null::${type}` : `${escapeLiteral(value)}::${type}`;
      });
      return `select * from ${callable.name}(${values.join(", ")})`;
    }),
  );
  return [...calls].map((statement, index) => ({
    object: callable.signature,
    operation: `call ${index + 1}`,
    detail: null,
    statement,
    mostRows: null,
    asksLate: true,
  }));
}
