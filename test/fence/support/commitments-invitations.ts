import { invite, invited, keyOf, stored } from "./invited.ts";
import { id } from "./people.ts";
import { staysSame, type Commitment } from "./scene.ts";
import {
  mine,
  theirs,
  write,
  stranger,
  create,
  refusals,
  mail,
  inviterScope,
  addressScope,
  setCount,
} from "./inviting.ts";

/** What an organization does with those whom it invites. */
export const invitationCommitments: Commitment[] = [
  {
    title: "app.create_invitations keeps each role once, for 7 days, and mails the token that it is given",
    expected: [
      [["1", null, stranger, "{member,viewer}", id(101)]],
      [[mine, stranger, "{member,viewer}", "pending", id(101), true, "7 days", true, null]],
      [
        [
          stranger,
          "invitation",
          null,
          true,
          `{"organization" : "Organization mine", "inviter" : "Name of person-101@example.test"}`,
        ],
      ],
      true,
    ],
    actual: async (scene) => {
      let answer: unknown[][] = [];
      const same = await staysSame(
        scene,
        [["invitations", `id <> '${id(9400)}'`], ["outbox", `id <> '${id(9500)}'`], ["memberships"]],
        async () => {
          answer = await scene.ask(write(scene, "admin"), create({ roles: ["viewer", "member", "viewer"] }));
        },
      );
      return [answer, await stored(scene, id(9400), keyOf(0)), await scene.see(mail), same.every(Boolean)];
    },
  },
  {
    title:
      "app.create_invitations says why there is none: a member, invited already, roles unknown or above the caller",
    expected: [["APMEM", "APPND", "APROL", "APROL", "APROL", "APABV", "APABV", null, "APPND", null], [[1]]],
    actual: async (scene) => {
      await invite(scene);
      await invite(scene, { id: id(9302), organization: theirs, email: "theirs@example.test" });
      await scene.see(
        `insert into roles (organization_id, id, key, name, permissions) values ('${theirs}', '${id(9390)}', 'foreign', 'Foreign', '{organization:read}'),
           ('${mine}', '${id(9391)}', 'closer', 'Closer', '{organization:delete,organization:read}')`,
      );
      const found = await refusals(
        scene,
        "admin",
        { email: scene.person("viewer").email },
        { email: "invited@example.test" },
        { email: "a@example.test", roles: ["foreign"] },
        { email: "b@example.test", roles: [] },
        { email: "c@example.test", roles: null },
        { email: "d@example.test", roles: ["viewer", "owner"] },
        { email: "e@example.test", roles: ["closer"] },
        // Invited by another organization, and a member of another one.
        { email: "theirs@example.test" },
        { email: "theirs@example.test" },
        { email: scene.person("founder").email },
      );
      const queued = `select count(*)::int from outbox where recipient = 'theirs@example.test'`;
      return [found, await scene.see(queued)];
    },
  },
  {
    title:
      "app.create_invitations ends one that has expired, of this address and organization alone, when it replaces it",
    expected: [["expired"], ["pending"], ["pending"], [[true]], ["revoked"], [null]],
    actual: async (scene) => {
      await invite(scene, { expires: "now() - interval '1 hour'" });
      await invite(scene, { id: id(9302), email: "other@example.test", expires: "now() - interval '1 hour'" });
      await invite(scene, { id: id(9303), organization: theirs, expires: "now() - interval '1 hour'" });
      // One that was answered is in no way, and stays as it is.
      await invite(scene, { id: id(9304), status: "revoked", expires: "now() - interval '1 hour'" });
      const made = await refusals(scene, "admin", { email: "invited@example.test" });
      const status = async (invitationId: string) =>
        (await scene.see(`select status from invitations where id = '${invitationId}'`))[0];
      return [
        await status(invited),
        await status(id(9302)),
        await status(id(9303)),
        await scene.see(`select ended_at = expires_at from invitations where id = '${invited}'`),
        await status(id(9304)),
        made,
      ];
    },
  },
  {
    title:
      "app.create_invitations has 1,000 pending in an organization at most; what others have, and what has ended, do not count",
    expected: [
      [null, null, "APIVL"],
      ["APMEM", "APPND", "APROL"],
    ],
    actual: async (scene) => {
      const fill = (organization: string, count: number, status = "pending", expires = "now() + interval '1 day'") =>
        scene.see(
          `insert into invitations (organization_id, id, email, roles, status, key_hash, expires_at, ended_at)
           select '${organization}', gen_random_uuid(), gen_random_uuid() || '@example.test', '{viewer}', '${status}', sha256(uuid_send(gen_random_uuid())),
                  ${expires}, ${status === "pending" ? "null" : "now()"} from generate_series(1, ${count})`,
        );
      const have = (
        await scene.see(
          `select count(*)::int from invitations where organization_id = '${mine}' and status = 'pending' and expires_at > now()`,
        )
      )[0]?.[0];
      await fill(theirs, 1000);
      await fill(mine, 5, "revoked");
      await fill(mine, 5, "pending", "now() - interval '1 second'");
      await fill(mine, 998 - Number(have));
      const emails = ["a", "b", "c"].map((name) => ({ email: `${name}@example.test` }));
      const found = await refusals(scene, "admin", ...emails);
      // Another reason comes before this one.
      const member = { email: scene.person("viewer").email };
      const more = ["a", "d"].map((name) => ({ email: `${name}@example.test`, roles: name === "a" ? ["viewer"] : [] }));
      await scene.see(
        `delete from outbox; update invitations set id = gen_random_uuid(), key_hash = sha256(uuid_send(gen_random_uuid())) where organization_id = '${mine}'`,
      );
      return [found, await refusals(scene, "admin", member, ...more)];
    },
  },
  {
    title:
      "app.create_invitations mails 500 an hour for one person and 10 to one address: then none, and no invitation",
    expected: [[null, "APLIM"], [[1]], [null, "APLIM", null], [[500], [10]], ["APMEM"], [[500], [10]]],
    actual: async (scene) => {
      await setCount(scene, inviterScope(scene, "admin"), 499);
      await scene.see("savepoint counted");
      const byOne = await refusals(scene, "admin", { email: "a@example.test" }, { email: "b@example.test" });
      const made = await scene.see(
        "select count(*)::int from invitations where email in ('a@example.test', 'b@example.test')",
      );
      await scene.see("rollback to counted");
      await setCount(scene, inviterScope(scene, "admin"), 497);
      await setCount(scene, addressScope("b@example.test"), 10);
      await setCount(scene, addressScope("a@example.test"), 9);
      const toOne = await refusals(
        scene,
        "admin",
        { email: "a@example.test" },
        { email: "b@example.test" },
        { email: "c@example.test" },
      );
      const counts = await scene.see(
        `select attempts from throttles where scope in (${inviterScope(scene, "admin")}, ${addressScope("a@example.test")}) order by attempts desc`,
      );
      // Nothing is counted where another reason is against it, which comes first.
      await setCount(scene, addressScope(scene.person("viewer").email), 10);
      await scene.see(`delete from throttles where scope = ${addressScope("a@example.test")}`);
      const first = await refusals(scene, "admin", { email: scene.person("viewer").email });
      const after = await scene.see(
        `select attempts from throttles where scope in (${inviterScope(scene, "admin")}, ${addressScope(scene.person("viewer").email)}) order by attempts desc`,
      );
      return [byOne, made, toOne, counts, first, after];
    },
  },
];
