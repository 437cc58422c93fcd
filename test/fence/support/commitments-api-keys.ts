import { create, given, giveKey, handle, mine, nextHandle, others, rotate, theirs, update, write } from "./keys.ts";
import { id } from "./people.ts";
import {
  asPerson,
  attempt,
  codesOf,
  letIn,
  purgeInOrder,
  refusalsAndLocks,
  refusedAndLocked,
  staysSame,
  type Commitment,
} from "./scene.ts";

const stored = `select organization_id, user_id, created_by, name, scopes::text, rate_limit, lifetime_days, hint, key_hash = sha256('${handle}'),
  previous_key_hash, (expires_at - now()::timestamptz(3))::text from api_keys where id = '${given}' order by organization_id`;

const first = (organization = mine) =>
  `select id from api_keys where organization_id = '${organization}' order by id limit 1`;

/** What those do who make, change and rotate keys. */
export const apiKeyCommitments: Commitment[] = [
  {
    title: "functions of API keys refuse whoever lacks api-keys:write, and are behind the organization's lock",
    expected: [...refusedAndLocked(1), ...refusedAndLocked(2)],
    actual: async (scene) => {
      const made = await refusalsAndLocks(scene, write(scene, "admin"), [create()]);
      await giveKey(scene);
      return [...made, ...(await refusalsAndLocks(scene, write(scene, "admin"), [update({ name: "N" }), rotate()]))];
    },
  },
  {
    title: "app.create_api_key makes one of the caller's in the request's organization, for as long as it is told",
    expected: [
      [[mine, id(101), id(101), "Made", "{members:read,organization:read}", 60, 30, "hint", true, null, "30 days"]],
      [[mine, id(101), id(101), "Made", "{members:read,organization:read}", 60, null, "hint", true, null, null]],
      [true],
    ],
    actual: async (scene) => {
      const found: unknown[] = [];
      const same = await staysSame(scene, [others], async () => {
        for (const days of ["30", null]) {
          await scene.see("savepoint making");
          await scene.ask(write(scene, "admin"), create({ days }));
          found.push(await scene.see(stored));
          await scene.see("rollback to making");
        }
        await scene.ask(write(scene, "admin"), create());
      });
      return [...found, same];
    },
  },
  {
    title: "app.create_api_key makes one of the organization's own for an owner alone",
    expected: [["AP403", "done"], [[null, id(100)]]],
    actual: async (scene) => {
      const own = create({ isOwn: true });
      const refused = await attempt(scene, () => scene.ask(write(scene, "admin"), own));
      await scene.ask(write(scene, "owner"), own);
      return [[refused, "done"], await scene.see(`select user_id, created_by from api_keys where id = '${given}'`)];
    },
  },
  {
    title: "app.create_api_key refuses scopes that are none, and above the caller",
    expected: ["22023", "22023", "22023", "APABV", "done"],
    actual: async (scene) => {
      const asked = (...scopes: string[]) => scopes.map((list) => create({ scopes: list }));
      return [
        ...(await codesOf(scene, write(scene, "owner"), asked("{}", "{everything}", "{organization:own}"))),
        ...(await codesOf(scene, write(scene, "admin"), asked("{organization:delete}", "{members:write}"))),
      ];
    },
  },
  {
    title: "app.create_api_key refuses the organization's 101st",
    expected: ["done", "APAKL"],
    actual: async (scene) => {
      const fill = (organization: string, count: string) =>
        scene.see(
          `insert into api_keys (organization_id, id, name, scopes, hint, key_hash)
           select '${organization}', gen_random_uuid(), 'Filled', '{organization:read}', '0000', sha256(convert_to('${organization} ' || n, 'UTF8'))
             from generate_series(1, ${count}) n`,
        );
      await fill(theirs, "100");
      await fill(mine, `99 - (select count(*)::int from api_keys where organization_id = '${mine}')`);
      const last = await codesOf(scene, write(scene, "admin"), [create()]);
      await scene.ask(write(scene, "admin"), create());
      const more = create().replaceAll(given, id(9702)).replace(handle, nextHandle);
      return [...last, ...(await codesOf(scene, write(scene, "admin"), [more]))];
    },
  },
  {
    title: "app.update_api_key changes what it is told, of this one of the organization's",
    expected: [
      [
        ["Given", "{members:read,members:write,organization:read}", 7],
        ["Renamed", "{members:read,members:write,organization:read}", 7],
        ["Given", "{members:read,organization:read}", 7],
        ["Given", "{members:read,members:write,organization:read}", 9],
        ["Given", "{members:read,members:write,organization:read}", null],
      ],
      [true],
    ],
    actual: async (scene) => {
      await giveKey(scene);
      await giveKey(scene, { organization: theirs, of: "founder", key: nextHandle });
      const found: unknown[] = [];
      const same = await staysSame(scene, [others], async () => {
        for (const changes of [
          {},
          { name: "Renamed" },
          { scopes: ["members:read"] },
          { rateLimitPerMinute: 9 },
          { rateLimitPerMinute: null },
        ]) {
          await scene.see("savepoint changing");
          await scene.ask(write(scene, "admin"), update(changes));
          found.push(
            ...(await scene.see(
              `select name, scopes::text, rate_limit from api_keys where organization_id = '${mine}' and id = '${given}'`,
            )),
          );
          await scene.see("rollback to changing");
        }
        await scene.ask(write(scene, "admin"), update({ name: "Renamed" }));
      });
      return [found, same];
    },
  },
  {
    title: "keys are changed and rotated by their person, and by an owner where they are the organization's own",
    expected: [
      ["AP404", "AP404", "AP403", "AP403", "AP403", "AP403"],
      ["done", "done"],
      ["22023", "APABV", "APABV"],
    ],
    actual: async (scene) => {
      await giveKey(scene);
      await giveKey(scene, {
        id: id(9702),
        of: null,
        by: "admin",
        key: "\\x0e",
      });
      const foreign = String((await scene.see(first(theirs)))[0]?.[0]);
      const refused = [
        ...(await codesOf(scene, write(scene, "admin"), [update({ name: "N" }, foreign), rotate(foreign)])),
        ...(await codesOf(scene, write(scene, "owner"), [update({ name: "N" }), rotate()])),
        ...(await codesOf(scene, write(scene, "admin"), [update({ name: "N" }, id(9702)), rotate(id(9702))])),
      ];
      const done = await codesOf(scene, write(scene, "owner"), [update({ name: "N" }, id(9702)), rotate(id(9702))]);
      await scene.see(`update api_keys set scopes = '{organization:delete,organization:read}' where id = '${given}'`);
      return [
        refused,
        done,
        await codesOf(scene, write(scene, "admin"), [
          update({ scopes: [] }),
          update({ scopes: ["organization:delete"] }),
          rotate(),
        ]),
      ];
    },
  },
  {
    title:
      "app.rotate_api_key puts another in its place, leaves the one before for the overlap, and begins its days anew",
    expected: [
      [["next", true, true, "01:00:00", true, "10 days"]],
      [["next", true, true, "02:00:00", true, "10 days"]],
      [["next", true, true, "01:00:00", true, null]],
      [true],
    ],
    actual: async (scene) => {
      const rotated = `select hint, key_hash = sha256('${nextHandle}'), previous_key_hash = sha256('${handle}'),
        (previous_expires_at - now()::timestamptz(3))::text, rotated_at = now()::timestamptz(3), (expires_at - now()::timestamptz(3))::text
        from api_keys where organization_id = '${mine}' and id = '${given}'`;
      await giveKey(scene);
      await giveKey(scene, { organization: theirs, of: "founder", key: "\\x0f" });
      const found: unknown[] = [];
      const same = await staysSame(scene, [others], async () => {
        for (const [change, overlap] of [
          ["select", "1 hour"],
          [`update api_keys set expires_at = now() + interval '2 hours' where id = '${given}'`, "1 day"],
          [`update api_keys set expires_at = null, lifetime_days = null where id = '${given}'`, "1 hour"],
        ] as const) {
          await scene.see("savepoint rotating");
          await scene.see(change);
          await scene.ask(write(scene, "admin"), rotate(given, overlap));
          found.push(await scene.see(rotated));
          await scene.see("rollback to rotating");
        }
        await scene.ask(write(scene, "admin"), rotate());
      });
      return [...found, same];
    },
  },
  {
    title: "keys are read and revoked under the fence, and those of others stay",
    expected: [[[1], [1], [0]], [[1], [0], [0]], "42501"],
    actual: async (scene) => {
      await giveKey(scene);
      await giveKey(scene, { organization: theirs, of: "founder", key: nextHandle });
      const seen: unknown[] = [];
      for (const by of [
        letIn(scene, "admin", "api-keys:read"),
        letIn(scene, "only api-keys:write", "api-keys:write"),
        letIn(scene, "member"),
      ]) {
        seen.push((await scene.ask(by, `select count(*)::int from api_keys where id = '${given}'`))[0]);
      }
      const deleted: unknown[] = [];
      for (const by of [
        write(scene, "admin"),
        letIn(scene, "only api-keys:read", "api-keys:read"),
        letIn(scene, "member"),
      ]) {
        await scene.see("savepoint deleting");
        deleted.push(
          (
            await scene.ask(
              by,
              `with gone as (delete from api_keys where id = '${given}' returning 1) select count(*)::int from gone`,
            )
          )[0],
        );
        await scene.see("rollback to deleting");
      }
      const secret = await attempt(scene, () => scene.ask(write(scene, "admin"), "select key_hash from api_keys"));
      return [seen, deleted, secret];
    },
  },
  {
    title: "app.my_api_keys tells the newest that the caller has made",
    expected: [
      [
        [id(9703), theirs, false],
        [id(9702), mine, true],
        [given, mine, false],
      ],
      [[id(9703)]],
      [true],
    ],
    actual: async (scene) => {
      await giveKey(scene, { of: "viewer" });
      await giveKey(scene, { id: id(9702), of: null, by: "viewer", key: nextHandle });
      await giveKey(scene, { id: id(9703), organization: theirs, of: "founder", by: "viewer", key: "\\x0f" });
      const viewer = asPerson(scene, "viewer");
      const [kept = []] = await scene.see(
        `select json_build_array(name, scopes, hint, rate_limit, created_at::text, updated_at::text, rotated_at::text, previous_expires_at::text, expires_at::text, last_used_at::text)::text
           from api_keys where id = '${given}'`,
      );
      const [told = []] = await scene.ask(
        viewer,
        `select json_build_array(name, scopes, hint, rate_limit, created_at::text, updated_at::text, rotated_at::text, previous_expires_at::text, expires_at::text, last_used_at::text)::text
           from app.my_api_keys(9) where id = '${given}'`,
      );
      return [
        await scene.ask(viewer, "select id, organization_id, is_organizations from app.my_api_keys(9)"),
        await scene.ask(viewer, "select id from app.my_api_keys(1)"),
        [kept[0] === told[0]],
      ];
    },
  },
  {
    title: "an API key goes with the membership of its person; the organization's own stays, also without who made it",
    expected: [[[id(9702), null]]],
    actual: async (scene) => {
      await giveKey(scene, { of: "viewer" });
      await giveKey(scene, { id: id(9702), of: null, by: "viewer", key: nextHandle });
      await scene.ask(asPerson(scene, "viewer"), "select app.delete_account()");
      return [await scene.see(`select id, created_by from api_keys where id in ('${given}', '${id(9702)}')`)];
    },
  },
  {
    title: "app.purge_expired forgets API keys 30 days after they have expired",
    expected: [["1"], [[id(9702)], [id(9703)]]],
    actual: async (scene) => {
      await scene.see("delete from api_keys");
      await giveKey(scene, { expires: "now() - interval '31 days'" });
      await giveKey(scene, { id: id(9702), expires: "now() - interval '29 days'", key: nextHandle });
      await giveKey(scene, { id: id(9703), expires: null, key: "\\x0f" });
      const [purged] = await purgeInOrder(scene);
      return [purged, await scene.see("select id from api_keys order by id")];
    },
  },
];
