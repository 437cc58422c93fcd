import { complete, credentialOf, key as workerKeys, waiting } from "./commitments-passkeys.ts";
import { codeKeyOf, makeClaimant } from "./commitments-second-factors.ts";
import { signUp } from "./answering.ts";
import { signIn as signInByProvider, subjectOf } from "./identity-statements.ts";
import { invite } from "./invited.ts";
import { byCode, byLink, codeKey, give } from "./mailed-sign-in.ts";
import { mailed, newId, newKey, oldId, verified } from "./mailed-tokens.ts";
import { id } from "./people.ts";
import { asPerson, text, type Commitment, type Scene } from "./scene.ts";
import { told } from "./telling.ts";
import { useCode } from "./totp-statements.ts";

const nobody = "select app.admit_nobody('request', 'there')";
const [salt, hash] = [`$2b$04$${"n".repeat(22)}`, `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`];
const session = `'${id(8001)}', '\\x08'`;

const byPassword = (email: string, given: string) =>
  `select from app.sign_in(${text(email)}, ${text(given)}, ${session}, '1 day', 'here', 'agent')`;
const byPasskey = (credential: string) =>
  `select from app.sign_in_with_passkey(${text(workerKeys)}, '\\x${credential}', 1, 5, true, '\\x${"5c".repeat(32)}', ${session}, '9 days', '2 days', 'here', 'agent')`;

type Step = [admission: string, statement: string, prepare?: string];

/** What each of these tells, taken back before the next. */
async function toldOfEach(scene: Scene, steps: Step[]): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const [admission, statement, prepare] of steps) {
    await scene.see("savepoint asked");
    if (prepare) await scene.see(prepare);
    found.push(await told(scene, () => scene.ask(admission, statement)));
    await scene.see("rollback to asked");
  }
  return found;
}

/** Of an account, by its person. */
const event = (who: string, action: string, subject: string, after: unknown, before: unknown = null) => [
  who,
  action,
  `user ${who}`,
  subject,
  before,
  after,
];
const there = ["request", "there"];
const began = (who: string, method: string, secondFactor: string | null = null, sessionId = "8001") => [
  ...event(who, "session.created", `session ${sessionId}`, { method, secondFactor }),
  ...there,
];
const failed = (who: string, method: string) => [
  who,
  "sign_in.failed",
  "anonymous",
  `user ${who}`,
  null,
  { method },
  ...there,
];
const completed = (who: string) =>
  event(who, "session.completed", `session session of ${who}`, { secondFactor: "given" }, { secondFactor: "pending" });

