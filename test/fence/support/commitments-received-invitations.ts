import { invite, invited } from "./invited.ts";
import { id } from "./people.ts";
import { codesOf, findAfterEach, lockerOf, staysSame, type Commitment } from "./scene.ts";
import { admission } from "./world.ts";
import {
  mine,
  theirs,
  key,
  unknown,
  find,
  accept,
  decline,
  list,
  acceptMine,
  declineMine,
  signUp,
  inviteSpare,
  joined,
  ended,
  otherInvitations,
  voids,
  asSpare,
} from "./answering.ts";

/** What those do who are invited. */
export const receivedInvitationCommitments: Commitment[] = [
  {
    title: "app.find_invitation tells whoever has the token, and nobody else, what it is for",
    expected: [
      [["invited@example.test", "Organization mine", "Name of person-100@example.test", ["viewer"], true]],
      ["APTOK", "APTOK", "APTOK"],
    ],
    actual: async (scene) => {
      await invite(scene);
      await invite(scene, { id: id(9302), organization: theirs });
      const columns =
        "email, organization_name, inviter_name, roles, expires_at = (now() + interval '1 day')::timestamptz(3)";
      const stored = `select encode(key_hash, 'hex') from invitations where id = '${invited}'`;
      const [[keptHash] = []] = await scene.see(stored);
      return [
        await scene.ask(null, find().replace("*", columns)),
        // What the database keeps of a token is not good as one.
        await codesOf(scene, null, [find(unknown), find(`\\x${String(keptHash)}`), find().replace(`'${key}'`, "null")]),
      ];
    },
  },
  {
    title:
      "app_private.is_open: an invitation is void once it has ended or expired, and while its sender could not send it",
    expected: voids.map(() => ["APTOK", "APTOK", "APTOK", "APTOK", "AP404", "AP404", [[0]]]),
    actual: async (scene) => {
      const spare = await inviteSpare(scene);
      return findAfterEach(scene, voids, async () => [
        ...(await codesOf(scene, null, [find(), decline(), signUp(scene.person("spare").email)])),
        ...(await codesOf(scene, spare, [accept(), acceptMine(), declineMine()])),
        await scene.ask(spare, "select count(*)::int from app.my_invitations(null, 9)"),
      ]);
    },
  },
  {
    title: "app_private.is_open: it stays open while its sender has what its roles may do, whatever else changes",
    expected: ["done", "done", "done"],
    actual: async (scene) => {
      const spare = await inviteSpare(scene);
      const changes = [
        "select 1",
        `update membership_roles set role = 'admin' where organization_id = '${mine}' and user_id = '${id(100)}'`,
        `update invitations set expires_at = now() + interval '1 second' where id = '${invited}'`,
      ];
      return (await findAfterEach(scene, changes, () => codesOf(scene, spare, [accept()]))).flat();
    },
  },
  {
    title: "app.accept_invitation makes the person of its address a member with its roles, and ends it",
    expected: [
      [[mine, "Organization mine", "slug-mine", false, "{member,viewer}"]],
      [[mine, "invitation", id(100), "member,viewer"]],
      [[mine, "accepted", true]],
      [true, true],
      "APTOK",
    ],
    actual: async (scene) => {
      const spare = await inviteSpare(scene, { roles: "{member,viewer}" });
      let answer: unknown[][] = [];
      const { id: userId } = scene.person("spare");
      const same = await staysSame(scene, [otherInvitations, ["memberships", `user_id <> '${userId}'`]], async () => {
        answer = await scene.ask(spare, accept());
      });
      return [
        answer,
        await joined(scene, userId),
        await ended(scene),
        same,
        ...(await codesOf(scene, spare, [accept()])),
      ];
    },
  },
  {
    title:
      "app.accept_invitation verifies the address that the token was mailed to, and ends what was asked for before",
    expected: [[[true, false]], [[true]], [[false]], [["2020-01-01T00:00:00.000Z"]], [[true]]],
    actual: async (scene) => {
      await inviteSpare(scene);
      const { id: userId } = scene.person("spare");
      const token = (purpose: string, n: number) =>
        scene.see(
          `insert into one_time_tokens (id, user_id, purpose, email, key_hash, expires_at)
           values ('${id(9700 + n)}', '${userId}', '${purpose}', ${purpose === "reset_password" ? "null" : "'new@example.test'"}, sha256('${n}'), now() + interval '1 hour')`,
        );
      await token("change_email_new", 1);
      await token("reset_password", 2);
      const isGood = (n: number) =>
        scene.see(`select expires_at > created_at from one_time_tokens where id = '${id(9700 + n)}'`);
      const verifiedAt = `select email_verified_at from users where id = '${userId}'`;
      await scene.see("savepoint verified");
      await scene.see(`update users set email_verified_at = '2020-01-01T00:00:00Z' where id = '${userId}'`);
      await asSpare(scene, accept());
      const kept = (await scene.see(verifiedAt)).map((row) => row.map((at) => (at as Date).toISOString()));
      const untouched = await isGood(1);
      await scene.see("rollback to verified");
      await scene.see(`update users set email_verified_at = null where id = '${userId}'`);
      await asSpare(scene, accept());
      return [
        await scene.see(
          `select email_verified_at = now()::timestamptz(3), exists (select from users where id <> '${userId}' and email_verified_at = now()::timestamptz(3)) from users where id = '${userId}'`,
        ),
        await isGood(2),
        await isGood(1),
        kept,
        // Who had it verified keeps what they asked for.
        untouched,
      ];
    },
  },
  {
    title: "accepting refuses other addresses, members, whoever is not let in, and one more than there may be",
    expected: [
      ["APEML", "APEML"],
      ["APMEM", "APMEM", [["viewer"]]],
      ["APMBL", "APMBL", "APMBL", "done"],
      ["AP400", "AP400", "AP400"],
      ["APTOK", "APTOK", "APTOK"],
    ],
    actual: async (scene) => {
      const spare = await inviteSpare(scene);
      const { email } = scene.person("spare");
      const found: unknown[] = [
        [
          ...(await codesOf(scene, admission(scene.person("outsider")), [accept()])),
          ...(await codesOf(scene, null, [signUp("somebody@example.test")])),
        ],
      ];
      await scene.see("savepoint invited");
      await scene.see(
        `insert into memberships (organization_id, user_id, joined_by) values ('${mine}', '${scene.person("spare").id}', 'sso')`,
      );
      await scene.see(
        `insert into membership_roles (organization_id, user_id, role) values ('${mine}', '${scene.person("spare").id}', 'viewer')`,
      );
      await scene.see(`update invitations set roles = '{admin}' where id = '${invited}'`);
      found.push([
        ...(await codesOf(scene, spare, [accept(), acceptMine()])),
        await scene.see(`select role from membership_roles where user_id = '${scene.person("spare").id}'`),
      ]);
      await scene.see("rollback to invited");
      const limit = (more: number) =>
        scene.see(
          `update organizations set member_limit = (select count(*) from memberships where organization_id = '${mine}') + ${more} where id = '${mine}'`,
        );
      await limit(0);
      const full = await codesOf(scene, spare, [accept(), acceptMine()]);
      await scene.see(`update invitations set email = 'new@example.test' where id = '${invited}'`);
      full.push(...(await codesOf(scene, null, [signUp("new@example.test")])));
      await scene.see(`update invitations set email = '${email}' where id = '${invited}'`);
      await limit(1);
      found.push([...full, ...(await codesOf(scene, spare, [accept()]))]);
      found.push(await codesOf(scene, null, [accept(), acceptMine(), list()]));
      found.push([
        ...(await codesOf(scene, null, [decline(unknown), signUp("invited@example.test", unknown)])),
        ...(await codesOf(scene, spare, [accept(unknown)])),
      ]);
      return found;
    },
  },
  {
    title: "answering locks the person, and then the organization",
    expected: [true, true, true, true, true],
    actual: async (scene) => {
      const spare = await inviteSpare(scene);
      const person = scene.person("spare");
      const organization = async (id = mine) =>
        String(await scene.see(`select xmax::text from organizations where id = '${id}'`));
      const found: unknown[] = [];
      for (const [admitted, statement, locksPerson] of [
        [spare, accept(), true],
        [spare, acceptMine(), true],
        [spare, declineMine(), true],
        [null, decline(), false],
        [null, signUp("new@example.test"), false],
      ] as const) {
        const before = [await lockerOf(scene, person), await organization(), await organization(theirs)];
        await scene.see("savepoint held");
        if (statement === signUp("new@example.test"))
          await scene.see(`update invitations set email = 'new@example.test' where id = '${invited}'`);
        await scene.ask(admitted, statement);
        found.push(
          (await organization()) !== before[1] &&
            (await organization(theirs)) === before[2] &&
            (!locksPerson || (await lockerOf(scene, person)) !== before[0]),
        );
        await scene.see("rollback to held");
      }
      return found;
    },
  },
  {
    title: "app.decline_invitation ends this one alone",
    expected: [[[mine, "declined", true]], [true, true]],
    actual: async (scene) => {
      await invite(scene);
      await invite(scene, { id: id(9302), organization: theirs });
      const same = await staysSame(scene, [otherInvitations, ["memberships"]], () => scene.ask(null, decline()));
      return [await ended(scene), same];
    },
  },
];
