import { admitKey, create, given, giveKey, handle, mine, nextHandle, rotate, theirs, update, write } from "./keys.ts";
import { create as createDomain, update as updateDomain } from "./enrolling.ts";
import { create as invite } from "./inviting.ts";
import { id } from "./people.ts";
import { codesOf, findAfterEach, sha256, text, type Commitment, type Scene } from "./scene.ts";
import { create as share } from "./sharing.ts";
import { create as createTeam, giveTeam, put, take, team } from "./teaming.ts";

const setting = "select current_setting('app.context')";

const contextWith = async (scene: Scene, statement: string) => String((await scene.ask(statement, setting))[0]?.[0]);

const scopes = (scene: Scene, list: string) =>
  scene.see(`update api_keys set scopes = '${list}' where id = '${given}'`);

/** Gives the admin who has the key a second factor. */
const giveFactor = (scene: Scene) =>
  scene.see(
    `insert into totp_factors (id, user_id, sealed_seed, key_hash, activated_at) values ('${id(9790)}', '${scene.person("admin").id}', 'seed', sha256('key'), now())
     on conflict do nothing`,
  );

/** Who a transaction acts as that came with an API key. */
export const apiKeyContextCommitments: Commitment[] = [
  {
    title:
      "app.admit_key seals the person, no session, the organization, the permissions and the key, and tells its limit",
    expected: [
      `${id(101)}||${mine}|members:read,members:write,organization:read||${given}||||`,
      `||${mine}|members:read,members:write,organization:read||${given}||||`,
      [[{ id: given, rateLimitPerMinute: 7, hasWebhooks: true }]],
    ],
    actual: async (scene) => {
      await giveKey(scene);
      const found: unknown[] = [await contextWith(scene, admitKey())];
      const told = await scene.ask(null, admitKey());
      await scene.see(`update api_keys set user_id = null where id = '${given}'`);
      return [...found, await contextWith(scene, admitKey()), told];
    },
  },
  {
    title: "app.admit_key refuses what is no key, what ends one, and what it is not for",
    expected: [
      ["AP401", "AP401", "AP404", "AP404", "AP403", "AP403", "AP403"],
      ["AP401", "AP401", "AP401", "AP401", "AP401", "done", "done", "AP403"],
    ],
    actual: async (scene) => {
      await giveKey(scene);
      const kept = `\\x${sha256(Buffer.from(handle.slice(2), "hex")).toString("hex")}`;
      const refused = await codesOf(scene, null, [
        admitKey("members:read", "false, false", nextHandle),
        admitKey("members:read", "false, false", kept),
        admitKey("members:read", "false, false", handle, theirs),
        admitKey("members:read", "false, false", handle, id(99)),
        admitKey("teams:write"),
        admitKey("organization:delete"),
        admitKey(null),
      ]);
      const find = () => codesOf(scene, null, [admitKey()]);
      const ended = await findAfterEach(
        scene,
        [
          `update api_keys set expires_at = now() - interval '1 second' where id = '${given}'`,
          `delete from api_keys where id = '${given}'`,
          `update users set suspended_at = now() where id = '${id(101)}'`,
          `update organizations set deleted_at = now() where id = '${mine}'`,
          `delete from memberships where organization_id = '${mine}' and user_id = '${id(101)}'`,
          `update api_keys set expires_at = now() + interval '1 second' where id = '${given}'`,
          `update api_keys set expires_at = null, lifetime_days = null where id = '${given}'`,
          `update membership_roles set role = 'viewer' where organization_id = '${mine}' and user_id = '${id(101)}'`,
        ],
        find,
      );
      return [refused, ended.flat()];
    },
  },
  {
    title: "app.admit_key takes the key of before the last rotation until its time is over, for the same key",
    expected: [
      ["done", "done"],
      ["done", "AP401"],
      ["AP401", "done"],
    ],
    actual: async (scene) => {
      await giveKey(scene);
      const tries = [admitKey("members:read", "false, false", nextHandle), admitKey()];
      await scene.ask(write(scene, "admin"), rotate());
      const found = [await codesOf(scene, null, tries)];
      await scene.see(`update api_keys set previous_expires_at = now() - interval '1 second' where id = '${given}'`);
      found.push(await codesOf(scene, null, tries));
      await scene.see(
        `update api_keys set key_hash = sha256('other'), previous_key_hash = sha256('${handle}'), previous_expires_at = now() + interval '1 second' where id = '${given}'`,
      );
      return [...found, await codesOf(scene, null, tries)];
    },
  },
  {
    title: "app.admit_key asks for a verified address where the Worker does, of a member's key alone",
    expected: ["APVER", "done", "done", "done"],
    actual: async (scene) => {
      await giveKey(scene);
      const strict = admitKey("members:read", "true, false");
      return (
        await findAfterEach(
          scene,
          [
            "select",
            `update users set email_verified_at = now() where id = '${id(101)}'`,
            `update api_keys set user_id = null where id = '${given}'`,
          ],
          () => codesOf(scene, null, [strict]),
        )
      )
        .flat()
        .concat(await codesOf(scene, null, [admitKey()]));
    },
  },
  {
    title: "app.admit_key asks for a second factor of a member's key where the organization does",
    expected: ["APENR", "done", "done"],
    actual: async (scene) => {
      await giveKey(scene);
      await scene.see(
        `set local session_replication_role = replica; update organizations set mfa_required = true where id = '${mine}';
         set local session_replication_role = origin; delete from passkeys where user_id = '${id(101)}'; delete from totp_factors where user_id = '${id(101)}'`,
      );
      const found = await codesOf(scene, null, [admitKey()]);
      await scene.see("savepoint given");
      await giveFactor(scene);
      found.push(...(await codesOf(scene, null, [admitKey()])));
      await scene.see("rollback to given");
      await scene.see(`update api_keys set user_id = null where id = '${given}'`);
      return [...found, ...(await codesOf(scene, null, [admitKey()]))];
    },
  },
  {
    title: "app.admit_key notes once a minute that this key was used",
    expected: [
      [["now"], ["now"], ["59"]],
      [[null], [null]],
    ],
    actual: async (scene) => {
      await giveKey(scene);
      await giveKey(scene, { id: id(9702), of: null, key: nextHandle });
      // Of the same id, which nothing forbids.
      await giveKey(scene, { organization: theirs, of: "founder", key: "\\x0f" });
      const lastUse = `select case when last_used_at = now()::timestamptz(3) then 'now' else round(extract(epoch from now() - last_used_at))::text end
        from api_keys where organization_id = '${mine}' and id = '${given}'`;
      const found = await findAfterEach(
        scene,
        [
          "select",
          ...[61, 59].map(
            (age) =>
              `update api_keys set last_used_at = now() - interval '${age} seconds' where organization_id = '${mine}' and id = '${given}'`,
          ),
        ],
        async () => {
          await scene.ask(null, admitKey());
          return (await scene.see(lastUse))[0];
        },
      );
      await scene.ask(null, admitKey());
      return [
        found,
        await scene.see(
          `select last_used_at from api_keys where id = '${id(9702)}' or organization_id = '${theirs}' and id = '${given}'`,
        ),
      ];
    },
  },
  {
    title: "app.admit_key lets a transaction write only where it may",
    expected: [
      ["done", "25006"],
      ["off", "on"],
    ],
    actual: async (scene) => {
      await giveKey(scene, { scopes: "{organization:read,organization:update}" });
      const rename = "update organizations set name = 'Renamed'";
      const codes: unknown[] = [];
      const settings: unknown[] = [];
      for (const reads of ["false", "true"]) {
        await scene.see("savepoint admitted");
        await scene.ask(admitKey("organization:read", `false, ${reads}`), "select 1");
        settings.push((await scene.see("select current_setting('transaction_read_only')"))[0]?.[0]);
        await scene.see("rollback to admitted");
        codes.push(...(await codesOf(scene, admitKey("organization:read", `false, ${reads}`), [rename])));
      }
      return [codes, settings];
    },
  },
  {
    title: "a key is no session: it reaches no account, and begins nothing of a person's",
    expected: Array(9).fill("APSES"),
    actual: async (scene) => {
      await giveKey(scene);
      return codesOf(scene, admitKey(), [
        "select app.user_id()",
        "select app.session_id()",
        "select app.claimant_passkeys()",
        "select count(*) from users",
        "select count(*) from sessions",
        "select * from app.my_organizations(null, 9)",
        "select app.leave_organization()",
        "select app.delete_account()",
        `select * from app.create_organization('${id(8000)}', 'New', '{new}')`,
      ]);
    },
  },
  {
    title: "a key makes, changes and rotates no key, whatever its scopes",
    expected: ["APSES", "APSES", "APSES"],
    actual: async (scene) => {
      await giveKey(scene, { scopes: "{api-keys:write,organization:read}" });
      return codesOf(scene, admitKey("api-keys:write"), [
        create().replaceAll(given, id(9702)),
        update({ name: "N" }),
        rotate(),
      ]);
    },
  },
  {
    title: "a key turns the demand for a second factor neither on nor off, and changes the rest",
    expected: ["APSES", "APSES", "done"],
    actual: async (scene) => {
      await giveKey(scene, { of: null, scopes: "{organization:read,organization:update}" });
      const demand = (isOn: boolean) => `update organizations set mfa_required = ${isOn}`;
      const admitted = admitKey("organization:update");
      const found = await codesOf(scene, admitted, [demand(true)]);
      await scene.see(
        `set local session_replication_role = replica; update organizations set mfa_required = true where id = '${mine}';
         set local session_replication_role = origin`,
      );
      return [
        ...found,
        ...(await codesOf(scene, admitted, [demand(false), "update organizations set name = 'Renamed'"])),
      ];
    },
  },
  {
    title: "app.member_id tells whose key it is, and nothing with the organization's own; a session's person",
    expected: [[[id(101)]], [[null]], [[id(101)]]],
    actual: async (scene) => {
      await giveKey(scene);
      const ask = "select app.member_id()";
      const found = [await scene.ask(admitKey(), ask)];
      await scene.see(`update api_keys set user_id = null where id = '${given}'`);
      return [...found, await scene.ask(admitKey(), ask), await scene.ask(write(scene, "admin"), ask)];
    },
  },
  {
    title: "what a key may change is looked at again behind the organization's lock",
    expected: ["done", "AP404", "AP404", "AP403", "AP403", "done"],
    actual: async (scene) => {
      await giveKey(scene, { scopes: "{organization:read,teams:write}" });
      // Of the same id, which nothing forbids.
      await giveKey(scene, { organization: theirs, of: "founder", key: nextHandle });
      const admitted = admitKey("teams:write");
      const after = (change: string) =>
        codesOf(scene, admitted, [`set local role none; ${change}; set local role app_user; ${createTeam()}`]);
      return [
        ...(await after("select 1")),
        ...(await after(`delete from public.api_keys where id = '${given}'`)),
        ...(await after(`update public.api_keys set expires_at = now() - interval '1 second' where id = '${given}'`)),
        ...(await after(`update public.api_keys set scopes = '{organization:read}' where id = '${given}'`)),
        ...(await after(
          `update public.membership_roles set role = 'viewer' where organization_id = '${mine}' and user_id = '${id(101)}'`,
        )),
        ...(await after(`update public.api_keys set expires_at = null, lifetime_days = null where id = '${given}'`)),
      ];
    },
  },
  {
    title:
      "a key of the organization's own may do what an owner may, of its scopes, and nothing that somebody answers for",
    expected: ["done", "APPER", "APPER", "APPER", "done"],
    actual: async (scene) => {
      await giveKey(scene, {
        of: null,
        scopes: "{domains:write,invitations:write,members:read,organization:read,teams:write}",
      });
      return [
        ...(await codesOf(scene, admitKey("teams:write"), [createTeam()])),
        ...(await codesOf(scene, admitKey("invitations:write"), [invite({}), share()])),
        ...(await codesOf(scene, admitKey("domains:write"), [updateDomain("suggest"), createDomain()])),
      ];
    },
  },
  {
    title: "a resent invitation, too, is answered for by somebody",
    expected: ["APPER", "AP404"],
    actual: async (scene) => {
      await giveKey(scene, { of: null, scopes: "{invitations:write,organization:read}" });
      const resend = `select app.resend_invitation('${id(9499)}', '${id(9500)}', '\\x01')`;
      const found = await codesOf(scene, admitKey("invitations:write"), [resend]);
      await scene.see(`update api_keys set user_id = '${id(101)}' where id = '${given}'`);
      return [...found, ...(await codesOf(scene, admitKey("invitations:write"), [resend]))];
    },
  },
  {
    title: "a key does nothing by what its person leads, or is: it takes teams:write",
    expected: [
      ["done", "done"],
      ["AP403", "AP403", "AP403"],
      ["done", "done", "done"],
      [["APABV"], [null]],
    ],
    actual: async (scene) => {
      await giveTeam(scene, { member: "lead", viewer: "member" });
      await giveKey(scene, { of: "member", scopes: "{members:read,organization:read}" });
      const member = scene.person("member").id;
      const viewer = scene.person("viewer").id;
      const tries = [put(viewer, "lead"), take(viewer), take(member)];
      const inPerson = `select app.admit('${scene.person("member").handle}', '${mine}', 'members:read')`;
      const found: unknown[] = [
        await codesOf(scene, inPerson, [put(viewer, "lead"), take(member)]),
        await codesOf(scene, admitKey(), tries),
      ];
      await scene.see(
        `update api_keys set user_id = '${id(101)}', scopes = '{invitations:write,members:read,organization:read,teams:write}' where id = '${given}'`,
      );
      found.push(await codesOf(scene, admitKey(), tries));
      await scene.see(
        `insert into team_memberships (organization_id, team_id, user_id, role) values ('${mine}', '${team}', '${id(101)}', 'lead')`,
      );
      const asked = invite({ roles: ["viewer"], teamIds: [team] });
      const refusal = async () => (await scene.ask(admitKey("invitations:write"), asked)).map(([, code]) => code);
      const invited: unknown[] = [];
      for (const list of [
        "{invitations:write,members:read,organization:read}",
        "{invitations:write,members:read,organization:read,teams:write}",
      ]) {
        await scene.see("savepoint inviting");
        await scopes(scene, list);
        invited.push(await refusal());
        await scene.see("rollback to inviting");
      }
      return [...found, invited];
    },
  },
  {
    title: "an invitation by a key is its person's",
    expected: [[id(101), id(101)]],
    actual: async (scene) => {
      await giveKey(scene, { scopes: "{invitations:write,organization:read}" });
      const rows = await scene.ask(admitKey("invitations:write"), invite({}));
      const [[, , , , by] = []] = rows;
      const [mailed = []] = await scene.see(`select invited_by from invitations where id = '${id(9400)}'`);
      return [[by, mailed[0]]];
    },
  },
  {
    title: "an idempotency key beside an API key is that of its person, or of the organization's own key",
    expected: [[[`user:${id(101)}`]], [[`key:${given}`]], "AP401"],
    actual: async (scene) => {
      await giveKey(scene);
      const claim = "select app.claim_idempotency_key(null, 'k', '\\x01')";
      const scope = "select scope from idempotency_keys where key = 'k'";
      const found: unknown[] = [];
      await scene.see("savepoint claiming");
      await scene.ask(admitKey(), claim);
      found.push(await scene.see(scope));
      await scene.see("rollback to claiming");
      const gone = await codesOf(scene, admitKey(), [
        `set local role none; set local session_replication_role = replica; delete from public.users where id = '${id(101)}'; set local session_replication_role = origin; set local role app_user; ${claim}`,
      ]);
      await scene.see(`update api_keys set user_id = null where id = '${given}'`);
      await scene.ask(admitKey(), claim);
      return [...found, await scene.see(scope), gone[0]];
    },
  },
  {
    title: "the offer of ownership is read with a key by those it is for",
    expected: [[0], [1]],
    actual: async (scene) => {
      await scene.see(`delete from ownership_transfers where organization_id = '${mine}'`);
      await scene.see(
        `insert into ownership_transfers (organization_id, id, from_user_id, to_user_id) values ('${mine}', '${id(9791)}', '${scene.person("owner").id}', '${scene.person("member").id}')`,
      );
      await giveKey(scene);
      const ask = "select count(*)::int from app.ownership_transfer()";
      const found = await scene.ask(admitKey(), ask);
      await scene.see(`update api_keys set user_id = '${scene.person("member").id}' where id = '${given}'`);
      return [found[0], (await scene.ask(admitKey(), ask))[0]];
    },
  },
  {
    title: "a forged context of a key is refused",
    expected: "AP499",
    actual: (scene) =>
      scene.ask(
        null,
        `select set_config('app.context', ${text(`||${theirs}|organization:read||${given}`)}, true)`,
        "select app.member_id()",
      ),
  },
];
