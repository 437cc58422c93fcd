import {
  activate,
  addPasskeys,
  addSession,
  admit,
  ends,
  makeClaimant,
  pendingAdmission,
  setSecondFactor,
} from "./commitments-second-factors.ts";
import { id, organizations, type Person } from "./people.ts";
import { codesOf, letIn, staysSame, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const { mine, theirs } = organizations;

const demandFactor = (scene: Scene) =>
  scene.see(
    `set local session_replication_role = replica;
     update organizations set mfa_required = true where id = '${mine}';
     set local session_replication_role = origin`,
  );

const factorsOf = ({ id: userId }: Person) => `select app_private.factors('${userId}')`;

const asking = [
  "select app.user_id()",
  "select app.org_id(), app.user_id()",
  "select * from app.my_organizations(null, 10)",
  `select * from app.create_organization('${id(8000)}', 'New', '{new}')`,
  "select app.claim_idempotency_key(null, 'k', '\\x01')",
  "select * from app.begin_reauthentication('\\x01')",
  ...["users", "sessions", "totp_factors", "recovery_codes", "passkeys", "identities"].map((table) =>
    `select count(user_id) from ${table}`.replace("user_id) from users", "id) from users"),
  ),
];

const start = (scene: Scene, who: string, isGiven: boolean, idle = "2 days") =>
  scene.see(
    `select s.id, s.expires_at is not null, s.noticed, s.factors
       from users u, app_private.start_session(u, '${id(8001)}', '\\x08', '7 days', '${idle}', null, null, null, null, 'given', ${isGiven}) s
      where u.id = '${scene.person(who).id}'`,
  );

/** Sessions before their second factor, and organizations that ask for one. */
export const pendingSessionCommitments: Commitment[] = [
  {
    title:
      "app.admit refuses a session before its second factor, but where it may wait, and there outside of organizations",
    expected: ["APMFA", "APMFA", "APMFA", "APMFA", "APMFA", "APMFA", "done"],
    actual: async (scene) => {
      const { person } = await makeClaimant(scene);
      return codesOf(scene, null, [
        admit(person, "null"),
        admit(person, "null, null, true, false"),
        admit(person, "null, null, false, true"),
        admit(person, "null, null, false, false, false"),
        admit(person, `'${mine}', 'organization:read'`),
        admit(person, `'${mine}', 'organization:read', false, false, true`),
        admit(person, "null, null, false, false, true"),
      ]);
    },
  },
  {
    title: "app.admit lets a complete session in where another may wait, and seals whether it does",
    expected: [["||||||"], ["||||||"], ["|pending|||||"]],
    actual: async (scene) => {
      const found: unknown[] = [];
      const { person } = await makeClaimant(scene);
      for (const value of [null, "given", "pending"] as const) {
        await setSecondFactor(scene, person, value);
        const rows = await scene.ask(
          pendingAdmission(person),
          `select regexp_replace(current_setting('app.context'), '^${person.id}\\|${person.sessionId}\\|\\|', '')`,
        );
        found.push(rows[0]);
      }
      return found;
    },
  },
  ...asking.map((statement): Commitment => ({
    title: `before the second factor there is an error: ${statement}`,
    expected: "APMFA",
    actual: async (scene) => scene.ask((await makeClaimant(scene)).admit, statement),
  })),
  {
    title: "before the second factor there is a session, which is in no organization",
    expected: [[id(1100), null, null]],
    actual: async (scene) =>
      scene.ask(
        (await makeClaimant(scene)).admit,
        "select app.session_id(), app.org_id(), app.org_id('organization:read')",
      ),
  },
  ...["select app.user_id()", "select * from app.begin_totp('\\x01')"].map((statement): Commitment => ({
    title: `that a session waits for its second factor cannot be written out of the context: ${statement}`,
    expected: "AP499",
    actual: async (scene) =>
      scene.ask(
        (await makeClaimant(scene)).admit,
        "select set_config('app.context', replace(current_setting('app.context'), 'pending', ''), true)",
        statement,
      ),
  })),
  {
    title: "app.admit refuses whose session has no second factor, where the organization asks for one, and nobody else",
    expected: ["done", "APENR", "APENR", "APMFA", "done", "AP403", "AP404", "done", "done"],
    actual: async (scene) => {
      const [owner, both, outsider] = [scene.person("owner"), scene.person("both"), scene.person("outsider")];
      const read = (person: Person, organizationId: string, permission = "organization:read") =>
        admission(person, organizationId, permission);
      const found: unknown[] = await codesOf(scene, null, [read(owner, mine)]);
      await demandFactor(scene);
      found.push(...(await codesOf(scene, null, [read(owner, mine), read(owner, mine, "nothing")])));
      await setSecondFactor(scene, owner, "pending");
      found.push(...(await codesOf(scene, null, [read(owner, mine)])));
      await setSecondFactor(scene, owner, "given");
      const asked = [read(owner, mine), read(owner, mine, "nothing"), read(outsider, mine)];
      found.push(...(await codesOf(scene, null, [...asked, read(both, theirs), admission(both)])));
      return found;
    },
  },
  {
    title: "an organization asks for a second factor only from a session that has one",
    expected: ["APENR", "APENR", "done", [[true]], ["done", "done", "done"]],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      const demand = `update organizations set mfa_required = true where id = '${mine}'`;
      const asOwner = letIn(scene, "owner", "organization:update");
      const found: unknown[] = await codesOf(scene, asOwner, [demand]);
      await setSecondFactor(scene, admin, "given");
      await addSession(scene, owner, 8001, "given");
      found.push(...(await codesOf(scene, asOwner, [demand])));
      await setSecondFactor(scene, owner, "given");
      found.push(...(await codesOf(scene, asOwner, [demand])));
      await scene.ask(asOwner, demand);
      found.push(await scene.see(`select mfa_required from organizations where id = '${mine}'`));
      const others = [demand, demand.replace("true", "false"), demand.replace("mfa_required = true", "name = 'New'")];
      found.push(await codesOf(scene, asOwner, others));
      return found;
    },
  },
  {
    title: "app_private.factors tells what can be given, each once, and nothing where recovery codes alone are left",
    expected: [
      [[null]],
      [[["recovery_code", "totp"]]],
      [[["passkey", "recovery_code", "totp"]]],
      [[["passkey", "totp"]]],
      [[["totp"]]],
      [[null]],
      [[["passkey", "recovery_code"]]],
    ],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      await activate(scene, scene.person("member"));
      const found: unknown[] = [await scene.see(factorsOf(owner))];
      await activate(scene, owner);
      await scene.see(
        `insert into recovery_codes (user_id, key_hash) select '${owner.id}', sha256(n::text::bytea) from generate_series(1, 9) n`,
      );
      found.push(await scene.see(factorsOf(owner)));
      await addPasskeys(scene, owner, 3);
      found.push(await scene.see(factorsOf(owner)));
      for (const table of ["recovery_codes", "passkeys", "totp_factors"]) {
        await scene.see(`delete from ${table} where user_id = '${owner.id}'`);
        found.push(await scene.see(factorsOf(owner)));
      }
      return [...found, await scene.see(factorsOf(admin))];
    },
  },
  {
    title: "a session starts complete without a factor, and waits 10 minutes at most for one that there is",
    expected: [
      [[id(100), true, false, null]],
      [[null, "2 days", "7 days"]],
      [[id(100), true, false, ["recovery_code", "totp"]]],
      [["pending", "00:10:00", "00:10:00"]],
      [["pending", "00:05:00", "00:10:00"]],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const found: unknown[] = [];
      const again = () => scene.see(`delete from sessions where id = '${id(8001)}'`);
      found.push(await start(scene, "owner", false), await scene.see(ends(id(8001))));
      await again();
      await activate(scene, owner);
      found.push(await start(scene, "owner", false), await scene.see(ends(id(8001))));
      await again();
      await start(scene, "owner", false, "5 minutes");
      return [...found, await scene.see(ends(id(8001)))];
    },
  },
  {
    title: "a session whose second factor came along starts complete",
    expected: [
      [[id(100), true, false, null]],
      [["given", "2 days", "7 days"]],
      [[id(102), true, false, null]],
      [["given", "2 days", "7 days"]],
    ],
    actual: async (scene) => {
      await activate(scene, scene.person("owner"));
      const found = [await start(scene, "owner", true), await scene.see(ends(id(8001)))];
      await scene.see(`delete from sessions where id = '${id(8001)}'`);
      return [...found, await start(scene, "member", true), await scene.see(ends(id(8001)))];
    },
  },
  {
    title: "a session before its second factor is not refreshed, and one after it is",
    expected: [["AP401"], [true], ["done"]],
    actual: async (scene) => {
      const { person } = await makeClaimant(scene);
      const refresh = `select from app.refresh_session('${person.handle}', 1, '1 day')`;
      let refused: unknown;
      const same = await staysSame(scene, [["sessions"]], async () => {
        refused = await codesOf(scene, null, [refresh]);
      });
      await setSecondFactor(scene, person, "given");
      return [refused, same, await codesOf(scene, null, [refresh])];
    },
  },
];
