import { signUpVerified } from "./accounts.ts";
import { asOwner } from "./database.ts";
import { lastMailTo, tokenOf } from "./mailbox.ts";
import { goodPassword, newEmail, openService, type Person } from "./service.ts";

const service = openService();

type Caller = Pick<Person, "token">;

/** A new organization of somebody's whose address is verified, and what can be done with its invitations. */
export async function newHost() {
  const owner = await signUpVerified();
  const created = await service.call("POST", "/v1/organizations", { token: owner.token, body: { name: "Acme" } });
  const { id }: { id: string } = created.body;
  const path = `/v1/organizations/${id}`;
  const invitations = `${path}/invitations`;
  const post = (by: Caller, to: string, body?: unknown) => service.call("POST", to, { token: by.token, body });
  const inviteAll = (by: Caller, asked: unknown) => post(by, invitations, { invitations: asked });
  return {
    id,
    owner,
    path,
    inviteAll,
    /** What became of the one invitation. */
    async invite(by: Caller, email: string, roles: unknown = ["member"]) {
      const { status, body } = await inviteAll(by, [{ email, roles }]);
      if (status !== 207) throw new Error(JSON.stringify(body));
      return body.results[0];
    },
    /** Invites an address of nobody's; the token is that of the mail. */
    async inviteSomebody(roles: string[] = ["member"], by: Caller = owner, email = newEmail()) {
      const { invitation } = await this.invite(by, email, roles);
      return { id: invitation.id as string, email, token: tokenOf(await lastMailTo(email)) };
    },
    list: (by: Caller, query = "") => service.call("GET", `${invitations}${query}`, { token: by.token }),
    resend: (by: Caller, id: string) => post(by, `${invitations}/${id}/resend`),
    removeMember: (by: Caller, userId: string) =>
      service.call("DELETE", `${path}/members/${userId}`, { token: by.token }),
    revoke: (by: Caller, id: string) => service.call("DELETE", `${invitations}/${id}`, { token: by.token }),
  };
}

export const lookUp = (token: string) => service.call("POST", "/v1/invitations/lookup", { body: { token } });
export const decline = (token: string) => service.call("POST", "/v1/invitations/decline", { body: { token } });
export const accept = (by: Caller, token: string) =>
  service.call("POST", "/v1/invitations/accept", { token: by.token, body: { token } });

export const listMine = (by: Caller, query = "") =>
  service.call("GET", `/v1/users/me/invitations${query}`, { token: by.token });
export const answerMine = (by: Caller, id: string, answer: "accept" | "decline") =>
  service.call("POST", `/v1/users/me/invitations/${id}/${answer}`, { token: by.token });

export const signUpInvited = (invitationToken: string, email: string, on = service) =>
  on.call("POST", "/v1/auth/sign-up", {
    body: { email, password: goodPassword, name: "Grace Hopper", invitationToken },
  });

/** As if 7 days had passed. */
export const expireInvitation = (id: string) =>
  asOwner(["update invitations set expires_at = now() where id = $1", [id]]);

/** Who is in an organization, and how they came. */
export async function membersOf(organizationId: string) {
  const [rows = []] = await asOwner([
    `select u.email, m.joined_by, m.invited_by, json_agg(r.role order by r.role) as roles
       from memberships m join users u on u.id = m.user_id join membership_roles r using (organization_id, user_id)
      where m.organization_id = $1 group by 1, 2, 3`,
    [organizationId],
  ]);
  return rows;
}
