import { invalidRequest } from "./errors.ts";

/** Decoded `a[b][0]=c`: lists are still objects here, as only whoever knows the parameter can tell. */
export interface FormTree {
  [name: string]: string | FormTree;
}

/**
 * Decodes `application/x-www-form-urlencoded` with brackets, as Stripe's API takes it in bodies and queries.
 *
 * @throws StripeError 400 for names that contradict each other
 */
export function decodeForm(text: string): FormTree {
  const tree = emptyTree();
  for (const [name, value] of new URLSearchParams(text)) {
    const [first = "", ...rest] = splitName(name);
    put(tree, [first, ...rest], value, name);
  }
  return tree;
}

/** `items[0][price]` → `items`, `0`, `price` */
function splitName(name: string): string[] {
  const [, head, tail = ""] = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(name) ?? [];
  if (head === undefined) throw invalidRequest(`Invalid parameter name: ${name}`, name);
  return [head, ...Array.from(tail.matchAll(/\[([^[\]]*)\]/g), ([, part = ""]) => part)];
}

function put(tree: FormTree, [given = "", ...rest]: string[], value: string, name: string): void {
  const key = given === "" ? String(Object.keys(tree).length) : given;
  if (rest.length === 0) {
    if (key in tree) throw invalidRequest(`Parameter given twice: ${name}`, name);
    tree[key] = value;
    return;
  }
  const branch = (tree[key] ??= emptyTree());
  if (typeof branch === "string") throw invalidRequest(`Invalid ${name}: it is a value and an object`, name);
  put(branch, rest, value, name);
}

// Without a prototype, so that no name is special.
function emptyTree(): FormTree {
  return Object.create(null) as FormTree;
}
