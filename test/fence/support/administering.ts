import { id } from "./people.ts";
import type { Scene } from "./scene.ts";
import { platformAdmission } from "./world.ts";

/** As the administrator at work, with a statement or several. */
export const administer = (scene: Scene, ...statements: string[]) =>
  scene.ask(platformAdmission(scene.person("administrator")), ...statements);

/** The outcome, taken back: rows, or the error. */
export async function outcomeOf(scene: Scene, work: () => Promise<unknown>): Promise<unknown> {
  await scene.see("savepoint outcome");
  const found = await work().catch(({ code, message }: { code?: string; message: string }) => code ?? message);
  await scene.see("rollback to outcome");
  return found;
}

/** Accounts whose addresses begin with "plat", the second and the fourth of them suspended. */
export async function givePlanted(scene: Scene): Promise<void> {
  await scene.see(
    `insert into users (id, email, name, created_at, email_verified_at, suspended_at, suspension_reason)
     select ('${id(9900).slice(0, -1)}' || n)::uuid, 'plat' || substr('dbca~', n, 1) || '@example.test', 'Name ' || n, '2026-01-01Z',
            case n when 1 then now() end, case when n in (2, 4) then '2026-02-01Z'::timestamptz end, case when n in (2, 4) then 'Reason ' || n end
       from generate_series(1, 5) n`,
  );
  await scene.see(
    `insert into organizations (id, slug, name, created_at, deleted_at, suspended_at, suspension_reason)
     select ('${id(9920).slice(0, -1)}' || n)::uuid, 'plat' || substr('dbcaz', n, 1), 'Name ' || n, '2026-01-01Z',
            case n when 1 then '2026-03-01Z'::timestamptz end, case when n in (2, 4) then '2026-02-01Z'::timestamptz end, case when n in (2, 4) then 'Reason ' || n end
       from generate_series(1, 5) n`,
  );
}

export const planted = (n: number): string => id(9900 + n);
export const plantedOrganization = (n: number): string => id(9920 + n);

/** A session of somebody's in which the administrator acts as them, of the handle `\x1313`. */
export const giveImpersonation = (scene: Scene, who: string, sessionId = id(9850)) =>
  scene.see(
    `insert into sessions (id, user_id, handle_hash, second_factor, idle_expires_at, expires_at, impersonator_id, impersonation_reason)
     values ('${sessionId}', '${scene.person(who).id}', sha256(('${sessionId}')::bytea), 'given', now() + interval '1 hour', now() + interval '1 hour',
             '${scene.person("administrator").id}', 'Ticket')`,
  );

/** The admission of that session. */
export const impersonating = (rest = "", sessionId = id(9850)) =>
  `select app.admit('\\x${Buffer.from(sessionId).toString("hex")}'${rest})`;
