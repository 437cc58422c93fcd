import * as fc from "fast-check";

/** Strings that have broken readers of JSON, databases or validators before. */
const awkwardStrings = fc.constantFrom(
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "\udfffa",
  "\u202e",
  "\ufeff",
  "\u0085",
  "🦔".repeat(100),
  "㋏".repeat(240),
  "x".repeat(101),
  "x".repeat(2000),
  "'; drop table users; --",
  "\\x00",
  "1e400",
  "__proto__",
  "null",
);

const awkwardKeys = fc.constantFrom(
  "__proto__",
  "constructor",
  "toString",
  "",
  "\0",
  "\ud800",
  "id",
  "userId",
  "organizationId",
  "role",
);

const anyValue = fc.oneof(awkwardStrings, fc.string({ unit: "binary" }), fc.jsonValue(), fc.double());

/**
 * The text of any JSON, and of a valid body with fields changed, taken away or added, and at times
 * with its text cut or spoiled.
 */
function jsonBodies(valid: fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<string> {
  const changed = fc
    .tuple(
      valid,
      fc.array(fc.tuple(fc.nat(), fc.option(anyValue)), { maxLength: 2 }),
      fc.array(fc.tuple(fc.oneof(awkwardKeys, fc.string()), anyValue), { maxLength: 1 }),
    )
    .map(([body, changes, additions]) => {
      const entries = Object.entries(body);
      for (const [index, value] of changes) {
        const entry = entries[index % entries.length];
        if (entry && value === null) entries.splice(entries.indexOf(entry), 1);
        else if (entry) entry[1] = value;
      }
      return writeObject([...entries, ...additions]);
    });
  const spoiled = fc
    .tuple(changed, fc.nat(), fc.nat({ max: 3 }), fc.string({ maxLength: 3 }))
    .map(([text, at, removed, inserted]) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + inserted + text.slice(index + removed);
    });
  return fc.oneof(
    { weight: 4, arbitrary: changed },
    { weight: 1, arbitrary: valid.map((body) => JSON.stringify(body)) },
    { weight: 1, arbitrary: spoiled },
    { weight: 1, arbitrary: anyValue.map((value) => JSON.stringify(value) ?? "") },
  );
}

/** An object would keep one of two equal keys and lose `__proto__`; text keeps both. */
function writeObject(entries: [string, unknown][]): string {
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
}

interface GeneratedBodies {
  texts: fc.Arbitrary<string>;
  /** What must hold for a body that is accepted, written without the service's own schemas. */
  isValid: (body: any) => boolean;
}

type Check = (value: unknown) => boolean;

const isName: Check = (value) =>
  typeof value === "string" && value.isWellFormed() && !value.includes("\0") && /^.{1,100}$/s.test(value.trim());
const isEmail: Check = (value) =>
  typeof value === "string" && value.length <= 254 && /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value.normalize("NFKC").trim());
const isPassword: Check = (value) => typeof value === "string" && /^.{8,256}$/su.test(value);
const isSlug: Check = (value) => typeof value === "string" && /^[a-z0-9-]{2,63}$/.test(value);

const names = fc.string({ minLength: 1, maxLength: 100, unit: "grapheme" });
const emails = fc.uuid().map((id) => `${id}@example.com`);
const passwords = fc.string({ minLength: 8, unit: "grapheme" });

function generate(
  valid: fc.Arbitrary<Record<string, unknown>>,
  required: Record<string, Check>,
  optional: Record<string, Check> = {},
): GeneratedBodies {
  const checks = { ...required, ...optional };
  return {
    texts: jsonBodies(valid),
    isValid: (body) =>
      Object.keys(body).every((key) => Object.hasOwn(checks, key) && checks[key]?.(body[key])) &&
      Object.keys(required).every((key) => Object.hasOwn(body, key)),
  };
}

/** Bodies for some routes, most of them nearly valid. */
export const generatedBodies: Record<string, GeneratedBodies> = {
  "POST /v1/auth/sign-up": generate(fc.record({ email: emails, password: passwords, name: names }), {
    email: isEmail,
    password: isPassword,
    name: isName,
  }),
  "PATCH /v1/users/me": generate(fc.record({ name: names }), { name: isName }),
  "POST /v1/organizations": generate(
    fc.record({ name: names, slug: fc.uuid() }, { requiredKeys: ["name"] }),
    { name: isName },
    { slug: isSlug },
  ),
};
