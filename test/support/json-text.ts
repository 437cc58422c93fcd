import * as fc from "fast-check";

/**
 * JSON as it is written, which can hold what a value cannot: a key twice, `__proto__`, 1e400, half
 * of a surrogate pair, text that is no JSON at all.
 */
export type Node = string | { items: Node[] } | { entries: [key: string, value: Node][] };

export function toNode(value: unknown): Node {
  if (Array.isArray(value)) return { items: value.map(toNode) };
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  return { entries: Object.entries(value).map(([key, item]) => [key, toNode(item)]) };
}

export function writeNode(node: Node): string {
  if (typeof node === "string") return node;
  if ("items" in node) return `[${node.items.map(writeNode).join(",")}]`;
  return `{${node.entries.map(([key, value]) => `${JSON.stringify(key)}:${writeNode(value)}`).join(",")}}`;
}

const awkwardWords =
  "null undefined true 0 -1 1e400 NaN [] {} __proto__ constructor %00 ../.. \\x00 $1 ${7*7} {{7*7}} '' -- ;";

const awkwardTexts = [
  "",
  " ",
  "\t\n",
  "\0",
  "a\0b",
  "\ud800",
  "\udfffa",
  "\u202e",
  "\ufeff",
  "\u0085",
  "\u00a0",
  "ﷺ".repeat(30),
  "🦔".repeat(100),
  "㋏".repeat(240),
  "e\u0301".repeat(101),
  "x".repeat(101),
  "x".repeat(5000),
  ` ${"x".repeat(99)} `,
  "'; drop table users; --",
  "%' or 1=1 --",
  "Ada\r\nX-Injected: 1",
  "<script>alert(1)</script>",
  "ａｄａ＠ｂ．ｃｏ",
  "2026-01-01T00:00:00.000Z",
  "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04",
  "00000000-0000-0000-0000-000000000000",
];

/** Strings that have broken readers of JSON, databases or validators before. */
export const hostileStrings = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...awkwardWords.split(" "), ...awkwardTexts) },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 300, size: "max" }) },
);

const hostileNumbers = fc.constantFrom(
  ..."0 -0 -1 1.5 1e400 -1e400 1e-400 9007199254740993 2147483648 9223372036854775808 1e308 0.1".split(" "),
);

const deep = fc
  .tuple(fc.constantFrom(2, 31, 32, 33, 5_000), fc.constantFrom(["[", "]"], ['{"a":', "}"]))
  .map(([depth, [open = "", close = ""]]) => `${open.repeat(depth)}0${close.repeat(depth)}`);

/** Any JSON, much of it of a kind that nobody expects. */
export const hostileNodes: fc.Arbitrary<Node> = fc.oneof(
  { weight: 4, arbitrary: hostileStrings.map(toNode) },
  { weight: 2, arbitrary: fc.constantFrom<Node>("null", "true", "false", "[]", "{}", "[null]", '{"":null}') },
  { weight: 2, arbitrary: hostileNumbers },
  { weight: 2, arbitrary: fc.jsonValue().map(toNode) },
  { weight: 1, arbitrary: deep },
);

const hostileKeys = fc.oneof(
  fc.constantFrom(
    ..."__proto__ constructor toString id userId organizationId role email password createdAt".split(" "),
  ),
  fc.constantFrom("", "\0", "\ud800", "name ", "Name"),
  fc.string(),
);

type Change = (node: Node) => Node;

/** Changes some node of the tree, the `index`th one in writing order. */
function changeAt(root: Node, index: number, change: Change): Node {
  const size = count(root);
  let left = index % size;
  const walk = (node: Node): Node => {
    if (left-- === 0) return change(node);
    if (typeof node === "string") return node;
    if ("items" in node) return { items: node.items.map(walk) };
    return { entries: node.entries.map(([key, value]) => [key, walk(value)]) };
  };
  return walk(root);
}

function count(node: Node): number {
  if (typeof node === "string") return 1;
  const children = "items" in node ? node.items : node.entries.map(([, value]) => value);
  return 1 + children.reduce((sum, child) => sum + count(child), 0);
}

