import { insertMembers } from "../../support/members-sql.ts";
import { administer, givePlanted, outcomeOf, planted } from "./administering.ts";
import { id, organizations } from "./people.ts";
import { codeOf, lockerOf, type Commitment, type Scene } from "./scene.ts";
import { told } from "./telling.ts";

const { mine, third } = organizations;

const suspend = (userId: string, reason = "Spam") => `select app.suspend_user('${userId}', '${reason}')`;
const unsuspend = (userId: string) => `select app.unsuspend_user('${userId}')`;
const stored = (scene: Scene, userId: string) =>
  scene.see(`select suspended_at = now()::timestamptz(3), suspension_reason from users where id = '${userId}'`);
/** Of the sessions: whether each has ended, and whether now. */
const ends = (scene: Scene, userId: string) =>
  scene.see(
    `select revoked_at is not null, revoked_at = now()::timestamptz(3) from sessions where user_id = '${userId}' order by revoked_at, id`,
  );

/** How administrators of the platform see accounts, and suspend them. */
export const platformUserCommitments: Commitment[] = [
  {
    title: "app.platform_user_organizations tells where somebody is a member, and with which roles, the newest first",
    expected: [
      [
        [third, "slug-third", "Organization third", ["admin", "viewer"]],
        [mine, "slug-mine", "Organization mine", ["owner"]],
      ],
      [],
      100,
    ],
    actual: async (scene) => {
      const { id: userId } = scene.person("owner");
      await scene.see(
        insertMembers(`values ('${third}'::uuid, '${userId}'::uuid, 'viewer'), ('${third}', '${userId}', 'admin')`),
      );
      const of = (who: string) =>
        administer(scene, `select * from app.platform_user_organizations('${scene.person(who).id}')`);
      const found: unknown[] = [await of("owner"), await of("spare")];
      await scene.see(
        `insert into organizations (id, name, slug) select uuidv7(), 'Many', 'many-' || n from generate_series(1, 101) n;
         ${insertMembers(`select id, '${scene.person("spare").id}'::uuid, 'viewer' from organizations where slug like 'many-%'`)}`,
      );
      return [...found, (await of("spare")).length];
    },
  },
  {
    title: "app.suspend_user suspends with a reason, ends the sessions that live, and leaves what stands already",
    expected: [
      [[true, "Spam"]],
      [
        [true, false],
        [true, true],
      ],
      [[true, "Spam"]],
      [[null, "Reason 2"]],
      [[false, null]],
    ],
    actual: async (scene) => {
      await givePlanted(scene);
      const { id: userId } = scene.person("admin");
      await scene.see(
        `update sessions set revoked_at = '2026-01-01Z' where user_id = '${userId}' and revoked_at is not null`,
      );
      await administer(scene, suspend(userId));
      const found: unknown[] = [await stored(scene, userId), await ends(scene, userId)];
      await administer(scene, suspend(userId, "Again"));
      found.push(await stored(scene, userId));
      await administer(scene, suspend(planted(2), "Again"));
      found.push(
        await scene.see(
          `select nullif(suspended_at <> '2026-02-01Z', false), suspension_reason from users where id = '${planted(2)}'`,
        ),
      );
      // Nobody else's.
      found.push(
        await scene.see(
          `select bool_or(revoked_at = now()::timestamptz(3)), max(suspension_reason) filter (where u.id = '${scene.person("owner").id}')
             from sessions s join users u on u.id = s.user_id where u.id = '${scene.person("owner").id}'`,
        ),
      );
      return found;
    },
  },
  {
    title: "app.unsuspend_user takes it back, of that account alone",
    expected: [[[null, null]], [[false, "Reason 4"]], "done", "AP404", "AP404", "APADM"],
    actual: async (scene) => {
      await givePlanted(scene);
      await administer(scene, unsuspend(planted(2)));
      return [
        await stored(scene, planted(2)),
        await stored(scene, planted(4)),
        await outcomeOf(scene, async () => codeOf(administer(scene, unsuspend(planted(1))))),
        await outcomeOf(scene, () => administer(scene, unsuspend(id(9999)))),
        await outcomeOf(scene, () => administer(scene, suspend(id(9999)))),
        await outcomeOf(scene, () => administer(scene, suspend(scene.person("administrator").id))),
      ];
    },
  },
  {
    title: "a suspension is told of in the trail of the person, as done by an administrator",
    expected: [
      ["spare", "user.suspended", "platform_admin ?", "user spare", null, null],
      ["spare", "session.revoked", "platform_admin ?", "session session of spare", null, null],
      ["spare", "user.unsuspended", "platform_admin ?", "user spare", null, null],
    ],
    actual: async (scene) => {
      const { id: userId } = scene.person("spare");
      const { id: administrator } = scene.person("administrator");
      const events = await told(scene, async () => {
        await administer(scene, suspend(userId));
        await administer(scene, unsuspend(userId));
      });
      return events.map((event) =>
        event.map((part) => (typeof part === "string" ? part.replace(shortOf(administrator), "?") : part)),
      );
    },
  },
  {
    title: "a suspension holds the account as a sign-in does",
    expected: true,
    actual: async (scene) => {
      const before = await lockerOf(scene, scene.person("spare"));
      await administer(scene, suspend(scene.person("spare").id));
      return before !== (await lockerOf(scene, scene.person("spare")));
    },
  },
];

/** As `told` writes an id that has no name there. */
const shortOf = (userId: string) => userId.slice(-4);
