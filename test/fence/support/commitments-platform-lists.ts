import { administer, givePlanted, planted, plantedOrganization } from "./administering.ts";
import { type Commitment, type Scene } from "./scene.ts";

/** Of each kind that is listed: its functions, what stands after what its terms begin with, its ids, and two of them as told. */
const kinds = [
  {
    name: "user",
    suffix: "@example.test",
    idOf: planted,
    told: [
      ["platd@example.test", true, "Name 1", "2026-01-01T00:00:00.000Z", null, null],
      ["platb@example.test", false, "Name 2", "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z", "Reason 2"],
    ],
  },
  {
    name: "organization",
    suffix: "",
    idOf: plantedOrganization,
    told: [
      ["platd", "Name 1", "2026-01-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z", null, null],
      ["platb", "Name 2", "2026-01-01T00:00:00.000Z", null, "2026-02-01T00:00:00.000Z", "Reason 2"],
    ],
  },
];

type Kind = (typeof kinds)[number];
type Page = [startingWith: string, after: string, limit: number];

/** The numbers of those on each page. */
async function list(scene: Scene, { name, suffix, idOf }: Kind, isSuspended: boolean, pages: Page[]) {
  await givePlanted(scene);
  const numbers = new Map([1, 2, 3, 4, 5].map((n) => [idOf(n), n]));
  const found: unknown[] = [];
  for (const [startingWith, after, limit] of pages) {
    const call = `app.platform_${name}s('${startingWith}', ${isSuspended}, '${after && after + suffix}', ${limit})`;
    const rows = await administer(scene, `select id from ${call}`);
    found.push(rows.map(([id]) => numbers.get(String(id))));
  }
  return found;
}

/** How administrators of the platform find accounts and organizations. */
export const platformListCommitments: Commitment[] = kinds.flatMap((kind): Commitment[] => [
  {
    title: `app.platform_${kind.name}s lists them in the order of their terms, by what those begin with`,
    expected: [[4, 2, 3, 1, 5], [4, 2], [3, 1], [1], [], []],
    actual: (scene) =>
      list(scene, kind, false, [
        ["plat", "", 10],
        ["plat", "", 2],
        ["plat", "platb", 2],
        ["platd", "", 10],
        ["plate", "", 10],
        ["lat", "", 10],
      ]),
  },
  {
    title: `app.platform_${kind.name}s lists the suspended ones alone where it is asked to`,
    expected: [[4, 2], [4], [2], [2], [], []],
    actual: (scene) =>
      list(scene, kind, true, [
        ["plat", "", 10],
        ["plat", "", 1],
        ["plat", "plata", 10],
        ["platb", "", 10],
        ["platc", "", 10],
        ["lat", "", 10],
      ]),
  },
  {
    title: `app.platform_${kind.name} and its list tell of each as it is stored, and find none that is not there`,
    expected: [...Array.from({ length: 2 }, () => kind.told.map((row, n) => [kind.idOf(n + 1), ...row])), "AP404"],
    actual: async (scene) => {
      await givePlanted(scene);
      const of = (call: string) => administer(scene, `select * from app.platform_${kind.name}${call} order by id`);
      const listed = await of("s('plat', false, '', 10)");
      const each = [...(await of(`('${kind.idOf(1)}')`)), ...(await of(`('${kind.idOf(2)}')`))];
      const none = await of(`('${kind.idOf(9)}')`).catch(({ code }: { code: string }) => code);
      return [listed.slice(0, 2), each, none];
    },
  },
]);
