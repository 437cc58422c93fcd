/** A piece of SQL with one thing changed. */
export interface TextMutant {
  /** What was changed, in words that stay the same while the text around it does. */
  change: string;
  text: string;
}

interface Token {
  text: string;
  start: number;
  end: number;
  depth: number;
}

/** Words, operators, brackets and whole literals; comments are left out. */
export function tokenize(sql: string): Token[] {
  const pattern = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"[^"]*"|\$\w*\$|[\w.]+|\|\||:=|::|<>|<=|>=|[^\s\w]/g;
  const tokens: Token[] = [];
  let depth = 0;
  for (const match of sql.matchAll(pattern)) {
    const [text] = match;
    if (text.startsWith("--") || text.startsWith("/*")) continue;
    if (text === ")" || text === "]") depth--;
    tokens.push({ text, start: match.index, end: match.index + text.length, depth });
    if (text === "(" || text === "[") depth++;
  }
  return tokens;
}

/** Where an operand of AND, OR or || must end, besides the bracket around it. */
const boundaries = new Set(
  (
    "where on if elsif when then else end case loop returning order group limit for join left inner cross set from do using select " +
    "return values into union is perform in begin raise update insert delete not $function$ $$ $c$ ; , := = <> < > <= >= as"
  ).split(" "),
);
const logicalEnds = new Set(
  [...boundaries].filter(
    (word) => !["is", "in", "not", "=", "<>", "<", ">", "<=", ">=", "from", "case"].includes(word),
  ),
);

/** Each operand of each chain of AND, OR and || left out, once. */
export function dropOperands(sql: string): TextMutant[] {
  const tokens = tokenize(sql);
  const mutants: TextMutant[] = [];
  for (const operator of ["and", "or", "||"]) {
    const seen = new Set<number>();
    for (const [index, token] of tokens.entries()) {
      if (token.text.toLowerCase() !== operator || seen.has(index) || isOfBetween(tokens, index)) continue;
      const ends = operator === "||" ? boundaries : logicalEnds;
      const isEnd = (other: Token | undefined) =>
        !other ||
        other.depth < token.depth ||
        (other.depth === token.depth && (ends.has(other.text.toLowerCase()) || isLooser(other.text, operator)));
      let first = index;
      while (!isEnd(tokens[first - 1])) first--;
      let last = index;
      while (!isEnd(tokens[last + 1])) last++;
      const joints = [];
      for (let at = first; at <= last; at++) {
        if (
          tokens[at]?.depth === token.depth &&
          tokens[at]?.text.toLowerCase() === operator &&
          !isOfBetween(tokens, at)
        )
          joints.push(at);
      }
      for (const joint of joints) seen.add(joint);
      const edges = [first - 1, ...joints, last + 1];
      for (let n = 0; n + 1 < edges.length; n++) {
        const from = tokens[(edges[n] ?? 0) + 1];
        const to = tokens[(edges[n + 1] ?? 0) - 1];
        const isFirst = n === 0;
        const cutFrom = isFirst ? from?.start : tokens[edges[n] ?? 0]?.start;
        const cutTo = isFirst ? tokens[edges[1] ?? 0]?.end : to?.end;
        // Beside a CASE there may be nothing that could be left out.
        if (!from || !to || from.start > to.start || cutFrom === undefined || cutTo === undefined) continue;
        const operand = squeeze(sql.slice(from.start, to.end));
        mutants.push({ change: `without ${operator} ${operand}`, text: sql.slice(0, cutFrom) + sql.slice(cutTo) });
      }
    }
  }
  return mutants;
}

/** Whether an operator binds less than this one, so that it ends its operands. */
function isLooser(text: string, operator: string): boolean {
  const word = text.toLowerCase();
  if (operator === "||") return word === "and" || word === "or";
  return operator === "and" && word === "or";
}

/** Whether an AND is that of `between … and …`, which joins nothing. */
function isOfBetween(tokens: Token[], index: number): boolean {
  const depth = tokens[index]?.depth;
  for (let at = index - 1; tokens[at] && (tokens[at]?.depth ?? 0) >= (depth ?? 0); at--) {
    const word = tokens[at]?.depth === depth ? tokens[at]?.text.toLowerCase() : "";
    if (word === "between") return true;
    if (word === "and" || word === "or") return false;
  }
  return false;
}

/** Where the CASE ends that begins at a token. */
function endOfCase(tokens: Token[], index: number): number {
  let open = 0;
  for (let at = index; tokens[at]; at++) {
    const word = tokens[at]?.text.toLowerCase();
    if (word === "case") open++;
    if (word === "end" && --open === 0) return at;
  }
  return index;
}

/** The whole condition after WHERE, ON or IF, where it is not a chain. */
export function openConditions(sql: string): TextMutant[] {
  const tokens = tokenize(sql);
  const mutants: TextMutant[] = [];
  for (const [index, token] of tokens.entries()) {
    const word = token.text.toLowerCase();
    const isJoin = word === "on" && tokens[index + 1]?.text !== "conflict";
    if (!isJoin && !["where", "if", "elsif"].includes(word)) continue;
    if (word === "if" && tokens[index - 1]?.text.toLowerCase() === "end") continue;
    let last = index;
    const isEnd = (other: Token | undefined) =>
      !other || other.depth < token.depth || (other.depth === token.depth && logicalEnds.has(other.text.toLowerCase()));
    if (tokens[index + 1]?.text.toLowerCase() === "case") last = endOfCase(tokens, index + 1);
    while (!isEnd(tokens[last + 1])) last++;
    const from = tokens[index + 1];
    const to = tokens[last];
    if (!from || !to || last === index) continue;
    const condition = sql.slice(from.start, to.end);
    for (const value of word === "where" || word === "on" ? ["true"] : ["false", "true"]) {
      mutants.push({
        change: `${word} ${value} instead of ${squeeze(condition)}`,
        text: sql.slice(0, from.start) + value + sql.slice(to.end),
      });
    }
  }
  return mutants;
}

/** Each statement of a plpgsql block that does something, left out. */
export function dropStatements(sql: string): TextMutant[] {
  const tokens = tokenize(sql);
  const starts = new Set(["perform", "raise", "insert", "update", "delete", "return"]);
  const before = new Set([";", "then", "else", "loop", "begin"]);
  const mutants: TextMutant[] = [];
  for (const [index, token] of tokens.entries()) {
    const previous = tokens[index - 1]?.text.toLowerCase() ?? "";
    if (!starts.has(token.text.toLowerCase()) || !before.has(previous)) continue;
    const end = tokens.slice(index).find(({ text, depth }) => text === ";" && depth === token.depth);
    if (!end) continue;
    const statement = squeeze(sql.slice(token.start, end.start));
    mutants.push({ change: `without ${statement}`, text: `${sql.slice(0, token.start)}null${sql.slice(end.start)}` });
  }
  return mutants;
}

/** Each match replaced, one at a time. */
export function replaceEach(sql: string, pattern: RegExp, replace: (match: string[]) => string): TextMutant[] {
  return [...sql.matchAll(pattern)].flatMap((match) => {
    const [found] = match;
    const changed = replace([...match]);
    if (changed === found) return [];
    const text = sql.slice(0, match.index) + changed + sql.slice(match.index + found.length);
    return [{ change: `${squeeze(changed) || "nothing"} instead of ${squeeze(found)}`, text }];
  });
}

export function squeeze(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > 90 ? `${line.slice(0, 87)}...` : line;
}
