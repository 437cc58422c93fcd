export interface Statement {
  query: string;
  params: unknown[];
}

/** Words that end a WHERE at its own depth of parentheses. */
const endsClause = /^(group|order|limit|offset|returning|having|union|window|fetch|for)$/i;

/** Words, string literals, quoted names, and every other character by itself. */
const tokensOf = (query: string) => query.match(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\$?\w+|\s+|[^]/g) ?? [];

/**
 * Rewrites the WHERE clauses of a statement that `isChosen` picks by their number, in sub-queries too, and
 * drops its LIMITs. Only for what Drizzle and our services write: no dollar quotes, no comments.
 */
function rewriteClauses(
  { query, params }: Statement,
  isChosen: (clause: number) => boolean,
  rewrite: (condition: string) => string,
): Statement & { clauses: number } {
  const tokens = tokensOf(query);
  let clauses = 0;
  const read = (from: number, isEnd: (token: string) => boolean): [text: string, next: number] => {
    let text = "";
    let at = from;
    while (at < tokens.length) {
      const token = tokens[at] ?? "";
      if (token === ")" || isEnd(token)) break;
      at++;
      if (token === "(") {
        const [inner, next] = read(at, () => false);
        text += `(${inner})`;
        at = next + 1;
      } else if (/^(where|limit)$/i.test(token)) {
        const number = clauses;
        if (/^where$/i.test(token)) clauses++;
        const [condition, next] = read(at, (word) => endsClause.test(word));
        if (/^where$/i.test(token)) {
          text += isChosen(number) ? rewrite(condition.trim()) : `where ${condition}`;
        }
        at = next;
      } else {
        text += token;
      }
    }
    return [text, at];
  };
  const [text] = read(0, () => false);
  // A parameter that nothing mentions has no type, so those that are left are counted anew.
  const used = [...new Set(text.match(/\$\d+/g))];
  return {
    query: text.replace(/\$\d+/g, (name) => `$${used.indexOf(name) + 1}`),
    params: used.map((name) => params[Number(name.slice(1)) - 1]),
    clauses,
  };
}

const rewrites: Record<string, (condition: string) => string> = {
  "without WHERE": () => "",
  // For all the rows that it was not meant for.
  "with WHERE turned round": (condition) => `where (${condition}) is not true `,
};

/** The statement as a bug or an injection would have it: its WHEREs taken out or turned round, each and all. */
export function mangle(statement: Statement): (Statement & { how: string })[] {
  const { clauses } = rewriteClauses(statement, () => false, String);
  const choices = Array.from({ length: clauses }, (_, chosen) => (clause: number) => clause === chosen);
  if (clauses > 1) choices.push(() => true);
  return Object.entries(rewrites).flatMap(([how, rewrite]) =>
    choices.map((isChosen) => {
      const { query, params } = rewriteClauses(statement, isChosen, rewrite);
      return { how, query, params };
    }),
  );
}
