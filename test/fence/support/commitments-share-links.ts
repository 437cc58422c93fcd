import { id } from "./people.ts";
import { codesOf, refusalsAndLocks, refusedAndLocked, staysSame, type Commitment } from "./scene.ts";
import { create, key, mine, revoke, share, shared, theirs, write } from "./sharing.ts";
import { admission } from "./world.ts";

/** What those do who make links. */
export const shareLinkCommitments: Commitment[] = [
  {
    title: "functions of share links refuse whoever lacks invitations:write, and are behind the organization's lock",
    expected: [...refusedAndLocked(1), ...refusedAndLocked(1)],
    actual: async (scene) => {
      const made = await refusalsAndLocks(scene, write(scene, "admin"), [create()]);
      await share(scene);
      return [...made, ...(await refusalsAndLocks(scene, write(scene, "admin"), [revoke()]))];
    },
  },
  {
    title: "app.create_share_link makes one of the request's organization, for as long and as many as it is told",
    expected: [
      [[shared, "{member,viewer}", "{a.example,b.example}", 3, 0, id(101), true]],
      [[mine, true, "{a.example,b.example}", 3, 0, id(101), "5 days"]],
      [true],
    ],
    actual: async (scene) => {
      let answer: unknown;
      const same = await staysSame(scene, [["share_links", `id <> '${shared}'`]], async () => {
        answer = await scene.ask(
          write(scene, "admin"),
          create({ roles: "{viewer,member,viewer}", domains: "{b.example,A.example,a.example}", uses: 3, days: 5 }),
        );
      });
      const stored = `select organization_id, key_hash = sha256('${key}'::bytea), allowed_domains::text, max_uses, uses, created_by,
        (expires_at - now()::timestamptz(3))::text from share_links where id = '${shared}'`;
      return [answer, await scene.see(stored), same];
    },
  },
  {
    title: "app.create_share_link refuses roles that are none, above the caller, or the owner's",
    expected: ["APROL", "APROL", "APABV", "APOWR", "done"],
    actual: async (scene) => {
      const asked = (...roles: string[]) => roles.map((given) => create({ roles: given }));
      return [
        ...(await codesOf(scene, write(scene, "owner"), asked("{}", "{viewer,gone}"))),
        ...(await codesOf(scene, write(scene, "admin"), asked("{owner}"))),
        ...(await codesOf(scene, write(scene, "owner"), asked("{viewer,owner}"))),
        ...(await codesOf(scene, write(scene, "admin"), asked("{admin}"))),
      ];
    },
  },
  {
    title: "app.create_share_link refuses the 21st of the organization's that is neither used up nor has expired",
    expected: ["APSLL", "done", "done", "done"],
    actual: async (scene) => {
      await scene.see("delete from share_links");
      for (let n = 0; n < 20; n++) await share(scene, { id: id(9810 + n) });
      for (let n = 0; n < 20; n++) await share(scene, { id: id(9840 + n), organization: theirs });
      const found: unknown[] = await codesOf(scene, write(scene, "admin"), [create()]);
      for (const change of [
        `update share_links set uses = max_uses where id = '${id(9810)}'`,
        `update share_links set expires_at = now() - interval '1 second' where id = '${id(9810)}'`,
        `delete from share_links where id = '${id(9810)}'`,
      ]) {
        await scene.see("savepoint filled");
        await scene.see(change);
        found.push(...(await codesOf(scene, write(scene, "admin"), [create()])));
        await scene.see("rollback to filled");
      }
      return found;
    },
  },
  {
    title: "app.revoke_share_link deletes this one of the organization's, unless it gives more than the caller has",
    expected: [["AP404", "AP404", "APABV"], [true], [[theirs]]],
    actual: async (scene) => {
      await share(scene, { id: id(9802), organization: theirs });
      await share(scene, { id: id(9803), roles: "{admin}" });
      await share(scene);
      // Of one id with a link here, which nothing forbids.
      await share(scene, { organization: theirs, key: "same" });
      const codes = [
        ...(await codesOf(scene, write(scene, "admin"), [revoke(id(9802)), revoke(id(9899))])),
        ...(await codesOf(scene, write(scene, "only invitations:write"), [revoke(id(9803))])),
      ];
      const same = await staysSame(scene, [["share_links", `id <> '${shared}'`]], () =>
        scene.ask(write(scene, "admin"), revoke()),
      );
      return [codes, same, await scene.see(`select organization_id from share_links where id = '${shared}'`)];
    },
  },
  {
    title: "app.my_share_links tells the newest that the caller has made",
    expected: [[[id(9803)], [shared]], [[id(9803)]], "AP400"],
    actual: async (scene) => {
      const by = scene.person("viewer").id;
      await share(scene, { by });
      await share(scene, { id: id(9802) });
      await share(scene, { id: id(9803), organization: theirs, by });
      const ask = (limit: number) => `select id from app.my_share_links(${limit})`;
      const viewer = admission(scene.person("viewer"));
      return [
        await scene.ask(viewer, ask(9)),
        await scene.ask(viewer, ask(1)),
        (await codesOf(scene, null, [ask(9)]))[0],
      ];
    },
  },
  {
    title: "app.purge_expired forgets share links 30 days after they have expired",
    expected: [["1"], [[id(9802)], [id(9803)]]],
    actual: async (scene) => {
      await scene.see("delete from share_links");
      await share(scene, { expires: "now() - interval '31 days'" });
      await share(scene, { id: id(9802), expires: "now() - interval '29 days'" });
      await share(scene, { id: id(9803), uses: 10 });
      const [purged] = await scene.ask(null, "select app.purge_expired()");
      return [purged, await scene.see("select id from share_links order by id")];
    },
  },
];
