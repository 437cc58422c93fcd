import { escapeLiteral, type Client } from "pg";

import type { Mutant } from "./mutants-policies.ts";
import { dropOperands, dropStatements, openConditions, replaceEach, tokenize, type TextMutant } from "./sql-text.ts";

interface Definition {
  signature: string;
  name: string;
  definition: string;
}

/** Each check, filter and statement of each function's body left out or turned round, one at a time. */
export async function makeFunctionMutants(client: Client, permissions: readonly string[]): Promise<Mutant[]> {
  const definitions = await readDefinitions(client);
  return definitions.flatMap(({ signature, name, definition }) => {
    const body = definition.search(/^(AS \$function\$|RETURN|BEGIN ATOMIC)/m);
    const head = definition.slice(0, body);
    const found = new Map<string, Mutant>();
    for (const { change, text } of mutateBody(definition.slice(body), permissions)) {
      const times = [...found.keys()].filter(
        (key) => key.replace(/ \(\d+\)$/, "") === `${signature}: ${change}`,
      ).length;
      const title = `${signature}: ${change}${times > 0 ? ` (${times + 1})` : ""}`;
      found.set(title, { name: title, statements: [head + text], objects: null, about: name });
    }
    return [...found.values()];
  });
}

/** Changes that change nothing: whatever notices one of these notices what is not there. */
export async function makeIdleMutants(client: Client): Promise<Mutant[]> {
  const definitions = await readDefinitions(client);
  const statements = definitions.map(({ definition }) => definition);
  return [
    { name: "nothing at all", statements: [], objects: null },
    { name: "every function made anew as it is", statements, objects: null, about: "app.purge_expired" },
  ];
}

async function readDefinitions(client: Client): Promise<Definition[]> {
  const { rows } = await client.query<Definition>(`
    select p.oid::regprocedure::text as signature, p.oid::regproc::text as name, pg_get_functiondef(p.oid) as definition
      from pg_proc p where p.pronamespace in ('app'::regnamespace, 'app_private'::regnamespace) order by 1`);
  return rows;
}

function mutateBody(body: string, permissions: readonly string[]): TextMutant[] {
  return [
    ...dropOperands(body),
    ...openConditions(body),
    ...dropStatements(body),
    ...replaceEach(body, /\b(pg_catalog\.)?sha256\(p_handle\)/g, () => "p_handle"),
    ...replaceEach(body, /\bapp_private\.context\(\)/g, () => rawContext),
    ...replaceEach(body, /\[[1-6]\]/g, ([found]) => `[${(Number(found?.[1]) % 6) + 1}]`),
    ...replaceEach(body, /\bfor (no key )?update( of \w+)?( skip locked)?/gi, () => ""),
    ...replaceEach(body, /\bskip locked/gi, () => ""),
    ...replaceEach(body, /(?<!\.)\blimit (?!(?:case|end|is)\b)\w+/gi, () => ""),
    ...replaceEach(body, /interval '[^']*'/gi, () => "interval '1 second'"),
    ...replaceEach(body, /interval '[^']*'/gi, () => "interval '100 years'"),
    ...replaceEach(body, /(?<=[+-] )1\b/g, () => "2"),
    ...replaceEach(body, /'owner'(?!::text THEN)/g, () => "'admin'"),
    ...replaceEach(body, /(?<=set_config\(.*, )true(?=\))/g, () => "false"),
    ...replaceEach(body, /\bapp\.user_id\(\)/g, () => `(${rawContext})[1]::uuid`),
    ...replaceEach(body, /\bapp_private\.session_context\(\)/g, () => "app_private.context()"),
    ...replaceEach(body, /\bapp_private\.(in_person|answering_member_id)\(\)/g, () => "app.member_id()"),
    ...replaceEach(body, /\bapp\.member_id\(\)/g, () => `(${rawContext})[1]::uuid`),
    ...replaceEach(body, /\bapp\.org_id\('[^']*'(::text)?\)/g, () => "app.org_id()"),
    ...dropAssignments(body),
    ...changeLists(body, permissions),
  ];
}

/** What anybody may have written into the setting. */
const rawContext = "pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|')";

/** Each assignment of `set a = …, b = …` left out, where there are several. */
function dropAssignments(body: string): TextMutant[] {
  const tokens = tokenize(body);
  const ends = new Set(["where", "from", ";", "returning"]);
  return tokens.flatMap((token, index) => {
    if (token.text.toLowerCase() !== "set") return [];
    const end = tokens.findIndex(
      (other, at) =>
        at > index &&
        (other.depth < token.depth ||
          (other.depth === token.depth &&
            ends.has(other.text.toLowerCase()) &&
            tokens[at - 1]?.text.toLowerCase() !== "distinct")),
    );
    const commas = tokens.flatMap((other, at) =>
      at > index && at < end && other.depth === token.depth && other.text === "," ? [at] : [],
    );
    if (commas.length === 0) return [];
    const edges = [index, ...commas, end];
    return edges.slice(0, -1).map((edge, n): TextMutant => {
      const isFirst = n === 0;
      const next = edges[n + 1] ?? end;
      const from = (isFirst ? tokens[edge]?.end : tokens[edge]?.start) ?? 0;
      const to = (isFirst ? tokens[next]?.end : tokens[next - 1]?.end) ?? 0;
      const assignment = body.slice(tokens[edge + 1]?.start, tokens[next - 1]?.end).replaceAll(/\s+/g, " ");
      return { change: `without setting ${assignment}`, text: `${body.slice(0, from)} ${body.slice(to)}` };
    });
  });
}

/** Each permission of each list left out, and each that is missing put in. */
function changeLists(body: string, permissions: readonly string[]): TextMutant[] {
  return [...body.matchAll(/WHEN '(\w+)'::text THEN ARRAY\[([^\]]*)\]/g)].flatMap((match) => {
    const [found, role, list] = match;
    const held = list?.split(", ") ?? [];
    const change = (words: string, changed: string[]): TextMutant => ({
      change: `${role} ${words}`,
      text:
        body.slice(0, match.index) +
        found.replace(list ?? "", changed.join(", ")) +
        body.slice(match.index + found.length),
    });
    return permissions.map((permission) => {
      const item = `${escapeLiteral(permission)}::text`;
      if (!held.includes(item)) return change(`with ${permission}`, [...held, item]);
      const rest = held.filter((other) => other !== item);
      return change(`without ${permission}`, rest.length > 0 ? rest : ["''::text"]);
    });
  });
}