const onObject =
  (change: (entries: [string, Node][]) => [string, Node][]): Change =>
  (node) =>
    typeof node === "object" && "entries" in node ? { entries: change(node.entries) } : node;

const everyLeaf = (node: Node, leaf: Node): Node => {
  if (typeof node === "string") return leaf;
  if ("items" in node) return { items: node.items.map((item) => everyLeaf(item, leaf)) };
  return { entries: node.entries.map(([key, value]) => [key, everyLeaf(value, leaf)]) };
};

/** What spoils a text from within. */
const infections = fc.constantFrom(
  "\0",
  "\0",
  "\ud800",
  "\udc00",
  "\u202e",
  "\u200b",
  "'",
  '"',
  "\\",
  "%",
  "\n",
  " ",
  "🦔",
  "ﬀ",
  "\ufeff",
);

/** Puts a character into the text of a leaf. */
const infect =
  (at: number, infection: string): Change =>
  (node) => {
    const value: unknown = typeof node === "string" ? JSON.parse(node) : undefined;
    if (typeof value !== "string") return node;
    const index = at % (value.length + 1);
    return toNode(value.slice(0, index) + infection + value.slice(index));
  };

/** @param stolen what belongs to somebody else, as values of further keys. */
function changes(stolen: fc.Arbitrary<string>): fc.Arbitrary<Change> {
  const added = fc.oneof(hostileNodes, stolen.map(toNode));
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.nat(20), fc.nat(), infections).map(
        ([at, index, infection]): Change =>
          (root) =>
            changeAt(root, at, infect(index, infection)),
      ),
    },
    {
      weight: 6,
      arbitrary: fc.tuple(fc.nat(20), hostileNodes).map(
        ([at, value]): Change =>
          (root) =>
            changeAt(root, at, () => value),
      ),
    },
    {
      weight: 2,
      arbitrary: fc
        .nat(20)
        .map((at): Change => onObject((entries) => entries.filter((_, i) => i !== at % entries.length))),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(hostileKeys, added)
        .map(([key, value]): Change => onObject((entries) => [...entries, [key, value]])),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(fc.nat(20), hostileNodes, fc.boolean()).map(([at, value, isLast]): Change =>
        onObject((entries) => {
          const [key] = entries[at % entries.length] ?? ["name"];
          return isLast ? [...entries, [key, value]] : [[key, value], ...entries];
        }),
      ),
    },
    {
      weight: 1,
      arbitrary: hostileNodes.map(
        (value): Change =>
          (root) =>
            everyLeaf(root, value),
      ),
    },
    { weight: 1, arbitrary: fc.constant<Change>((root) => everyLeaf(root, "null")) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Change>(
        (root) => ({ items: [root] }),
        (root) => toNode(writeNode(root)),
      ),
    },
  );
}

/** Spoils the text itself, at times far past what a body may have. */
const spoilers: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc
    .tuple(fc.nat(), fc.nat({ max: 3 }), fc.string({ maxLength: 3 }))
    .map(([at, removed, inserted]) => (text: string) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + inserted + text.slice(index + removed);
    }),
  fc.constantFrom<(text: string) => string>(
    () => "",
    (text) => `\ufeff${text}`,
    (text) => `${text}${text}`,
    (text) => text.replaceAll('"', "'"),
    (text) => text.replace(/}$/, ",}"),
    (text) => text.padEnd(256 * 1024 + 1, " "),
  ),
);

/** The text of a right body, changed once or twice, and now and then spoiled as text. */
export function spoil(valid: fc.Arbitrary<unknown>, stolen: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const changed = fc
    .tuple(valid, fc.array(changes(stolen), { minLength: 1, maxLength: 2 }))
    .map(([value, list]) => writeNode(list.reduce((node, change) => change(node), toNode(value))));
  return fc.oneof(
    { weight: 6, arbitrary: changed },
    {
      weight: 1,
      arbitrary: fc
        .tuple(
          valid.map((value) => JSON.stringify(value)),
          spoilers,
        )
        .map(([text, change]) => change(text)),
    },
  );
}
