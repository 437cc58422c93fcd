import { admitKey, giveKey, given } from "./keys.ts";
import { id, organizations } from "./people.ts";
import { attempt, asPerson, codesOf, letIn, type Commitment, type Scene } from "./scene.ts";
import { told } from "./telling.ts";

const { mine, theirs } = organizations;

/** Of which request a transaction is: what would forge a part of the context is taken out of it. */
const request = "p_request_id => 'request|1', p_ip_address => '192.0.2.1|own'";
const sessionOf = (scene: Scene, who: string, organization = `'${mine}', 'organization:update'`) =>
  `select app.admit('${scene.person(who).handle}', ${organization}, ${request})`;
const keyOf = (key: string) => key.replace(/\)$/, `, ${request})`);
const nobody = "select app.admit_nobody('request|1', '192.0.2.1|own')";

/** An event of each trail by whoever is let in, and by one who is named beside it. */
const byActor = (scene: Scene, admission: string | null) =>
  told(scene, () =>
    scene.ask(
      admission,
      "set local role none",
      `select app_private.record_event('${mine}', null, 'team.created', 'team', '${id(9801)}')`,
      `select app_private.record_event(null, '${id(101)}', 'user.updated', 'user', '${id(101)}', '{"a": 1}')`,
      `select app_private.record_event('${mine}', null, 'team.created', 'team', '${id(9801)}', null, '{"b": 2}', '${id(102)}')`,
      `select app_private.record_event(null, '${id(101)}', 'user.updated', 'user', '${id(101)}', p_actor_id => '${id(102)}')`,
    ),
  );

const events = (actor: string, named: string, ...rest: string[]) => [
  ["mine", "team.created", actor, "team 9801", null, null, ...rest],
  ["admin", "user.updated", actor, "user admin", { a: 1 }, null, ...rest],
  ["mine", "team.created", named, "team 9801", null, { b: 2 }, ...rest],
  ["admin", "user.updated", named, "user admin", null, null, ...rest],
];
const there = ["request1", "192.0.2.1own"];

/** Who did something, which request it was of, and that no statement says so. */
export const auditActorCommitments: Commitment[] = [
  {
    title: "an event has who the context was sealed for, and else whoever is named, nobody of a request, or the system",
    expected: [
      events("user owner", "user owner", ...there),
      events("user owner", "user owner", ...there),
      events("api_key 9701", "api_key 9701", ...there),
      events("api_key 9701", "api_key 9701", ...there),
      [
        // What nobody does in an organization leaves it no address.
        ["mine", "team.created", "anonymous", "team 9801", null, null, "request1", null],
        ...events("anonymous", "user member", ...there).slice(1),
      ],
      events("system", "user member"),
    ],
    actual: async (scene) => {
      await giveKey(scene);
      const found: unknown[] = [];
      for (const admission of [sessionOf(scene, "owner"), sessionOf(scene, "owner", "null, null"), keyOf(admitKey())])
        found.push(await byActor(scene, admission));
      await scene.see(`update api_keys set user_id = null where id = '${given}'`);
      for (const admission of [keyOf(admitKey()), nobody, null]) found.push(await byActor(scene, admission));
      return found;
    },
  },
  {
    title:
      "an event of another organization has neither who acts in this one, nor the request; one of a person has both",
    expected: [
      ["theirs", "domain.updated", "system", "domain 9801", null, null],
      ["theirs", "member.added", "user viewer", "member viewer", null, null],
      ["owner", "user.updated", "user owner", "user owner", null, null, ...there],
    ],
    actual: (scene) =>
      told(scene, () =>
        scene.ask(
          sessionOf(scene, "owner"),
          "set local role none",
          `select app_private.record_event('${theirs}', null, 'domain.updated', 'domain', '${id(9801)}')`,
          `select app_private.record_event('${theirs}', null, 'member.added', 'member', '${id(103)}', p_actor_id => '${id(103)}')`,
          `select app_private.record_event(null, '${id(100)}', 'user.updated', 'user', '${id(100)}')`,
        ),
      ),
  },
  {
    title: "the id of a request and its address are cut where they are too long",
    expected: [[255, 45]],
    actual: (scene) =>
      scene.ask(
        `select app.admit_nobody(repeat('r', 300), repeat('a', 300))`,
        "select length(parts[7]), length(parts[8]) from string_to_array(current_setting('app.context'), '|') parts",
      ),
  },
  {
    title: "an event is written with no context that somebody has changed",
    expected: ["AP499", "AP499", "done"],
    actual: async (scene) => {
      const record = `select app_private.record_event('${mine}', null, 'team.created', 'team', '${id(9801)}')`;
      const found: unknown[] = [];
      for (const change of [
        "select set_config('app.context', replace(current_setting('app.context'), '192.0.2.1', '192.0.2.2'), true)",
        "select set_config('app.seal', '', true)",
        "select 1",
      ])
        found.push(
          await attempt(scene, () => scene.ask(sessionOf(scene, "owner"), change, "set local role none", record)),
        );
      return found;
    },
  },
  {
    title: "app_private.is_admitted tells a session and a key from nobody",
    expected: [[[true]], [[true]], [[true]], [[true]], [[false]], [[false]]],
    actual: async (scene) => {
      await giveKey(scene);
      const ask = (admission: string | null) =>
        scene.ask(admission, "set local role none", "select app_private.is_admitted()");
      const found: unknown[] = [];
      for (const admission of [letIn(scene, "owner"), asPerson(scene, "owner"), admitKey()])
        found.push(await ask(admission));
      await scene.see(`update api_keys set user_id = null where id = '${given}'`);
      for (const admission of [admitKey(), nobody, null]) found.push(await ask(admission));
      return found;
    },
  },
  {
    title: "app.admit_nobody lets nobody in",
    expected: ["AP400", "AP400", "AP400", "AP400"],
    actual: (scene) =>
      codesOf(scene, nobody, [
        "select app.user_id()",
        "select app.org_id()",
        "select app.session_id()",
        "select count(*) from organizations",
      ]),
  },
];
