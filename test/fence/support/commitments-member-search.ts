import { organizations } from "./people.ts";
import { codeOf, codesOf, letIn, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const { mine, theirs } = organizations;

interface Asked {
  after?: string;
  /** Whose row of the term before was the last of the page. */
  by?: string;
  limit?: number;
}

const search = (words: string, { after = "", by = "00000000-0000-0000-0000-000000000000", limit = 10 }: Asked = {}) =>
  `select convert_from(term, 'UTF8'), user_id from app.search_members(${text(words)}, convert_to(${text(after)}, 'UTF8'), '${by}', ${limit})`;

async function termsOf(scene: Scene, who: string, organizationId = mine): Promise<unknown[]> {
  const rows = await scene.see(
    `select convert_from(term, 'UTF8') from member_terms
      where organization_id = '${organizationId}' and user_id = '${scene.person(who).id}' order by term`,
  );
  return rows.flat();
}

/** In place of all that anybody is found by. */
async function setTerms(scene: Scene, terms: [who: string, organizationId: string, term: string][]): Promise<void> {
  await scene.see("delete from member_terms");
  for (const [who, organizationId, term] of terms) {
    await scene.see(
      `insert into member_terms (organization_id, user_id, term)
       values ('${organizationId}', '${scene.person(who).id}', convert_to(${text(term)}, 'UTF8'))`,
    );
  }
}

const read = (scene: Scene, name: string) => letIn(scene, name, "members:read");

const rename = (scene: Scene, who: string, changes = "name = 'Grace Hopper'") =>
  `update users set ${changes} where id = '${scene.person(who).id}'`;

const join = (scene: Scene, who: string) =>
  `insert into memberships (organization_id, user_id, joined_by) values ('${mine}', '${scene.person(who).id}', 'sso')`;

/** By what members are found, and what keeps it. */
export const memberSearchCommitments: Commitment[] = [
  {
    title: "app_private.fold takes case, accents, forms of characters and doubled spaces away, and what is past 100",
    expected: [["grace hopper", "zoe", "zoe", "ковалевская", "fi", "a b c", "", "b".repeat(100), null]],
    actual: (scene) =>
      scene.see(
        `select app_private.fold('GRACE Hopper'), app_private.fold('Zoë'), app_private.fold(U&'Zoe\\0300\\0308\\036F'), app_private.fold('Ковалевская'),
                app_private.fold('ﬁ'), app_private.fold(E'a  b \\n\\t c'), app_private.fold(U&'\\0308'), app_private.fold(repeat('b', 101)),
                app_private.fold(null)`,
      ),
  },
  {
    title: "app_private.terms_of names the address, its domain, and the name from each of its first ten words on",
    expected: [
      [
        "@c.test",
        "a@b@c.test",
        "brien-hopper",
        "grace m. o'brien-hopper",
        "hopper",
        "m. o'brien-hopper",
        "o'brien-hopper",
      ],
      [12, "j k l m", "@c.test", "a b c d e f g h i j k l m"],
      ["@c.test", "a@c.test"],
      ["@c.test", "a@c.test", "same-"],
    ],
    actual: async (scene) => {
      const found = async (email: string, name: string) =>
        (
          await scene.see(
            `select convert_from(term, 'UTF8') from app_private.terms_of(${text(email)}, ${text(name)}) term order by term`,
          )
        ).flat();
      const many = await found("a@c.test", "A B C D E F G H I J K L M");
      return [
        await found("A@b@c.test", "Grace M. O'Brien-Hopper"),
        [many.length, many.at(-1), many[0], many[1] === "a@c.test" ? many[2] : many[1]],
        await found("a@c.test", "-- !"),
        await found("a@c.test", "Same-\u0308"),
      ];
    },
  },
  {
    title: "app_private.index_members enters each new member where they are new, and nobody else",
    expected: [["@example.test", "grace hopper", "hopper"], ["@example.test", "hopper"], [true], [], "42501"],
    actual: async (scene) => {
      await scene.see(`${rename(scene, "spare")}; ${rename(scene, "outsider", "name = 'Hopper'")}`);
      const strangers = ["spare", "outsider"].map((who) => `'${scene.person(who).id}'`).join();
      const withoutAddress = async (who: string) =>
        (await termsOf(scene, who)).filter((term) => term !== scene.person(who).email);
      const same = await staysSame(
        scene,
        [["member_terms", `user_id not in (${strangers}) or organization_id <> '${mine}'`]],
        async () => {
          await scene.see(`${join(scene, "spare")}, ('${mine}', '${scene.person("outsider").id}', 'sso')`);
        },
      );
      const found = [await withoutAddress("spare"), await withoutAddress("outsider"), same];
      await scene.see(
        `delete from memberships where organization_id = '${mine}' and user_id = '${scene.person("spare").id}'`,
      );
      const gone = await termsOf(scene, "spare");
      await scene.see("revoke insert on member_terms from app_definer");
      return [...found, gone, await codeOf(scene.see(join(scene, "spare")))];
    },
  },
  {
    title:
      "app_private.index_person follows a person's name and address, wherever they are a member, and nobody else's",
    expected: [
      ["@example.test", "grace hopper", "hopper", "person"],
      ["@example.test", "grace hopper", "hopper", "person"],
      [true],
      ["@other.test", "both@other.test", "grace hopper", "hopper"],
      [true],
      "42501",
    ],
    actual: async (scene) => {
      const { id: userId, email } = scene.person("both");
      const found = async (organizationId: string) =>
        (await termsOf(scene, "both", organizationId)).map((term) => (term === email ? "person" : term));
      const others: [string, string][] = [["member_terms", `user_id <> '${userId}'`]];
      // By the person, who can write nothing of it.
      const same = await staysSame(scene, others, () =>
        scene.ask(admission(scene.person("both")), rename(scene, "both")),
      );
      const renamed = [await found(mine), await found(theirs), same];
      await scene.see(rename(scene, "both", "email = 'both@other.test'"));
      const moved = await termsOf(scene, "both");
      const kept = await staysSame(scene, [["member_terms"]], () =>
        scene.see(rename(scene, "both", "name = name, email = email")),
      );
      await scene.see("revoke delete on member_terms from app_definer");
      return [...renamed, moved, kept, await codeOf(scene.see(rename(scene, "both", "name = 'Another'")))];
    },
  },
  {
    title: "app_private.index_members and app_private.index_person lock nobody else, and no other membership",
    expected: [[true], [true]],
    actual: async (scene) => {
      const { id: userId } = scene.person("spare");
      const keepsLocks = async (table: string, condition: string, change: string) => {
        const locks = () => scene.see(`select array_agg(xmax::text order by ctid) from ${table} where ${condition}`);
        const before = await locks();
        await scene.see("savepoint kept");
        await scene.see(change);
        const isSame = String(await locks()) === String(before);
        await scene.see("rollback to kept");
        return [isSame];
      };
      return [
        await keepsLocks("users", `id <> '${userId}'`, join(scene, "spare")),
        await keepsLocks("memberships", "true", rename(scene, "spare")),
      ];
    },
  },
  {
    title: "app.search_members names each member once, by their first term that starts with the search, in order",
    expected: [
      ["an", "an andersson", "ana", "anz"],
      ["an andersson"],
      ["an"],
      ["an andersson", "ana"],
      ["ana"],
      [],
      [],
      [],
      ["anz"],
      ["anna an andersson"],
    ],
    actual: async (scene) => {
      await setTerms(scene, [
        ["viewer", mine, "an andersson"],
        ["viewer", mine, "andersson"],
        ["viewer", mine, "anna an andersson"],
        ["member", mine, "ana"],
        ["admin", mine, "an"],
        ["admin", mine, "ao"],
        ["owner", mine, "am"],
        ["both", theirs, "an"],
        // Of the same person elsewhere it stands before, and of another one here.
        ["both", mine, "anz"],
        ["founder", theirs, "anz"],
      ]);
      const found = async (words: string, asked?: Asked) =>
        (await scene.ask(read(scene, "owner"), search(words, asked))).map(([term]) => term);
      const [admin, viewer] = [scene.person("admin").id, scene.person("viewer").id];
      return [
        await found("AN"),
        await found("an a"),
        await found("an", { limit: 1 }),
        await found("an", { after: "an", by: admin, limit: 2 }),
        await found("an", { after: "an andersson", by: viewer, limit: 1 }),
        await found("nobody"),
        await found("\u0308"),
        await found("n"),
        await found("anz"),
        await found("anna"),
      ];
    },
  },
  {
    title: "app.search_members goes on within a term by the members' ids",
    expected: [true, true, []],
    actual: async (scene) => {
      const ids = ["viewer", "member", "admin"].map((who) => scene.person(who).id).toSorted();
      await setTerms(scene, [
        ["viewer", mine, "same"],
        ["member", mine, "same"],
        ["admin", mine, "same"],
      ]);
      const found = async (asked?: Asked) =>
        (await scene.ask(read(scene, "owner"), search("s", asked))).map(([, userId]) => userId);
      return [
        String(await found()) === String(ids),
        String(await found({ after: "same", by: ids[0] as string })) === String(ids.slice(1)),
        await found({ after: "same", by: ids[2] as string }),
      ];
    },
  },
  {
    title: "app.search_members finds nobody for whoever lacks members:read, and outside of an organization",
    expected: [["AP403"], [], [], "AP400"],
    actual: async (scene) => {
      await setTerms(scene, [["owner", mine, "an"]]);
      return [
        await codesOf(scene, letIn(scene, "viewer", "members:read"), [search("an")]),
        await scene.ask(letIn(scene, "viewer"), search("an")),
        await scene.ask(admission(scene.person("owner")), search("an")),
        await codeOf(scene.ask(null, search("an"))),
      ];
    },
  },
];
