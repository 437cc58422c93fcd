import { signUpVerified } from "./accounts.ts";
import { addMember, asOwner } from "./database.ts";
import { newHost } from "./invitations.ts";
import { openService, type Person } from "./service.ts";

const service = openService();

type Caller = Pick<Person, "token">;

/** A new organization with an owner and a member, and what can be done with its ownership. */
export async function newOwnedHost() {
  const host = await newHost();
  const member = await signUpVerified();
  await addMember(host.id, member.id, "member");
  const at = `${host.path}/ownership-transfer`;
  const call = (method: string, path: string) => (by: Caller) => service.call(method, path, { token: by.token });
  return {
    ...host,
    member,
    offer: (by: Caller, userId: string) => service.call("POST", at, { token: by.token, body: { userId } }),
    readOffer: call("GET", at),
    withdraw: call("DELETE", at),
    acceptOffer: call("POST", `${at}/accept`),
    declineOffer: call("POST", `${at}/decline`),
    leave: call("POST", `${host.path}/leave`),
    setRoles: (by: Caller, userId: string, roles: string[]) =>
      service.call("PATCH", `${host.path}/members/${userId}`, { token: by.token, body: { roles } }),
    /** Makes somebody new a member. */
    async join(role: string): Promise<Person> {
      const person = await signUpVerified();
      await addMember(host.id, person.id, role);
      return person;
    },
    async rolesOf(userId: string): Promise<string[]> {
      const [rows = []] = await asOwner([
        "select role from membership_roles where organization_id = $1 and user_id = $2 order by role",
        [host.id, userId],
      ]);
      return rows.map(({ role }) => role);
    },
    /** Whoever owns it, by their ids. */
    async owners(): Promise<string[]> {
      const [rows = []] = await asOwner([
        "select user_id from membership_roles where organization_id = $1 and role = 'owner' order by user_id",
        [host.id],
      ]);
      return rows.map((row) => row["user_id"]);
    },
    /** As if this person had got as many mails about it as there may be in the hour. */
    useUpMailsTo: ({ id }: Person) =>
      asOwner(
        ["set local role app_definer"],
        [
          "insert into throttles (scope, attempts) values (app_private.mail_scope('ownership|' || $1 || '|' || $2), 10)",
          [host.id, id],
        ],
      ),
    expireOffer: () =>
      asOwner([
        "update ownership_transfers set expires_at = now() - interval '1 second' where organization_id = $1",
        [host.id],
      ]),
  };
}
