/** ECMAScript's JSON.parse source text access, which the ES2024 library types do not have yet. */
const preciseJson = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): object;
};

/**
 * The text of each parameter: null stays NULL, a string is taken as it is, an array becomes a
 * Postgres array literal, and anything else is its JSON text.
 *
 * @param body the JSON text that the values come from
 * @param path where in it they stand
 */
export function encodeParameters(values: unknown[], body: string, path: (string | number)[]): (string | null)[] {
  const isPlain = values.every((value) => typeof value === "string" || value === null);
  const exact = isPlain ? values : readExactly(body, path);
  return exact.map((value) => {
    if (value === null || typeof value === "string") return value;
    return Array.isArray(value) ? encodeArray(value) : JSON.stringify(value);
  });
}

function encodeArray(values: unknown[]): string {
  const elements = values.map((value) => {
    if (value === null) return "NULL";
    if (Array.isArray(value)) return encodeArray(value);
    const text = JSON.stringify(value);
    return text.startsWith("{") ? JSON.stringify(text) : text;
  });
  return `{${elements.join(",")}}`;
}

/** Parses again with every number kept as it was written, since a double holds 53 bits only. */
function readExactly(body: string, path: (string | number)[]): unknown[] {
  let value = preciseJson.parse(body, (_key, item, { source }) =>
    typeof item === "number" && source !== undefined ? preciseJson.rawJSON(source) : item,
  );
  // The path was walked once already, in the same text.
  for (const key of path) value = (value as Record<string | number, unknown>)[key];
  return value as unknown[];
}
