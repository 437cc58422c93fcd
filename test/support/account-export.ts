import { giveApiKey } from "./api-keys.ts";
import { addMember, asOwner } from "./database.ts";
import { giveInvitation, giveOwnershipOffer, giveShareLink } from "./given-invitations.ts";
import { giveIdentity } from "./identities.ts";
import { giveRecoveryCodes, giveTotp } from "./factors.ts";
import { failMail } from "./mailbox.ts";
import { createOrganization, openService, signInPerson, signUpPerson } from "./service.ts";

const service = openService();

export const exportAccount = ({ token }: { token: string }, by = service) =>
  by.call("GET", "/v1/users/me/export", { token });

/** A person with a row in every table that has something of people. */
export async function makeFullPerson(name: string) {
  const person = await signUpPerson(service, name);
  const ended = await signInPerson(service, person.email);
  await service.call("POST", "/v1/auth/sign-out", ended);
  const own = await createOrganization(service, person, `Own of ${name}`);
  const other = await signUpPerson(service);
  const shared = await createOrganization(service, other, `Shared with ${name}`);
  await addMember(shared.id, person.id, "viewer");
  await asOwner([
    `with team as (insert into teams (organization_id, id, name) values ($1, gen_random_uuid(), 'Support') returning organization_id, id)
     insert into team_memberships (organization_id, team_id, user_id, role) select organization_id, id, $2, 'lead' from team`,
    [shared.id, person.id],
  ]);
  await giveOwnershipOffer(shared.id, other.id, person.id);
  await giveInvitation(own.id);
  await giveShareLink(own.id);
  await giveApiKey(own.id, person.id, ["organization:read"]);
  await giveIdentity(person.id, { email: "ada@github.example" });
  await giveTotp(person, false);
  await giveRecoveryCodes(person, 2);
  await asOwner([
    `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
     values (gen_random_uuid(), $1::uuid, 'Laptop', sha256($1::text::bytea), sha256($1::text::bytea), 0, 'usb', false)`,
    [person.id],
  ]);
  await failMail({ to: person.email, status: 500 });
  await service.call("POST", "/v1/auth/forgot-password", { body: { email: person.email } });
  return { person, own, shared };
}