/** What functions tell that no row says: how somebody came in, or did not, and what became of their secrets. */
export const auditSignInCommitments: Commitment[] = [
  {
    title: "a sign-in is told with what the person has shown, and one that failed where there is an account",
    expected: [
      [began("owner", "password")],
      [began("admin", "password", "pending")],
      [failed("owner", "password")],
      [failed("disabled", "password")],
      [],
      [],
      [began("member", "email_link")],
      [began("member", "email_code")],
      [failed("member", "email_code")],
      [],
      [],
      [began("admin", "passkey", "given")],
      [began("owner", "google", null, "9003")],
      [
        ["owner", "session.token_reused", "anonymous", "session session of owner", null, null, ...there],
        ["owner", "session.revoked", "user owner", "session session of owner", null, null, ...there],
      ],
    ],
    actual: async (scene) => {
      const [owner, admin, member, disabled] = [
        scene.person("owner"),
        scene.person("admin"),
        scene.person("member"),
        scene.person("disabled"),
      ];
      await verified(scene, member);
      await give(scene, member);
      const unknown = "unknown@example.test";
      const attempts = [
        byPassword(owner.email, owner.hash),
        byPassword(admin.email, admin.hash),
        byPassword(owner.email, "wrong"),
        byPassword(disabled.email, disabled.hash),
        byPassword(unknown, "wrong"),
        // Whose parameters were replaced since they were read: the Worker asks again.
        byPassword(owner.email, hash),
        byLink(newKey),
        byCode(member.email, [codeKey]),
        byCode(member.email, ["\\x77"]),
        byCode(unknown, ["\\x77"]),
        byCode(disabled.email, ["\\x77"]),
        byPasskey(credentialOf(admin)),
        signInByProvider({ subject: subjectOf(owner) }),
        `select from app.refresh_session('${owner.handle}', 99)`,
      ];
      return toldOfEach(
        scene,
        attempts.map((statement): Step => [nobody, statement]),
      );
    },
  },
  {
    title: "a second factor is told when it is given, and a recovery code also when it is wrong",
    expected: [
      [event("owner", "recovery_code.used", "user owner", null), completed("owner")],
      [event("owner", "sign_in.failed", "user owner", { method: "recovery_code" })],
      [completed("admin")],
    ],
    actual: async (scene) => {
      const { person, admit } = await makeClaimant(scene);
      const admin = scene.person("admin");
      return toldOfEach(scene, [
        [admit, useCode(codeKeyOf(person))],
        [admit, useCode("'wrong'")],
        [await waiting(scene, admin), complete(credentialOf(admin))],
      ]);
    },
  },
  {
    title: "an account that is made, or handed over, by whoever comes in is told as their own doing",
    expected: [
      [
        [...event("9001", "user.created", "user 9001", { name: "[redacted]", email: "[redacted]" }), ...there],
        [...event("9001", "identity.linked", "identity 9002", { provider: "google" }), ...there],
        began("9001", "google", null, "9003"),
      ],
      [
        [...event("owner", "user.email_verified", "user owner", null), ...there],
        [...event("owner", "session.revoked", "session session of owner", null), ...there],
        [...event("owner", "identity.unlinked", "identity ?", null, { provider: "google" }), ...there],
        [...event("owner", "totp.removed", "totp ?", null), ...there],
        [...event("owner", "user.handed_over", "user owner", null), ...there],
        began("owner", "email_link"),
      ],
      [
        [...event("9600", "user.created", "user 9600", { name: "[redacted]", email: "[redacted]" }), ...there],
        ["mine", "member.added", "user 9600", "member 9600", null, { joinedBy: "invitation" }, ...there],
        ["mine", "member.role_granted", "user 9600", "member 9600", null, { role: "viewer" }, ...there],
        [
          "mine",
          "invitation.accepted",
          "anonymous",
          "invitation 9301",
          { status: "pending" },
          { status: "accepted" },
          "request",
          null,
        ],
        [...event("9600", "user.email_verified", "user 9600", null), ...there],
      ],
    ],
    actual: async (scene) => {
      await give(scene, scene.person("owner"));
      await invite(scene);
      return toldOfEach(scene, [
        [nobody, signInByProvider()],
        [nobody, byLink(newKey)],
        [nobody, signUp()],
      ]);
    },
  },
  {
    title: "a mail with a token is told as asked for by nobody, and a password and codes that are replaced by whom",
    expected: [
      [["owner", "password_reset.requested", "anonymous", "user owner", null, null, ...there]],
      [["owner", "email_sign_in.requested", "anonymous", "user owner", null, null, ...there]],
      [event("owner", "email_change.requested", "user owner", null)],
      [
        [...event("owner", "identity.unlinked", "identity ?", null, { provider: "google" }), ...there],
        [...event("owner", "user.email_verified", "user owner", null), ...there],
        [...event("owner", "user.password_reset", "user owner", null), ...there],
        [...event("owner", "session.revoked", "session session of owner", null), ...there],
      ],
      [
        event("owner", "user.password_changed", "user owner", null),
        event("owner", "session.reauthenticated", "session session of owner", null),
      ],
      [event("owner", "recovery_codes.replaced", "user owner", null)],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const me = asPerson(scene, "owner");
      const password = `2, ${text(salt)}, ${text(hash)}, 'here'`;
      return toldOfEach(scene, [
        [nobody, `select app.forgot_password(${text(owner.email)}, ${mailed(newId)})`],
        [nobody, `select app.request_email_sign_in(${text(owner.email)}, ${mailed(newId)}, '\\x0c')`],
        // Of the mail to the address before, which is there as well, nothing is told.
        [
          me,
          `select app.request_email_change('new@example.test', ${mailed(oldId, "\\x0e")}, ${mailed(newId)})`,
          `update users set email_verified_at = now() where id = '${owner.id}'`,
        ],
        [nobody, `select app.reset_password('${owner.messageKey}', ${password})`],
        [me, `select app.change_password('\\x01', ${text(owner.hash)}, ${password})`],
        [
          me,
          `select app.replace_recovery_codes(array['\\x01']::bytea[])`,
          `update totp_factors set activated_at = now()`,
        ],
      ]);
    },
  },
];
