import { invite, invited, keyOf, stored } from "./invited.ts";
import { id } from "./people.ts";
import { codesOf, letIn, refusalsAndLocks, refusedAndLocked, staysSame, text, type Commitment } from "./scene.ts";
import { admission } from "./world.ts";
import {
  mine,
  theirs,
  write,
  create,
  resend,
  revoke,
  mail,
  setRoles,
  inviterScope,
  addressScope,
  setCount,
} from "./inviting.ts";

/** What becomes of invitations that were sent. */
export const invitationManagementCommitments: Commitment[] = [
  {
    title: "functions of invitations refuse whoever lacks invitations:write, and are behind the organization's lock",
    expected: refusedAndLocked(3),
    actual: async (scene) => {
      await invite(scene);
      return refusalsAndLocks(scene, write(scene, "admin"), [create({}), resend(), revoke()]);
    },
  },
  {
    title: "app.resend_invitation gives this one another token and 7 more days, and the caller answers for it",
    expected: [
      [[mine, "invited@example.test", "{viewer}", "pending", id(101), true, "7 days", true, null]],
      [
        [
          "invited@example.test",
          "invitation",
          null,
          true,
          `{"organization" : "Organization mine", "inviter" : "Name of person-101@example.test"}`,
        ],
      ],
      [true, true],
    ],
    actual: async (scene) => {
      await invite(scene, { expires: "now() - interval '1 hour'" });
      await invite(scene, { id: id(9302), email: "other@example.test" });
      // Of one id with an invitation here, which nothing forbids.
      await invite(scene, { organization: theirs, key: "same" });
      await scene.see(`update invitations set sent_at = now() - interval '1 day' where id = '${invited}'`);
      const same = await staysSame(
        scene,
        [
          ["invitations", `id <> '${invited}' or organization_id <> '${mine}'`],
          ["outbox", `id <> '${id(9500)}'`],
        ],
        () => scene.ask(write(scene, "admin"), resend()),
      );
      return [await stored(scene, invited, keyOf(0)), await scene.see(mail), same];
    },
  },
  {
    title:
      "app.resend_invitation and app.revoke_invitation know none of others, none that has ended, and none above the caller",
    expected: [
      ["AP404", "AP404", "AP404", "AP404"],
      ["APEND", "APEND"],
      ["APABV", "APABV"],
      ["APROL", "done"],
      ["APMEM", "done"],
      ["APLIM", "APLIM"],
    ],
    actual: async (scene) => {
      await invite(scene);
      await invite(scene, { id: id(9302), organization: theirs, email: "theirs@example.test" });
      const both = (invitationId = invited) => [resend(invitationId), revoke(invitationId)];
      const codes = (statements: string[]) => codesOf(scene, write(scene, "admin"), statements);
      const found: unknown[] = [await codes([...both(id(9302)), ...both(id(9399))])];
      await scene.see(`update invitations set status = 'declined', ended_at = now() where id = '${invited}'`);
      found.push(await codes(both()));
      await scene.see(`update invitations set status = 'pending', ended_at = null where id = '${invited}'`);
      await setRoles(scene, "{owner}");
      found.push(await codes(both()));
      await setRoles(scene, "{gone,viewer}");
      found.push(await codes(both()));
      await setRoles(scene, "{viewer}");
      await scene.see(`update invitations set email = '${scene.person("viewer").email}' where id = '${invited}'`);
      found.push(await codes(both()));
      await scene.see(`update invitations set email = 'invited@example.test' where id = '${invited}'`);
      await setCount(scene, inviterScope(scene, "admin"), 500);
      const [byOne] = await codes([resend()]);
      await setCount(scene, inviterScope(scene, "admin"), 0);
      await setCount(scene, addressScope("invited@example.test"), 10);
      found.push([byOne, ...(await codes([resend()]))]);
      return found;
    },
  },
  {
    title: "app.revoke_invitation ends this one, and no other",
    expected: [[["revoked", true]], [true]],
    actual: async (scene) => {
      await invite(scene);
      await invite(scene, { id: id(9302), email: "other@example.test" });
      await invite(scene, { organization: theirs, key: "same" });
      const same = await staysSame(scene, [["invitations", `id <> '${invited}' or organization_id <> '${mine}'`]], () =>
        scene.ask(write(scene, "admin"), revoke()),
      );
      const ended = `select status, ended_at = now()::timestamptz(3) from invitations where id = '${invited}' and organization_id = '${mine}'`;
      return [await scene.see(ended), same];
    },
  },
  {
    title: "app.delete_role refuses a role that people are invited with; with a replacement they are invited with that",
    expected: ["APUSE", "done", "done", [["{member,viewer}"]], [["{desk}"]], [["{desk}"]]],
    actual: async (scene) => {
      const desk = id(9390);
      await scene.see(
        `insert into roles (organization_id, id, key, name, permissions) values ('${mine}', '${desk}', 'desk', 'Desk', '{organization:read}')`,
      );
      await invite(scene, { roles: "{desk,member,viewer}" });
      await invite(scene, { id: id(9302), organization: theirs, roles: "{desk}", key: "theirs" });
      const remove = (replacement: string | null = null) => `select app.delete_role('${desk}', ${text(replacement)})`;
      const codes = (statement: string) => codesOf(scene, letIn(scene, "admin", "roles:write"), [statement]);
      const found: unknown[] = [...(await codes(remove()))];
      await scene.see("savepoint invited");
      await scene.see(
        `update invitations set expires_at = now() - interval '1 second' where organization_id = '${mine}'`,
      );
      found.push(...(await codes(remove())));
      await scene.see("rollback to invited");
      await scene.see("savepoint invited");
      await scene.see(`update invitations set status = 'revoked', ended_at = now() where organization_id = '${mine}'`);
      found.push(...(await codes(remove())));
      await scene.ask(letIn(scene, "admin", "roles:write"), remove("member"));
      const ended = await scene.see(`select roles::text from invitations where id = '${invited}'`);
      await scene.see("rollback to invited");
      await scene.ask(letIn(scene, "admin", "roles:write"), remove("member"));
      const roles = (invitationId: string) =>
        scene.see(`select roles::text from invitations where id = '${invitationId}'`);
      found.push(
        await roles(invited),
        await roles(id(9302)),
        ended.map(([row]) => [String(row).includes("desk") ? "{desk}" : row]),
      );
      return found;
    },
  },
  {
    title: "app.my_sent_invitations tells the newest that the caller has sent",
    expected: [[[id(9303)], [invited]], [[id(9303)]], "AP400"],
    actual: async (scene) => {
      await invite(scene, { by: scene.person("viewer").id });
      await invite(scene, { id: id(9302), email: "other@example.test" });
      await invite(scene, { id: id(9303), organization: theirs, by: scene.person("viewer").id });
      const ask = (limit: number) => `select id from app.my_sent_invitations(${limit})`;
      const viewer = admission(scene.person("viewer"));
      return [
        await scene.ask(viewer, ask(9)),
        await scene.ask(viewer, ask(1)),
        (await codesOf(scene, null, [ask(9)]))[0],
      ];
    },
  },
];
