import { id, organizations } from "./people.ts";
import { asPerson, attempt, codesOf, letIn, staysSame, type Commitment, type Scene } from "./scene.ts";

const { mine, theirs } = organizations;
const find = (slug: string) =>
  `select id, name, slug, mfa_required, roles::text from app.my_organization_with_slug('${slug}')`;
const rename = (slug: string) => `update organizations set slug = '${slug}'`;
const stored = `select slug, organization_id, replaced_at = now()::timestamptz(3) from organization_slugs
  where organization_id = '${mine}' order by slug`;
/** A slug that an organization had, so long ago. */
const giveFormer = (scene: Scene, slug: string, ago: string, organizationId = mine) =>
  scene.see(
    `insert into organization_slugs (slug, organization_id, replaced_at) values ('${slug}', '${organizationId}', now() - interval '${ago}')`,
  );

/** Slugs, and those that organizations had before. */
export const organizationSlugCommitments: Commitment[] = [
  {
    title: "app_private.keep_slug keeps the slug of a new organization, and of one that takes another, both",
    expected: [
      [["slug-mine", mine, null]],
      [
        ["new", mine, null],
        ["slug-mine", mine, true],
      ],
      [true],
      [["free", id(8002), null]],
    ],
    actual: async (scene) => {
      const before = await scene.see(stored);
      const same = await staysSame(scene, [["organization_slugs", `organization_id <> '${mine}'`]], () =>
        scene.ask(letIn(scene, "owner", "organization:update"), rename("new")),
      );
      const after = await scene.see(stored);
      await scene.ask(
        asPerson(scene, "spare"),
        `select app.create_organization('${id(8002)}', 'New', '{slug-mine,free}')`,
      );
      const made = await scene.see(
        `select slug, organization_id, replaced_at from organization_slugs where organization_id = '${id(8002)}'`,
      );
      return [before, after, same, made];
    },
  },
  {
    title:
      "app_private.keep_slug refuses what another organization has, or had in the last 90 days, and takes what is older",
    expected: [["23505", "23505", "23505", "done"], [["old", mine, null]]],
    actual: async (scene) => {
      await giveFormer(scene, "recent", "89 days 23 hours", theirs);
      await giveFormer(scene, "old", "90 days 1 hour", theirs);
      // Nobody's name any more, and kept all the same.
      await scene.see(
        "insert into organization_slugs (slug, organization_id) values ('kept', (select id from organizations where slug = 'slug-third'))",
      );
      const owner = letIn(scene, "owner", "organization:update");
      const codes = await codesOf(scene, owner, ["slug-theirs", "kept", "recent", "old"].map(rename));
      await scene.ask(owner, rename("old"));
      return [
        codes,
        await scene.see("select slug, organization_id, replaced_at from organization_slugs where slug = 'old'"),
      ];
    },
  },
  {
    title: "app_private.keep_slug gives an organization its own former slug back",
    expected: [
      [
        ["own", mine, null],
        ["slug-mine", mine, true],
      ],
    ],
    actual: async (scene) => {
      await giveFormer(scene, "own", "1 day");
      await scene.ask(letIn(scene, "owner", "organization:update"), rename("own"));
      return [await scene.see(stored)];
    },
  },
  {
    title: "app_private.keep_slug keeps the last ten of an organization's former slugs, and all of others",
    expected: [["new", "s-01", "s-02", "s-03", "s-04", "s-05", "s-06", "s-07", "s-08", "s-09", "slug-mine"], true],
    actual: async (scene) => {
      for (let n = 12; n > 0; n--) {
        await giveFormer(scene, `s-${String(n).padStart(2, "0")}`, `${n} days`);
        await giveFormer(scene, `t-${n}`, `${n} days`, theirs);
      }
      const [same] = await staysSame(scene, [["organization_slugs", `organization_id <> '${mine}'`]], () =>
        scene.ask(letIn(scene, "owner", "organization:update"), rename("new")),
      );
      return [(await scene.see(stored)).map(([slug]) => slug), same];
    },
  },
  {
    title: "app.my_organization_with_slug finds by the slug that is and by those that were, for members alone",
    expected: [
      [[mine, "Organization mine", "slug-mine", false, "{owner}"]],
      [[mine, "Organization mine", "slug-mine", false, "{owner}"]],
      [],
      [],
      [],
      [[theirs, "slug-theirs", "{owner}"]],
      [],
      [],
      "AP400",
    ],
    actual: async (scene) => {
      await giveFormer(scene, "former", "89 days 23 hours");
      await giveFormer(scene, "old", "90 days 1 hour");
      const found: unknown[] = [];
      for (const slug of ["slug-mine", "former", "old", "slug-theirs", "none"]) {
        found.push(await scene.ask(asPerson(scene, "owner"), find(slug)));
      }
      found.push((await scene.ask(asPerson(scene, "both"), find("slug-theirs"))).map(([a, , c, , e]) => [a, c, e]));
      found.push(await scene.ask(asPerson(scene, "outsider"), find("slug-mine")));
      const nobodys = await attempt(scene, () => scene.ask(null, find("slug-mine")));
      await scene.see(`update organizations set deleted_at = now() where id = '${mine}'`);
      found.push(await scene.ask(asPerson(scene, "owner"), find("slug-mine")));
      return [...found, nobodys];
    },
  },
  {
    title: "app.purge_expired forgets slugs 90 days after they were replaced",
    expected: [["1"], ["kept", "slug-mine", "slug-theirs", "slug-third"]],
    actual: async (scene) => {
      await giveFormer(scene, "gone", "90 days 1 minute");
      await giveFormer(scene, "kept", "89 days 23 hours");
      const [purged] = await scene.ask(null, "select app.purge_expired()");
      return [purged, (await scene.see("select slug from organization_slugs order by slug")).map(([slug]) => slug)];
    },
  },
];
