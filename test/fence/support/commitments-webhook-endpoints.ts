import { endpoint, giveEndpoint, mine, past, theirs, write } from "./hooking.ts";
import { giveKey, admitKey } from "./keys.ts";
import { id } from "./people.ts";
import { asPerson, codesOf, letIn, refusalsAndLocks, refusedAndLocked, staysSame, type Commitment } from "./scene.ts";

const create = (newId = endpoint) =>
  `select app.create_webhook_endpoint('${newId}', 'https://made.test/', 'Made', '{team.created,team.deleted}', 'sealed')`;
const rotate = (endpointId = endpoint, overlap = "1 day") =>
  `select app.rotate_webhook_secret('${endpointId}', 'sealed anew', '${overlap}')`;
const secretsOf = (organization: string) =>
  `select convert_from(sealed_secret, 'UTF8'), convert_from(previous_sealed_secret, 'UTF8'), (previous_expires_at - now()::timestamptz(3))::text
     from webhook_endpoints where organization_id = '${organization}' and id = '${endpoint}'`;

/** Endpoints that an organization makes, whose secret it rotates, and that are disabled. */
export const webhookEndpointCommitments: Commitment[] = [
  {
    title: "app.create_webhook_endpoint makes one of the request's organization",
    expected: [
      [[mine, "https://made.test/", "Made", ["team.created", "team.deleted"], "sealed", null, null, null, null]],
      [true],
    ],
    actual: async (scene) => {
      const same = await staysSame(scene, [["webhook_endpoints", `id <> '${endpoint}'`]], () =>
        scene.ask(write(scene), create()),
      );
      return [
        await scene.see(
          `select organization_id, url, description, event_types, convert_from(sealed_secret, 'UTF8'), previous_sealed_secret, failing_since, disabled_at, disabled_reason
             from webhook_endpoints where id = '${endpoint}'`,
        ),
        same,
      ];
    },
  },
  {
    title: "app.create_webhook_endpoint refuses the 21st of an organization, and none for those of others",
    expected: ["APWHL", "done"],
    actual: async (scene) => {
      await past(
        scene,
        `insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret)
           select '${mine}', gen_random_uuid(), 'https://more.test/', '', '{}', '' from generate_series(1, 19);
         insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret)
           select '${theirs}', gen_random_uuid(), 'https://more.test/', '', '{}', '' from generate_series(1, 30)`,
      );
      const found = await codesOf(scene, write(scene), [create()]);
      await past(
        scene,
        `delete from webhook_endpoints where organization_id = '${mine}' and url = 'https://more.test/' and id = (
           select id from webhook_endpoints where organization_id = '${mine}' and url = 'https://more.test/' limit 1)`,
      );
      return [...found, ...(await codesOf(scene, write(scene), [create()]))];
    },
  },
  {
    title: "app.create_webhook_endpoint asks for webhooks:write, and holds the organization",
    expected: [...refusedAndLocked(1), ["AP403"], ["done"]],
    actual: async (scene) => {
      await giveKey(scene, { of: null, scopes: "{organization:read,webhooks:write}" });
      return [
        ...(await refusalsAndLocks(scene, write(scene), [create()])),
        await codesOf(scene, letIn(scene, "only webhooks:read", "webhooks:read"), [create()]),
        await codesOf(scene, admitKey("webhooks:write"), [create()]),
      ];
    },
  },
  {
    title: "app.rotate_webhook_secret puts a secret in place of the one before, which goes on for as long as asked",
    expected: [[["sealed anew", "secret", "1 day"]], [["secret", null, null]], [true]],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveEndpoint(scene, { organization: theirs });
      const same = await staysSame(
        scene,
        [["webhook_endpoints", `id <> '${endpoint}' or organization_id <> '${mine}'`]],
        () => scene.ask(write(scene), rotate()),
      );
      return [await scene.see(secretsOf(mine)), await scene.see(secretsOf(theirs)), same];
    },
  },
  {
    title: "app.rotate_webhook_secret knows no endpoint of others, and none without webhooks:write",
    expected: [["AP404", "AP404", "done"], ["AP404"], ["AP404"], ["AP400"]],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveEndpoint(scene, { organization: theirs, id: id(9802) });
      return [
        await codesOf(scene, write(scene), [rotate(id(9802)), rotate(id(9899)), rotate()]),
        await codesOf(scene, letIn(scene, "only webhooks:read", "webhooks:read"), [rotate()]),
        await codesOf(scene, asPerson(scene, "owner"), [rotate()]),
        await codesOf(scene, null, [rotate()]),
      ];
    },
  },
  {
    title: "app.admit and app.admit_key tell whether an organization has an endpoint that is enabled",
    expected: [true, true, false, false, true, false],
    actual: async (scene) => {
      await giveKey(scene);
      const session = async (organization = mine, who = "owner") =>
        (
          await scene.ask(null, `select app.admit('${scene.person(who).handle}', '${organization}', 'members:read')`)
        )[0]?.[0];
      const key = async () =>
        ((await scene.ask(null, admitKey()))[0]?.[0] as { hasWebhooks: boolean } | undefined)?.hasWebhooks;
      const found: unknown[] = [await session(), await key()];
      await past(scene, `update webhook_endpoints set disabled_at = now() where organization_id = '${mine}'`);
      found.push(await session(), await key(), await session(theirs, "founder"));
      const nowhere = await scene.ask(null, `select app.admit('${scene.person("owner").handle}')`);
      return [...found, nowhere[0]?.[0]];
    },
  },
  {
    title: "app.export_organization has endpoints as the API shows them, and no secret",
    expected: [
      {
        id: endpoint,
        url: "https://mine.test/9801",
        description: "Given",
        eventTypes: ["team.created"],
        enabled: false,
        disabledAt: "2026-01-01T00:00:00.000Z",
        disabledReason: "gone",
        failingSince: "2026-01-02T00:00:00.000Z",
        previousSecretExpiresAt: "2026-01-03T00:00:00.000Z",
        createdAt: "2026-01-04T00:00:00.000Z",
        updatedAt: "2026-01-05T00:00:00.000Z",
      },
    ],
    actual: async (scene) => {
      await past(scene, `delete from webhook_endpoints where organization_id = '${mine}'`);
      await giveEndpoint(scene, { types: "{team.created}" });
      await past(
        scene,
        `update webhook_endpoints
            set disabled_at = '2026-01-01Z', disabled_reason = 'gone', failing_since = '2026-01-02Z', previous_sealed_secret = 'planted',
                previous_expires_at = '2026-01-03Z', created_at = '2026-01-04Z', updated_at = '2026-01-05Z' where id = '${endpoint}'`,
      );
      const rows = await scene.ask(
        letIn(scene, "owner", "organization:export"),
        "select app.export_organization('_challenge.')::json -> 'webhookEndpoints'",
      );
      return rows[0]?.[0];
    },
  },
];
