import { create, giveDomain, mine, owned, prove, theirs, update, write } from "./enrolling.ts";
import { id } from "./people.ts";
import { codesOf, letIn, refusalsAndLocks, refusedAndLocked, staysSame, type Commitment } from "./scene.ts";

const stored = `select organization_id, domain, verified_at = now()::timestamptz(3), enrollment, roles::text, enrollment_set_by
  from organization_domains where id = '${owned}' order by organization_id`;

const others: [string, string] = ["organization_domains", `id <> '${owned}'`];

/** What owners do with domains. */
export const domainCommitments: Commitment[] = [
  {
    title: "functions of domains refuse whoever lacks domains:write, and changes are behind the organization's lock",
    expected: [...refusedAndLocked(1), ...refusedAndLocked(1)],
    actual: async (scene) => {
      const made = await refusalsAndLocks(scene, write(scene, "owner"), [create()]);
      await giveDomain(scene);
      return [...made, ...(await refusalsAndLocks(scene, write(scene, "owner"), [update("suggest")]))];
    },
  },
  {
    title: "app.create_domain adds one to the request's organization, which is not verified and takes nobody in",
    expected: [
      [[owned, "new.test", "proof of a new domain", null, "none", "{member}", null]],
      [[mine, "new.test", null, "none", "{member}", null]],
      [true],
    ],
    actual: async (scene) => {
      let answer: unknown;
      const same = await staysSame(scene, [others], async () => {
        answer = await scene.ask(write(scene, "owner"), create());
      });
      return [answer, await scene.see(stored), same];
    },
  },
  {
    title: "app.create_domain refuses the 21st of the organization's, and one that it has",
    expected: ["APDML", "done", "23505"],
    actual: async (scene) => {
      await scene.see("delete from organization_domains");
      for (let n = 0; n < 20; n++) await giveDomain(scene, { id: id(9910 + n), domain: `d${n}.test` });
      for (let n = 0; n < 20; n++)
        await giveDomain(scene, { id: id(9940 + n), domain: `t${n}.test`, organization: theirs });
      const found: unknown[] = await codesOf(scene, write(scene, "owner"), [create()]);
      await scene.see(`delete from organization_domains where id = '${id(9910)}'`);
      return [...found, ...(await codesOf(scene, write(scene, "owner"), [create(), create("d1.test")]))];
    },
  },
  {
    title: "app.update_domain changes what is not null of this one, and the caller answers for it",
    expected: [
      [[mine, "example.test", false, "suggest", "{viewer}", id(101)]],
      [[mine, "example.test", false, "suggest", "{admin,viewer}", id(101)]],
      [true],
    ],
    actual: async (scene) => {
      await scene.see(
        `update membership_roles set role = 'owner' where organization_id = '${mine}' and user_id = '${id(101)}'`,
      );
      await giveDomain(scene);
      await giveDomain(scene, { id: id(9902), domain: "other.test" });
      // Of one id with a domain here, which nothing forbids.
      await giveDomain(scene, { organization: theirs, domain: "company.test" });
      const here = stored.replace(" order by", ` and organization_id = '${mine}' order by`);
      const found: unknown[] = [];
      const same = await staysSame(
        scene,
        [["organization_domains", `id <> '${owned}' or organization_id <> '${mine}'`]],
        async () => {
          await scene.ask(write(scene, "admin"), update("suggest"));
          found.push(await scene.see(here));
          await scene.ask(write(scene, "admin"), update(null, "{viewer,admin,viewer}"));
          found.push(await scene.see(here));
        },
      );
      return [...found, same];
    },
  },
  {
    title: "app.update_domain refuses others' domains, and roles that are none, above the caller, or the owner's",
    expected: [
      ["AP404", "AP404", "APROL", "APROL", "APOWR", "done"],
      ["APABV", "APABV", "done"],
    ],
    actual: async (scene) => {
      await giveDomain(scene, { roles: "{admin}" });
      await giveDomain(scene, { id: id(9902), organization: theirs, domain: "company.test" });
      const asked = (...roles: string[]) => roles.map((given) => update(null, given));
      const byOwner = [
        update("none", null, id(9902)),
        update("none", null, id(9999)),
        ...asked("{}", "{viewer,gone}", "{viewer,owner}", "{admin}"),
      ];
      const some = write(scene, "only domains:write");
      await scene.see(
        "update roles set permissions = permissions || '{organization:read}' where key = 'only domains:write'",
      );
      return [
        await codesOf(scene, write(scene, "owner"), byOwner),
        // Nor does it answer for roles that others could give.
        await codesOf(scene, some, [update("suggest"), ...asked("{admin}", "{only domains:write}")]),
      ];
    },
  },
  {
    title: "app.verify_organization_domain takes the Worker's word alone, for a domain of the request's organization",
    expected: [
      ["APWRK", "AP404", "AP404", "AP404", "AP400"],
      [[mine, "example.test", true, "auto_join", "{viewer}", id(100)]],
      [true],
      [["2020-01-01"]],
    ],
    actual: async (scene) => {
      await giveDomain(scene, { verified: false });
      await giveDomain(scene, { id: id(9902), organization: theirs, domain: "company.test", verified: false });
      const owner = write(scene, "owner");
      const codes = [
        ...(await codesOf(scene, owner, [prove(owned, `\\x${"0d".repeat(32)}`), prove(id(9902)), prove(id(9999))])),
        ...(await codesOf(scene, letIn(scene, "admin", "domains:read"), [prove()])),
        ...(await codesOf(scene, null, [prove()])),
      ];
      const same = await staysSame(scene, [others], () => scene.ask(owner, prove()));
      const verified = await scene.see(stored);
      await scene.see(`update organization_domains set verified_at = '2020-01-01' where id = '${owned}'`);
      await scene.ask(owner, prove());
      const kept = `select to_char(verified_at at time zone 'UTC', 'YYYY-MM-DD') from organization_domains where id = '${owned}'`;
      return [codes, verified, same, await scene.see(kept)];
    },
  },
  {
    title: "app.verify_organization_domain verifies none of the same id in another organization",
    expected: [[null]],
    actual: async (scene) => {
      await giveDomain(scene, { verified: false });
      await giveDomain(scene, { organization: theirs, domain: "company.test", verified: false });
      await scene.ask(write(scene, "owner"), prove());
      return scene.see(
        `select verified_at from organization_domains where organization_id = '${theirs}' and id = '${owned}'`,
      );
    },
  },
  {
    title: "app.verify_organization_domain verifies a domain for one organization",
    expected: ["23505"],
    actual: async (scene) => {
      await giveDomain(scene, { verified: false });
      await giveDomain(scene, { id: id(9902), organization: theirs });
      return codesOf(scene, write(scene, "owner"), [prove()]);
    },
  },
];
