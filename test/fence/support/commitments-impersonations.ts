import { administer, giveImpersonation, impersonating, outcomeOf } from "./administering.ts";
import { id, organizations } from "./people.ts";
import { codeOf, codesOf, findAfterEach, lockerOf, sha256, type Commitment, type Scene } from "./scene.ts";
import { told } from "./telling.ts";

const { mine, theirs } = organizations;

const start = (userId: string, lifetime = "15 minutes", sessionId = id(9850)) =>
  `select app.impersonate('${userId}', '${sessionId}', '\\x1313', 'Ticket', interval '${lifetime}')`;
const asOwner = `, '${mine}', 'organization:update'`;
const revokedAt = (scene: Scene, sessionId: string) =>
  scene.see(`select revoked_at = now()::timestamptz(3) from sessions where id = '${sessionId}'`);

/** What an administrator may do as somebody else, for how long, and that all know of it. */
export const impersonationCommitments: Commitment[] = [
  {
    title: "app.impersonate begins a session of somebody, for an hour at most, that says who acts",
    expected: [[[true]], [[true]], true],
    actual: async (scene) => {
      const { id: userId } = scene.person("member");
      const { id: administrator } = scene.person("administrator");
      const begin = async (lifetime: string, seconds: number, sessionId: string) => {
        await administer(scene, start(userId, lifetime, sessionId).replace("1313", sessionId.slice(-4)));
        return scene.see(
          `select row(user_id, handle_hash, second_factor, idle_expires_at, expires_at, impersonator_id, impersonation_reason, revoked_at, ip_address, user_agent)
                  = row('${userId}'::uuid, '\\x${sha256(Buffer.from(sessionId.slice(-4), "hex")).toString("hex")}'::bytea, 'given'::text,
                        (now() + interval '${seconds} seconds')::timestamptz(3), (now() + interval '${seconds} seconds')::timestamptz(3),
                        '${administrator}'::uuid, 'Ticket'::text, null::timestamptz, null::text, null::text) is not false
             from sessions where id = '${sessionId}'`,
        );
      };
      const found: unknown[] = [await begin("15 minutes", 900, id(9850)), await begin("2 hours", 3600, id(9852))];
      const [[until] = []] = await administer(
        scene,
        `select app.impersonate('${userId}', '${id(9854)}', '\\x9854', 'Ticket', interval '2 minutes') = now() + interval '2 minutes'`,
      );
      return [...found, until];
    },
  },
  {
    title: "app.impersonate tells the person, by whom, why and for how long, and leaves no address",
    expected: [["member", "impersonation.started", "platform_admin", "session 9850", null, true]],
    actual: async (scene) => {
      const { handle } = scene.person("administrator");
      const events = await told(scene, () =>
        scene.ask(
          `select app.admit_platform_admin('${handle}', false, null, '192.0.2.1')`,
          start(scene.person("member").id),
        ),
      );
      const [[until] = []] = await scene.see("select app_private.iso_instant(now() + interval '15 minutes')");
      return events.map(([whose, action, actor, subject, before, after, ...rest]) => [
        whose,
        action,
        String(actor).split(" ")[0],
        subject,
        before,
        JSON.stringify(after) === JSON.stringify({ reason: "Ticket", expiresAt: until }),
        ...rest,
      ]);
    },
  },
  {
    title: "app.impersonate is for nobody who administers the platform, is suspended, or is not there",
    expected: ["APADM", "APUSU", "AP404"],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const userId of [scene.person("administrator").id, scene.person("disabled").id, id(9999)])
        found.push(await outcomeOf(scene, () => administer(scene, start(userId))));
      return found;
    },
  },
  {
    title: "app.impersonate holds the account, so that a suspension waits for it, or it for a suspension",
    expected: true,
    actual: async (scene) => {
      const before = await lockerOf(scene, scene.person("member"));
      await administer(scene, start(scene.person("member").id));
      return before !== (await lockerOf(scene, scene.person("member")));
    },
  },
  {
    title: "app.platform_impersonations lists them alone, the newest first",
    expected: [
      [
        [id(9851), "owner", true, "Ticket", true, true, null],
        [id(9850), "member", true, "Ticket", true, true, true],
      ],
      [id(9851)],
      [id(9850)],
      [],
    ],
    actual: async (scene) => {
      await giveImpersonation(scene, "member");
      await giveImpersonation(scene, "owner", id(9851));
      await scene.see(`update sessions set revoked_at = now() where id = '${id(9850)}'`);
      const list = async (before: string, limit: number) =>
        (await administer(scene, `select id from app.platform_impersonations(${before}, ${limit})`)).map(
          ([found]) => found,
        );
      const whole = await administer(
        scene,
        `select id, user_id, impersonator_id = '${scene.person("administrator").id}', reason, created_at = now()::timestamptz(3),
                expires_at = (now() + interval '1 hour')::timestamptz(3), revoked_at = now()::timestamptz(3) from app.platform_impersonations(null, 10)`,
      );
      return [
        whole.map(([found, userId, ...rest]) => [
          found,
          ["owner", "member"].find((who) => scene.person(who).id === userId),
          ...rest,
        ]),
        await list("null", 1),
        await list(`'${id(9851)}'`, 10),
        await list(`'${id(9850)}'`, 10),
      ];
    },
  },
  {
    title: "app.end_impersonation ends one, once, and no other session",
    expected: [[[true]], [[null]], [[false]], "AP404", "AP404"],
    actual: async (scene) => {
      await giveImpersonation(scene, "member");
      await giveImpersonation(scene, "owner", id(9851));
      await administer(scene, `select app.end_impersonation('${id(9850)}')`);
      const found: unknown[] = [await revokedAt(scene, id(9850)), await revokedAt(scene, id(9851))];
      await scene.see(`update sessions set revoked_at = '2026-01-01Z' where id = '${id(9851)}'`);
      await administer(scene, `select app.end_impersonation('${id(9851)}')`);
      found.push(await revokedAt(scene, id(9851)));
      for (const sessionId of [scene.person("owner").sessionId, id(9999)])
        found.push(await outcomeOf(scene, () => administer(scene, `select app.end_impersonation('${sessionId}')`)));
      return found;
    },
  },
  {
    title: "whoever acts as somebody is let in as them, until the administrator is suspended, or is none any more",
    expected: ["done", "AP401", "AP401", "AP401", "AP401"],
    actual: async (scene) => {
      await giveImpersonation(scene, "owner");
      const { id: administrator } = scene.person("administrator");
      const changes = [
        "select 1",
        `delete from platform_admins where user_id = '${administrator}'`,
        `update users set suspended_at = now() where id = '${administrator}'`,
        `update platform_admins set user_id = '${scene.person("spare").id}'`,
        `update sessions set expires_at = now() - interval '1 second' where id = '${id(9850)}'`,
      ];
      return findAfterEach(scene, changes, () => codeOf(scene.ask(impersonating(asOwner))));
    },
  },
  {
    title: "whoever acts as somebody is refused what asks who they are again, however fresh the session is",
    expected: ["done", "APIMP"],
    actual: async (scene) => {
      await giveImpersonation(scene, "owner");
      return codesOf(scene, null, [impersonating(), impersonating(", p_fresh => true")]);
    },
  },
  {
    title: "the context says who acts as the person, and of a session of their own nobody",
    expected: [true, ""],
    actual: async (scene) => {
      await giveImpersonation(scene, "owner");
      const part = async (admission: string) =>
        (await scene.ask(admission, "select (string_to_array(current_setting('app.context'), '|'))[9]"))[0]?.[0];
      const { handle } = scene.person("owner");
      return [
        (await part(impersonating())) === scene.person("administrator").id,
        await part(`select app.admit('${handle}')`),
      ];
    },
  },
  {
    title: "every event of whoever acts as somebody names both, and no address; one of another organization neither",
    expected: [
      ["mine", "user owner", true, "request", null],
      ["owner", "user owner", true, "request", null],
      ["theirs", "system", false, null, null],
    ],
    actual: async (scene) => {
      await giveImpersonation(scene, "owner");
      const [[mark] = []] = await scene.see("select uuidv7()");
      await scene.ask(
        impersonating(`${asOwner}, p_request_id => 'request', p_ip_address => '192.0.2.1'`),
        "set local role none",
        `select app_private.record_event('${mine}', null, 'team.created', 'team', '${id(9801)}')`,
        `select app_private.record_event(null, '${scene.person("owner").id}', 'user.updated', 'user', '${scene.person("owner").id}')`,
        `select app_private.record_event('${theirs}', null, 'team.created', 'team', '${id(9801)}')`,
      );
      const rows = await scene.see(
        `select whose, concat_ws(' ', actor_type, actor_id), impersonator_id, request_id, ip_address
           from (select e.organization_id as whose, e.* from audit_events e union all select e.user_id, e.* from user_audit_events e) e
          where id > '${String(mark)}' order by id`,
      );
      const names = { [mine]: "mine", [theirs]: "theirs", [scene.person("owner").id]: "owner" };
      return rows.map(([whose, actor, impersonator, ...rest]) => [
        names[String(whose)],
        String(actor).replace(scene.person("owner").id, "owner"),
        impersonator === scene.person("administrator").id,
        ...rest,
      ]);
    },
  },
  {
    title:
      "whoever acts as somebody ends their own session and no other, and proves, makes and changes nothing that the person is known by",
    expected: ["done", "APIMP", "APIMP", "APIMP", "APIMP", "APIMP"],
    actual: async (scene) => {
      await giveImpersonation(scene, "owner");
      const { sessionId } = scene.person("owner");
      return codesOf(scene, impersonating(), [
        `update sessions set revoked_at = now() where id = '${id(9850)}'`,
        `update sessions set revoked_at = now() where id = '${sessionId}'`,
        "select app.claimant_passkeys()",
        // Neither learns whether it is the password.
        `select app.reauthenticate('\\x01', '${scene.person("owner").hash}')`,
        `select app.reauthenticate('\\x01', '${scene.person("owner").salt}${"x".repeat(31)}')`,
        `select app.enroll_totp('${id(9860)}', '\\x${"01".repeat(60)}', '\\x${"02".repeat(32)}')`,
      ]);
    },
  },
  {
    title: "a session of the person's own is held back from none of this",
    expected: ["done", "done"],
    actual: (scene) =>
      codesOf(scene, `select app.admit('${scene.person("owner").handle}')`, [
        "select app.claimant_passkeys()",
        `update sessions set revoked_at = now() where user_id = '${scene.person("owner").id}' and revoked_at is null`,
      ]),
  },
  {
    title: "no refresh token is good for a session in which somebody acts as another",
    expected: "AP401",
    actual: async (scene) => {
      await giveImpersonation(scene, "owner");
      return scene.ask(null, `select app.refresh_session('\\x${Buffer.from(id(9850)).toString("hex")}', 1)`);
    },
  },
];
