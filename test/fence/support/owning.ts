import { keyOf } from "./invited.ts";
import { id, organizations } from "./people.ts";
import { giveRole, letIn, text, type Scene } from "./scene.ts";

export const { mine, theirs } = organizations;

/** The ids of the offer that a statement makes, and of its mail. */
export const offered = id(9901);
export const message = id(9902);
const key = keyOf("ownership");

export const own = (scene: Scene, name = "owner") => letIn(scene, name, "organization:own");

interface Offer {
  organization?: string;
  from?: string;
  to?: string;
  expires?: string;
}

/** Another owner, let in. */
export async function anotherOwner(scene: Scene): Promise<string> {
  await giveRole(scene, "admin", "owner");
  return own(scene, "admin");
}

/** The only offer of the organization; of the owner to the member, unless it is told another. */
export async function giveOffer(
  scene: Scene,
  { organization = mine, from = "owner", to = "member", expires }: Offer = {},
) {
  await scene.see(`delete from ownership_transfers where organization_id = '${organization}'`);
  await scene.see(
    `insert into ownership_transfers (organization_id, id, from_user_id, to_user_id, expires_at)
     values ('${organization}', '${offered}', '${scene.person(from).id}', '${scene.person(to).id}', ${expires ?? "now() + interval '1 day'"})`,
  );
}

const withMail = (isMailed: boolean) => (isMailed ? `'${message}', '${key}'` : "null, null");

export const offerTo = (scene: Scene, who: string, isMailed = false) =>
  `select id, from_user_id, to_user_id, expires_at - created_at = interval '7 days'
     from app.offer_ownership('${offered}', '${scene.person(who).id}', ${withMail(isMailed)})`;
export const look = "select id, from_user_id, to_user_id from app.ownership_transfer()";
export const withdraw = "select app.withdraw_ownership()";
export const decline = "select app.decline_ownership()";
export const acceptOffer = (isMailed = false) => `select app.accept_ownership(${withMail(isMailed)})`;

export const offersIn = (scene: Scene, organization = mine) =>
  scene.see(
    `select id, from_user_id, to_user_id, expires_at - created_at = interval '7 days' from ownership_transfers where organization_id = '${organization}'`,
  );

export const mailsOf = (scene: Scene) =>
  scene.see(
    `select user_id, recipient, template, data::text, key_hash = sha256(${text(key)}::bytea) from outbox where id = '${message}'`,
  );

/** As if this person had got so many mails about the organization's ownership within the hour. */
export const countMails = (scene: Scene, who: string, count: number) =>
  scene.see(
    `insert into throttles (scope, attempts)
     values (app_private.mail_scope('ownership|${mine}|${scene.person(who).id}'), ${count})`,
  );

/** What makes an offer void, each by itself, or takes it away. */
export const voids = [
  `update users set suspended_at = now() where id = '${id(100)}'`,
  `update ownership_transfers set expires_at = now() - interval '1 second' where id = '${offered}'`,
  `delete from membership_roles where organization_id = '${mine}' and user_id = '${id(100)}'`,
  `delete from ownership_transfers where id = '${offered}'`,
];
