/** A schema of JSON Schema 2020-12, as far as /openapi.json goes. */
export type Schema = Record<string, any>;

interface Place {
  schema: Schema;
  at: string;
  /** Keys of this object that some keyword has judged. */
  seen: Set<string>;
}

type Keyword = (given: any, value: any, place: Place) => string[];

const annotations = new Set(["title", "description", "example", "examples", "default", "deprecated"]);

/** Style of the API: times are UTC with milliseconds. */
const formats: Record<string, (text: string) => boolean> = {
  uuid: (text) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text),
  "date-time": (text) => !Number.isNaN(Date.parse(text)) && new Date(text).toISOString() === text,
  email: (text) => /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text),
  uri: (text) => URL.canParse(text),
  password: () => true,
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const types: Record<string, (value: unknown) => boolean> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  array: Array.isArray,
  object: isObject,
};

const isEqual = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

export interface SchemaReader {
  /** What a reference stands for; anything else is itself. */
  resolve(schema: Schema): Schema;
  /** Why the value does not fit the schema; empty when it does. */
  findErrors(schema: Schema, value: unknown, at: string): string[];
  /** Throws for a keyword or a format, anywhere in the schema, that findErrors could only ignore. */
  assertSupported(schema: Schema, at: string): void;
}

/**
 * Validates against schemas of a document. Keywords that it does not know are an error, never ignored.
 *
 * @param isClosed whether objects may have only the keys that their schema names, although it says nothing of others.
 */
