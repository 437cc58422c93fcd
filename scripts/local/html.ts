/** HTML, as opposed to text that has still to be escaped. */
export class Html {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

type Part = Html | string | number | false | undefined | Part[];

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** A template that escapes what is filled in, unless it is such a template itself. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.reduce((page, text, i) => page + render(parts[i - 1]) + text));
}

function render(part: Part): string {
  if (part instanceof Html) return part.source;
  if (Array.isArray(part)) return part.map(render).join("");
  return part === undefined || part === false ? "" : String(part).replace(/[&<>"']/g, (mark) => entities[mark] ?? "");
}
