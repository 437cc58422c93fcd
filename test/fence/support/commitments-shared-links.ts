import { joined } from "./answering.ts";
import { id } from "./people.ts";
import { codesOf, findAfterEach, lockerOf, staysSame, type Commitment } from "./scene.ts";
import {
  accept,
  find,
  mine,
  share,
  shared,
  shareWithSpare,
  theirs,
  unknown,
  usesOf,
  verify,
  voids,
} from "./sharing.ts";
import { admission } from "./world.ts";

/** What those do who are given a link. */
export const sharedLinkCommitments: Commitment[] = [
  {
    title: "app.find_share_link tells whoever has the token, and nobody else, what it is for",
    expected: [[["Organization mine", "{member,viewer}", "{a.example}", true]], ["AP404", "AP404", "AP404"]],
    actual: async (scene) => {
      await share(scene, { roles: "{member,viewer}", domains: "{a.example}" });
      await share(scene, { id: id(9802), organization: theirs });
      const [[keptHash] = []] = await scene.see(
        `select encode(key_hash, 'hex') from share_links where id = '${shared}'`,
      );
      // What the database keeps of a token is not good as one.
      return [
        await scene.ask(null, find()),
        await codesOf(scene, null, [find(unknown), find(`\\x${String(keptHash)}`), find(null)]),
      ];
    },
  },
  {
    title:
      "app_private.is_usable: a link is void once it is used up or has expired, and while its maker could not make it",
    expected: voids.map(() => ["AP404", "AP404", []]),
    actual: async (scene) => {
      const spare = await shareWithSpare(scene);
      return findAfterEach(scene, voids, async () => [
        ...(await codesOf(scene, null, [find()])),
        ...(await codesOf(scene, spare, [accept()])),
        await joined(scene, scene.person("spare").id),
      ]);
    },
  },
  {
    title:
      "app_private.is_usable: it stays good for its last use and second, and while its maker has what its roles may do",
    expected: ["done", "done", "done"],
    actual: async (scene) => {
      const spare = await shareWithSpare(scene);
      const changes = [
        `update membership_roles set role = 'admin' where organization_id = '${mine}' and user_id = '${id(100)}'`,
        `update share_links set expires_at = now() + interval '1 second' where id = '${shared}'`,
        `update share_links set uses = max_uses - 1 where id = '${shared}'`,
      ];
      return (await findAfterEach(scene, changes, () => codesOf(scene, spare, [accept()]))).flat();
    },
  },
  {
    title: "app.accept_share_link makes the caller a member with its roles, and counts that of this link alone",
    expected: [
      [[mine, "Organization mine", "slug-mine", false, "{member,viewer}"]],
      [[mine, "share_link", id(100), "member,viewer"]],
      [[5]],
      [true, true],
      ["APMEM"],
    ],
    actual: async (scene) => {
      const spare = await shareWithSpare(scene, { roles: "{member,viewer}", uses: 4 });
      const { id: userId } = scene.person("spare");
      let answer: unknown;
      const others: [string, string][] = [
        ["share_links", `id <> '${shared}'`],
        ["memberships", `user_id <> '${userId}'`],
      ];
      const same = await staysSame(scene, others, async () => {
        answer = await scene.ask(spare, accept());
      });
      return [answer, await joined(scene, userId), await usesOf(scene), same, await codesOf(scene, spare, [accept()])];
    },
  },
  {
    title:
      "app.accept_share_link refuses other domains, members, full organizations, whoever is not let in or verified",
    expected: [
      ["APDNA", "APDNA", "done", "done"],
      ["APMEM"],
      ["APMBL", "done"],
      ["AP404"],
      ["AP400"],
      ["APVER"],
      [[0]],
    ],
    actual: async (scene) => {
      const spare = await shareWithSpare(scene);
      const found: unknown[] = [];
      const byDomains: unknown[] = [];
      for (const domains of [
        "{other.test}",
        "{test,sub.example.test}",
        "{other.test,example.test}",
        "{example.test}",
      ]) {
        await scene.see(`update share_links set allowed_domains = '${domains}' where id = '${shared}'`);
        byDomains.push(...(await codesOf(scene, spare, [accept()])));
      }
      await scene.see(`update share_links set allowed_domains = '{}' where id = '${shared}'`);
      found.push(byDomains);
      await verify(scene, "viewer");
      found.push(await codesOf(scene, admission(scene.person("viewer")), [accept()]));
      const full: unknown[] = [];
      for (const more of [0, 1]) {
        await scene.see(
          `update organizations set member_limit = (select count(*) from memberships where organization_id = '${mine}') + ${more} where id = '${mine}'`,
        );
        full.push(...(await codesOf(scene, spare, [accept()])));
      }
      found.push(full, await codesOf(scene, spare, [accept(unknown)]), await codesOf(scene, null, [accept()]));
      await scene.see(`update users set email_verified_at = null where id = '${scene.person("spare").id}'`);
      return [...found, await codesOf(scene, spare, [accept()]), await usesOf(scene)];
    },
  },
  {
    title: "app.accept_share_link locks the person, and then the organization of the link alone",
    expected: [true, true, false],
    actual: async (scene) => {
      const spare = await shareWithSpare(scene);
      const person = scene.person("spare");
      const look = async () => [
        await lockerOf(scene, person),
        String(await scene.see(`select xmax::text from organizations where id = '${mine}'`)),
        String(await scene.see(`select xmax::text from organizations where id = '${theirs}'`)),
      ];
      // In vain, so that it is not the new member's row that has it locked: the lock has left its mark.
      await scene.see(`update share_links set allowed_domains = '{other.test}' where id = '${shared}'`);
      const before = await look();
      await codesOf(scene, spare, [accept()]);
      const after = await look();
      return before.map((locker, index) => locker !== after[index]);
    },
  },
];
