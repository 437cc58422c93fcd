import { joined } from "./answering.ts";
import { bar, confirm, ends, giveDomain, join, mine, owned, suggested, suggestToSpare, theirs } from "./enrolling.ts";
import { id } from "./people.ts";
import { codeOf, codesOf, findAfterEach, letIn, lockerOf, staysSame, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const spareOf = (scene: Scene) => scene.person("spare");

/** Whether each of these changes, taken back after it, leaves nobody taken in, nothing suggested and nothing to join. */
const findOpen = (scene: Scene, changes: string[]): Promise<unknown[]> =>
  findAfterEach(scene, changes, async () => {
    const isTold = (await scene.ask(admission(spareOf(scene)), suggested)).length;
    const [code] = await codesOf(scene, admission(spareOf(scene)), [join()]);
    await scene.see(`update users set email_verified_at = null where id = '${spareOf(scene).id}'`);
    await confirm(scene);
    return [isTold, code, (await joined(scene, spareOf(scene).id)).length];
  });

/** What becomes of a domain's people. */
export const enrollmentCommitments: Commitment[] = [
  {
    title: "app_private.enroll takes in whoever verifies an address of the domain, with its roles, and nobody else",
    expected: [[[mine, "domain", null, "member,viewer"]], [[mine, "domain", null, "member,viewer"]], [], [], [true]],
    actual: async (scene) => {
      await giveDomain(scene, { roles: "{member,viewer}" });
      const { id: userId } = spareOf(scene);
      const found: unknown[] = [];
      const tried = async (...changes: string[]) => {
        await scene.see("savepoint tried");
        for (const change of changes) await scene.see(change);
        found.push(await joined(scene, userId));
        await scene.see("rollback to tried");
      };
      const set = (changes: string) => `update users set ${changes} where id = '${userId}'`;
      await tried(set("email_verified_at = now()"));
      await tried(set("email = 'spare@other.test', email_verified_at = now()"), set("email = 'spare@example.test'"));
      await tried(set("email = 'spare@other.test', email_verified_at = now()"));
      // Of one that stays the same nothing is made anew.
      await tried(
        set("email = 'spare@other.test', email_verified_at = now()"),
        `update organization_domains set domain = 'other.test' where id = '${owned}'`,
        set("email_verified_at = now() + interval '1 second', email = email, name = 'Another'"),
      );
      const same = await staysSame(scene, [["memberships", `user_id <> '${userId}'`]], () => confirm(scene));
      return [...found, same];
    },
  },
  {
    title: "app_private.enroll takes in whoever comes with a verified address",
    expected: [[[mine, "domain", null, "viewer"]], []],
    actual: async (scene) => {
      await giveDomain(scene);
      const add = (n: number, verifiedAt: string) =>
        scene.see(
          `insert into users (id, email, name, email_verified_at) values ('${id(9990 + n)}', 'new-${n}@example.test', 'New', ${verifiedAt})`,
        );
      await add(1, "now()");
      await add(2, "null");
      return [await joined(scene, id(9991)), await joined(scene, id(9992))];
    },
  },
  {
    title: "app_private.enroll has the rights of app_definer, no fewer and no more, whoever verifies the address",
    expected: [[[mine, "domain", null, "viewer"]], "42501"],
    actual: async (scene) => {
      await giveDomain(scene);
      await scene.see("grant update (email_verified_at) on users to app_user");
      await scene.see("savepoint granted");
      const { id: userId } = spareOf(scene);
      await scene.ask(admission(spareOf(scene)), `update users set email_verified_at = now() where id = '${userId}'`);
      const found = await joined(scene, userId);
      await scene.see("rollback to granted");
      await scene.see("revoke insert on memberships from app_definer");
      return [found, await codeOf(confirm(scene))];
    },
  },
  {
    title: "app_private.enroll leaves a verification as it is where the organization is full, or only suggests itself",
    expected: [[], [], [[true]]],
    actual: async (scene) => {
      await giveDomain(scene);
      const { id: userId } = spareOf(scene);
      const found: unknown[] = [];
      for (const change of [
        `update organizations set member_limit = (select count(*) from memberships where organization_id = '${mine}') where id = '${mine}'`,
        `update organization_domains set enrollment = 'suggest' where id = '${owned}'`,
      ]) {
        await scene.see("savepoint closed");
        await scene.see(change);
        await confirm(scene);
        found.push(await joined(scene, userId));
        await scene.see("rollback to closed");
      }
      await confirm(scene);
      return [...found, await scene.see(`select email_verified_at is not null from users where id = '${userId}'`)];
    },
  },
  {
    title: "app_private.find_enrollment: nobody joins by a domain that is not proved, or that nobody answers for",
    expected: ends.map(() => [0, "AP404", 0]),
    actual: async (scene) => {
      await suggestToSpare(scene);
      return findOpen(scene, ends);
    },
  },
  {
    title: "app_private.find_enrollment finds nothing for an address that is not verified, whoever asks",
    expected: [[[mine]], []],
    actual: async (scene) => {
      await suggestToSpare(scene);
      const find = `select e.organization_id from users u, app_private.find_enrollment(u) e where u.id = '${spareOf(scene).id}'`;
      const verified = await scene.see(find);
      await scene.see(`update users set email_verified_at = null where id = '${spareOf(scene).id}'`);
      return [verified, await scene.see(find)];
    },
  },
  {
    title: "app_private.find_enrollment: nobody who was a member joins, by their account or their address",
    expected: [
      [0, "AP404", 0],
      [0, "AP404", 0],
      [1, "done", 1],
      [1, "done", 1],
    ],
    actual: async (scene) => {
      await suggestToSpare(scene);
      const { id: userId, email } = spareOf(scene);
      const found: unknown[] = [];
      for (const [organizationId, by] of [
        [mine, userId],
        [mine, email],
        [theirs, userId],
        [mine, "somebody@example.test"],
      ] as const) {
        await scene.see("savepoint barred");
        await bar(scene, organizationId, by);
        found.push(...(await findOpen(scene, ["select 1"])));
        await scene.see("rollback to barred");
      }
      return found;
    },
  },
  {
    title: "app.remove_member and app.leave_organization bar the person, and nobody else",
    expected: [
      [
        [mine, true],
        [mine, true],
      ],
      "done",
      [
        [mine, true],
        [mine, true],
      ],
    ],
    actual: async (scene) => {
      await scene.see("delete from domain_bars");
      const viewer = scene.person("viewer");
      const hash = (by: string) => `app_private.mail_scope('barred|${mine}|${by}')`;
      const bars = `select organization_id, person_hash in (${hash(viewer.id)}, ${hash(viewer.email)}) from domain_bars`;
      await scene.see("savepoint member");
      await scene.ask(letIn(scene, "owner", "members:write"), `select app.remove_member('${viewer.id}')`);
      const removed = await scene.see(bars);
      // Whoever goes a second time is barred already.
      await scene.see(
        `insert into memberships (organization_id, user_id, joined_by) values ('${mine}', '${viewer.id}', 'sso');
         insert into membership_roles (organization_id, user_id, role) values ('${mine}', '${viewer.id}', 'viewer')`,
      );
      const [again] = await codesOf(scene, letIn(scene, "viewer"), ["select app.leave_organization()"]);
      await scene.see("rollback to member");
      await scene.ask(letIn(scene, "viewer"), "select app.leave_organization()");
      return [removed, again, await scene.see(bars)];
    },
  },
  {
    title:
      "app.my_suggested_organizations tells what the caller may join, and nothing to an address that is not verified",
    expected: [[[mine, "Organization mine", "example.test", "{member,viewer}"]], [], "APVER", "AP400"],
    actual: async (scene) => {
      const spare = await suggestToSpare(scene, { enrollment: "suggest", roles: "{member,viewer}" });
      await giveDomain(scene, { id: id(9902), organization: theirs, domain: "other.test" });
      await confirm(scene, "viewer");
      // A member of another is no member here.
      await scene.see(
        `insert into memberships (organization_id, user_id, joined_by) values ('${theirs}', '${spareOf(scene).id}', 'sso')`,
      );
      const found = [await scene.ask(spare, suggested), await scene.ask(admission(scene.person("viewer")), suggested)];
      await scene.see(`update users set email_verified_at = null where id = '${spareOf(scene).id}'`);
      return [...found, ...(await codesOf(scene, spare, [suggested])), ...(await codesOf(scene, null, [suggested]))];
    },
  },
  {
    title: "app.join_suggested_organization makes the caller a member of it, once, with the domain's roles",
    expected: [
      ["AP404", "AP404"],
      [[mine, "Organization mine", "slug-mine", false, "{member,viewer}"]],
      [[mine, "domain", null, "member,viewer"]],
      [true],
      ["APMEM"],
      ["APMBL", "done"],
      ["APVER"],
      ["AP400"],
    ],
    actual: async (scene) => {
      const spare = await suggestToSpare(scene, { enrollment: "suggest", roles: "{member,viewer}" });
      const { id: userId } = spareOf(scene);
      await giveDomain(scene, { id: id(9902), organization: theirs, domain: "other.test" });
      const found: unknown[] = [await codesOf(scene, spare, [join(theirs), join(id(9999))])];
      await scene.see("savepoint free");
      let answer: unknown;
      const same = await staysSame(scene, [["memberships", `user_id <> '${userId}'`]], async () => {
        answer = await scene.ask(spare, join());
      });
      found.push(answer, await joined(scene, userId), same, await codesOf(scene, spare, [join()]));
      await scene.see("rollback to free");
      const full: unknown[] = [];
      for (const more of [0, 1]) {
        await scene.see(
          `update organizations set member_limit = (select count(*) from memberships where organization_id = '${mine}') + ${more} where id = '${mine}'`,
        );
        full.push(...(await codesOf(scene, spare, [join()])));
      }
      await scene.see(`update users set email_verified_at = null where id = '${userId}'`);
      return [...found, full, await codesOf(scene, spare, [join()]), await codesOf(scene, null, [join()])];
    },
  },
  {
    title: "app_private.hold_enrollment locks the organization of the caller's domain, and no other; the person before",
    expected: [true, true, false],
    actual: async (scene) => {
      const spare = await suggestToSpare(scene, { enrollment: "suggest" });
      const look = async () => [
        await lockerOf(scene, spareOf(scene)),
        String(await scene.see(`select xmax::text from organizations where id = '${mine}'`)),
        String(await scene.see(`select xmax::text from organizations where id = '${theirs}'`)),
      ];
      const before = await look();
      // In vain, so that it is not the new member's row that has it locked: the lock has left its mark.
      await codesOf(scene, spare, [join(theirs)]);
      const after = await look();
      return before.map((locker, index) => locker !== after[index]);
    },
  },
];
