import { ResultError } from "./errors.ts";

const boolean = 16;
const integers = new Set([21, 23]);
const floats = new Set([700, 701]);
const json = new Set([114, 3802]);

/** Array type → element type, for the built-in types that have a comma as their delimiter. */
const elementTypes = new Map([
  [199, 114],
  [1000, boolean],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [1041, 869],
  [1115, 1114],
  [1182, 1082],
  [1183, 1083],
  [1185, 1184],
  [1187, 1186],
  [1231, 1700],
  [1270, 1266],
  [2951, 2950],
  [3807, 3802],
]);

/**
 * The JSON for a value in Postgres's text form, where the client did not ask for raw text.
 *
 * @throws ResultError when the text is not of its type
 */
export function textToJson(text: string, type: number): string {
  const element = elementTypes.get(type);
  if (element !== undefined) return arrayToJson(text, element);
  if (type === boolean) return String(text === "t");
  if (integers.has(type)) return text;
  if (floats.has(type)) {
    const number = Number(text);
    return Number.isFinite(number) ? String(number) : JSON.stringify(text);
  }
  return json.has(type) ? text : JSON.stringify(text);
}

/** Bounds (`[0:1]=`) have no place in JSON and are left out, as Neon does. */
function arrayToJson(text: string, element: number): string {
  const body = text.startsWith("[") ? text.slice(text.indexOf("=") + 1) : text;
  const token = /[{},]|"((?:[^"\\]|\\.)*)"|[^{},"]+/gsy;
  let output = "";
  for (let match = token.exec(body); match; match = token.exec(body)) {
    const [whole, quoted] = match;
    if (quoted !== undefined) output += textToJson(quoted.replace(/\\(.)/gs, "$1"), element);
    else if (whole === "{") output += "[";
    else if (whole === "}") output += "]";
    else if (whole === "," || whole.trim() === "") output += whole.trim();
    else output += whole.trim() === "NULL" ? "null" : textToJson(whole.trim(), element);
    if (token.lastIndex === body.length) return output;
  }
  throw new ResultError("unbalanced array");
}