export function readSchemas(document: unknown, { isClosed }: { isClosed: boolean }): SchemaReader {
  const resolve = (schema: Schema): Schema =>
    schema["$ref"] === undefined
      ? schema
      : resolve(
          String(schema["$ref"])
            .replace(/^#\//, "")
            .split("/")
            .reduce((node: any, key) => node[key], document),
        );

  /** A value of its own, and not one that several schemas judge together. */
  const findErrors = (schema: Schema, value: unknown, at: string): string[] => {
    const seen = new Set<string>();
    const errors = judge(schema, value, at, seen);
    if (!isClosed || !isObject(value)) return errors;
    const extra = Object.keys(value).filter((key) => !seen.has(key));
    return [...errors, ...extra.map((key) => `${at}.${key} is not in the schema`)];
  };

  const judge = (schema: Schema, value: unknown, at: string, seen: Set<string>): string[] =>
    Object.entries(schema).flatMap(([keyword, given]) => {
      if (annotations.has(keyword)) return [];
      return knownKeyword(keyword, at)(given, value, { schema, at, seen });
    });

  const knownKeyword = (keyword: string, at: string): Keyword => {
    const known = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined;
    if (!known) throw new Error(`${at}: the validator does not know the keyword ${keyword}`);
    return known;
  };

  /** The branches that the value fits; they alone have seen its keys. */
  const fitting = (schemas: Schema[], value: unknown, { at, seen }: Place): number =>
    schemas.filter((schema) => {
      const keys = new Set<string>();
      if (judge(schema, value, at, keys).length > 0) return false;
      for (const key of keys) seen.add(key);
      return true;
    }).length;

  const when =
    (applies: (value: any) => boolean, isRight: (given: any, value: any) => boolean, name: string): Keyword =>
    (given, value, { at }) =>
      !applies(value) || isRight(given, value) ? [] : [`${at} does not keep to ${name} ${JSON.stringify(given)}`];
  const anything = () => true;
  const isString = (value: unknown) => typeof value === "string";
  const isNumber = (value: unknown) => typeof value === "number";
  const points = (text: string) => Array.from(text).length;

  const keywords: Record<string, Keyword> = {
    $ref: (given, value, { at, seen }) => judge(resolve({ $ref: given }), value, at, seen),
    type: when(anything, (given, value) => [given].flat().some((name) => types[name]?.(value)), "type"),
    enum: when(anything, (given, value) => given.some((item: unknown) => isEqual(item, value)), "enum"),
    const: when(anything, isEqual, "const"),
    properties: (given, value, { at, seen }) => {
      if (!isObject(value)) return [];
      const present = Object.keys(given).filter((key) => Object.hasOwn(value, key));
      for (const key of present) seen.add(key);
      return present.flatMap((key) => findErrors(given[key], value[key], `${at}.${key}`));
    },
    required: (given: string[], value, { at }) =>
      isObject(value) ? given.filter((key) => !Object.hasOwn(value, key)).map((key) => `${at}.${key} is missing`) : [],
    additionalProperties: (given, value, { at, seen, schema }) => {
      if (!isObject(value)) return [];
      const others = Object.keys(value).filter((key) => !Object.hasOwn(schema["properties"] ?? {}, key));
      if (given === false) return others.map((key) => `${at}.${key} is not allowed`);
      for (const key of others) seen.add(key);
      return given === true ? [] : others.flatMap((key) => findErrors(given, value[key], `${at}.${key}`));
    },
    minProperties: when(isObject, (given, value) => Object.keys(value).length >= given, "minProperties"),
    maxProperties: when(isObject, (given, value) => Object.keys(value).length <= given, "maxProperties"),
    items: (given, value, { at }) =>
      Array.isArray(value) ? value.flatMap((item, i) => findErrors(given, item, `${at}[${i}]`)) : [],
    minItems: when(Array.isArray, (given, value) => value.length >= given, "minItems"),
    maxItems: when(Array.isArray, (given, value) => value.length <= given, "maxItems"),
    uniqueItems: when(
      Array.isArray,
      (given, value) => !given || new Set(value.map((item: unknown) => JSON.stringify(item))).size === value.length,
      "uniqueItems",
    ),
    allOf: (given: Schema[], value, { at, seen }) => given.flatMap((schema) => judge(schema, value, at, seen)),
    anyOf: (given, value, place) => (fitting(given, value, place) > 0 ? [] : [`${place.at} fits nothing of anyOf`]),
    oneOf: (given, value, place) => {
      const count = fitting(given, value, place);
      return count === 1 ? [] : [`${place.at} fits ${count} of oneOf`];
    },
    format: (given, value, { at }) => {
      if (!isString(value)) return [];
      const check = formats[given];
      if (!check) throw new Error(`${at}: the validator does not know the format ${given}`);
      return check(value) ? [] : [`${at} is no ${given}`];
    },
    pattern: when(isString, (given, value) => new RegExp(given, "u").test(value), "pattern"),
    minLength: when(isString, (given, value) => points(value) >= given, "minLength"),
    maxLength: when(isString, (given, value) => points(value) <= given, "maxLength"),
    minimum: when(isNumber, (given, value) => value >= given, "minimum"),
    maximum: when(isNumber, (given, value) => value <= given, "maximum"),
    exclusiveMinimum: when(isNumber, (given, value) => value > given, "exclusiveMinimum"),
    exclusiveMaximum: when(isNumber, (given, value) => value < given, "exclusiveMaximum"),
  };

  const assertSupported = (schema: Schema, at: string): void => {
    for (const [keyword, given] of Object.entries(schema)) {
      const below = `${at}.${keyword}`;
      if (annotations.has(keyword)) continue;
      knownKeyword(keyword, at);
      if (keyword === "format" && !formats[given]) throw new Error(`${below}: ${given} is not known`);
      if (keyword === "type" && ![given].flat().every((name) => types[name])) throw new Error(`${below} is not known`);
      if (keyword === "properties")
        for (const [key, part] of Object.entries(given)) assertSupported(part as Schema, `${at}.${key}`);
      if (/^(all|any|one)Of$/.test(keyword)) for (const part of given) assertSupported(part, below);
      if (keyword === "items" || (keyword === "additionalProperties" && isObject(given))) assertSupported(given, below);
    }
  };

  return { resolve, findErrors, assertSupported };
}
