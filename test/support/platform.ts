import { verifyAddress } from "./accounts.ts";
import { asOwner } from "./database.ts";
import { giveTotp } from "./factors.ts";
import { openService, type Person, signUpPerson } from "./service.ts";

const service = openService();

/** As `npm run db:admins -- add` does. */
export const appoint = ({ id }: { id: string }) => asOwner(["insert into platform_admins (user_id) values ($1)", [id]]);

/** As `npm run db:admins -- remove` does. */
export const dismiss = ({ id }: { id: string }) => asOwner(["delete from platform_admins where user_id = $1", [id]]);

/** Gives somebody what an administrator must have: a verified address, a second factor that was given, and the office. */
export async function makeAdmin(person: Person): Promise<Person> {
  await verifyAddress(person);
  await giveTotp(person, true);
  await appoint(person);
  return person;
}

/** Whether it is for administrators alone. */
export const takesAdmin = (operation: string): boolean => operation.includes(" /v1/platform/");

/** Makes somebody what such an operation needs, and what it is done with as it needs it. */
export async function arrangeAdmin(
  operation: string,
  person: Person,
  { userId, organizationId }: { userId?: string; organizationId?: string },
): Promise<void> {
  if (!takesAdmin(operation)) return;
  await makeAdmin(person);
  if (!operation.endsWith("/unsuspend")) return;
  const [table, id] = operation.includes("/users/") ? ["users", userId] : ["organizations", organizationId];
  await asOwner([`update ${table} set suspended_at = now(), suspension_reason = 'Given' where id = $1`, [id]]);
}

/** As if an administrator had begun to act as somebody new. */
export async function giveImpersonation(adminId: string): Promise<string> {
  const id = crypto.randomUUID();
  const { id: userId } = await signUpPerson(service);
  await asOwner([
    `insert into sessions (id, user_id, handle_hash, second_factor, idle_expires_at, expires_at, impersonator_id, impersonation_reason)
     values ($1, $2, sha256(uuid_send($1)), 'given', now() + interval '15 minutes', now() + interval '15 minutes', $3, 'Given')`,
    [id, userId, adminId],
  ]);
  return id;
}

/** An administrator of the platform, and what they do. */
export async function newAdmin() {
  const admin = await makeAdmin(await signUpPerson(service, "Grace Hopper"));
  const call = (method: string, path: string, body?: unknown) =>
    service.call(method, `/v1/platform/${path}`, { token: admin.token, ...(body !== undefined && { body }) });
  return {
    admin,
    call,
    /** Acts as somebody. */
    impersonate: async ({ id }: { id: string }, minutes?: number): Promise<{ id: string; token: string }> => {
      const { status, body } = await call("POST", "impersonations", { userId: id, reason: "Ticket 4711", minutes });
      if (status !== 201) throw new Error(`impersonate: ${status} ${JSON.stringify(body)}`);
      return { id: body.id, token: body.accessToken };
    },
  };
}
