import { invite, invited } from "./invited.ts";
import { id } from "./people.ts";
import { codesOf, text, type Commitment } from "./scene.ts";
import { admission } from "./world.ts";
import { mine, theirs, list, acceptMine, declineMine, hash, signUp, inviteSpare, joined, ended } from "./answering.ts";

/** What people with an address that is invited do, and what becomes of them. */
export const invitedPeopleCommitments: Commitment[] = [
  {
    title: "app.my_invitations tells what is open for the caller's verified address, a page at a time, by id",
    expected: [[[invited], [id(9302)]], [[id(9302)]], [[invited]], [], "APVER"],
    actual: async (scene) => {
      const spare = await inviteSpare(scene);
      const { email, id: userId } = scene.person("spare");
      await invite(scene, { id: id(9302), organization: theirs, email });
      await invite(scene, { id: id(9303), email: "other@example.test" });
      await scene.see(`update users set email_verified_at = now() where id = '${scene.person("outsider").id}'`);
      const found: unknown[] = [
        await scene.ask(spare, list()),
        await scene.ask(spare, list(invited)),
        await scene.ask(spare, list(null, 1)),
        await scene.ask(admission(scene.person("outsider")), list()),
      ];
      await scene.see(`update users set email_verified_at = null where id = '${userId}'`);
      return [...found, ...(await codesOf(scene, spare, [list()]))];
    },
  },
  {
    title: "app.my_invitations tells the organization, the sender and the roles",
    expected: [[invited, "Organization mine", "Name of person-100@example.test", ["viewer"], true]],
    actual: async (scene) =>
      scene.ask(
        await inviteSpare(scene),
        "select id, organization_name, inviter_name, roles, expires_at = (now() + interval '1 day')::timestamptz(3) from app.my_invitations(null, 9)",
      ),
  },
  {
    title: "app.accept_my_invitation and app.decline_my_invitation answer one of the caller's, at a verified address",
    expected: [
      [[mine, "Organization mine", "slug-mine", false, "{viewer}"]],
      [[mine, "invitation", id(100), "viewer"]],
      [[mine, "accepted", true]],
      [[mine, "declined", true]],
      ["AP404", "AP404", "AP404", "AP404"],
      ["APVER", "APVER"],
    ],
    actual: async (scene) => {
      const spare = await inviteSpare(scene);
      const { id: userId } = scene.person("spare");
      await invite(scene, { id: id(9302), email: "other@example.test" });
      await scene.see("savepoint invited");
      const found: unknown[] = [await scene.ask(spare, acceptMine()), await joined(scene, userId), await ended(scene)];
      await scene.see("rollback to invited");
      await scene.ask(spare, declineMine());
      found.push(await ended(scene));
      await scene.see("rollback to invited");
      await scene.see(`update users set email_verified_at = now() where id = '${scene.person("outsider").id}'`);
      found.push([
        ...(await codesOf(scene, spare, [acceptMine(id(9302)), declineMine(id(9302))])),
        ...(await codesOf(scene, admission(scene.person("outsider")), [acceptMine(), declineMine()])),
      ]);
      await scene.see(`update users set email_verified_at = null where id = '${userId}'`);
      return [...found, await codesOf(scene, spare, [acceptMine(), declineMine()])];
    },
  },
  {
    title: "app.sign_up_invited makes an account of a verified address that is a member at once",
    expected: [
      "APEML",
      [[id(9600), "invited@example.test", true, "Grace"]],
      [["invited@example.test", "Grace", true, 1, true, true]],
      [[mine, "invitation", id(100), "viewer"]],
      [[mine, "accepted", true]],
      "23505",
    ],
    actual: async (scene) => {
      await invite(scene);
      // Whether another address has an account, this token does not tell.
      await invite(scene, { id: id(9302), email: scene.person("outsider").email });
      await scene.see("savepoint invited");
      const found: unknown[] = [
        ...(await codesOf(scene, null, [signUp(scene.person("outsider").email)])),
        await scene.ask(null, signUp()),
        await scene.see(
          `select email, name, email_verified_at = now()::timestamptz(3), password_scheme, password_salt = '$2b$04$${"n".repeat(22)}',
                  password_verifier = sha256(convert_to('${hash}', 'UTF8')) from users where id = '${id(9600)}'`,
        ),
        await joined(scene, id(9600)),
        await ended(scene),
      ];
      await scene.see("rollback to invited");
      await scene.see(`update invitations set email = '${scene.person("spare").email}' where id = '${invited}'`);
      return [...found, ...(await codesOf(scene, null, [signUp(scene.person("spare").email)]))];
    },
  },
  {
    title: "app_private.add_member makes a member once, of organizations with room, and says whether it did",
    expected: [
      [[true]],
      [[false]],
      ["done", "APMBL"],
      [
        [theirs, "sso", null, "member"],
        [mine, "invitation", id(100), "member,viewer"],
      ],
    ],
    actual: async (scene) => {
      const { id: userId } = scene.person("spare");
      const add = (roles: string, organization = mine, by = text(id(100))) =>
        `select app_private.add_member('${organization}', '${userId}', '${roles}', ${by === "null" ? "'sso', null" : `'invitation', ${by}`})`;
      const found: unknown[] = [await scene.see(add("{viewer,member,viewer}"))];
      await scene.see("savepoint filled");
      await scene.see(`update organizations set member_limit = 1 where id = '${mine}'`);
      found.push(await scene.see(add("{owner}")));
      await scene.see("rollback to filled");
      await scene.see("savepoint room");
      const limits: unknown[] = [];
      for (const more of [1, 0]) {
        await scene.see(
          `update organizations set member_limit = (select count(*) from memberships where organization_id = '${theirs}') + ${more} where id = '${theirs}'`,
        );
        // Full itself, which is of no account there.
        await scene.see(`update organizations set member_limit = 1 where id = '${mine}'`);
        limits.push(
          await scene.see(add("{member}", theirs, "null")).then(
            () => "done",
            (error: { code?: string }) => error.code,
          ),
        );
        await scene.see("rollback to room");
      }
      await scene.see(add("{member}", theirs, "null"));
      const rows = await joined(scene, userId);
      return [...found, limits, rows.toSorted((a, b) => Number(a[1] !== "sso") - Number(b[1] !== "sso"))];
    },
  },
  {
    title: "app.purge_expired forgets invitations 30 days after they have ended or expired",
    expected: [[[id(9303)], [id(9304)]]],
    actual: async (scene) => {
      for (const [n, ended, expires] of [
        [1, "31 days", "-1 day"],
        [2, null, "31 days"],
        [3, "29 days", "29 days"],
        [4, null, "29 days"],
      ] as const) {
        await invite(scene, {
          id: id(9300 + n),
          email: `purged-${n}@example.test`,
          expires: `now() - interval '${expires}'`,
        });
        if (ended)
          await scene.see(
            `update invitations set status = 'revoked', ended_at = now() - interval '${ended}' where id = '${id(9300 + n)}'`,
          );
      }
      await scene.ask(null, "select app.purge_expired()");
      return [await scene.see("select id from invitations where email like 'purged-%' order by id")];
    },
  },
];
