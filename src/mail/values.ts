/** Line breaks and controls, lone surrogates, and what turns the reading direction of the text after it. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/** A value on one line, of at most 100 characters. */
export function cleanValue(value: string | null | undefined): string {
  const characters = Array.from((value ?? "").replace(unprintable, " ").replace(/\s+/g, " ").trim());
  return characters.length <= 100 ? characters.join("") : `${characters.slice(0, 99).join("").trimEnd()}…`;
}

/** A value that is an e-mail or IP address, as far as a reader could tell; empty when it has spaces. */
export function cleanAddress(value: string | null | undefined): string {
  const cleaned = cleanValue(value);
  return cleaned.includes(" ") ? "" : cleaned;
}

// Letters of any script, and what joins them: two joiners that Persian and Hindi are spelled with among it.
const plainName = /^\p{L}(?:[\p{L}\p{M} '’-]|\u200c|\u200d){0,39}$/u;

/**
 * "Hello Ada,". Whoever signs somebody else up chooses the name in all mail to them, and mail programs make
 * links of "win.example", "0800 1234" or "a@b". So a name with anything but letters, or a long one, is left out.
 */
export function greet(name: string | null | undefined): string {
  const cleaned = cleanValue(name);
  return plainName.test(cleaned) ? `Hello ${cleaned},` : "Hello,";
}

const plainTitle = /^[\p{L}\p{N}][\p{L}\p{M}\p{N} '’&-]{0,59}$/u;

/** What somebody named, in a sentence: `otherwise` where anything in it could become a link or a telephone number. */
export function describeName(name: string | null | undefined, otherwise: string): string {
  const cleaned = cleanValue(name);
  return plainTitle.test(cleaned) && !/\p{N}{5}/u.test(cleaned.replace(/[ -]/g, "")) ? `“${cleaned}”` : otherwise;
}

const browsers = [
  ["Edge", /\bEdg/],
  ["Opera", /\bOPR\//],
  ["Samsung Internet", /\bSamsungBrowser\//],
  ["Firefox", /\b(?:Firefox|FxiOS)\//],
  ["Chrome", /\b(?:Chrome|CriOS)\//],
  ["Safari", /\bSafari\//],
] as const;

const systems = [
  ["iPhone", /\biPhone\b/],
  ["iPad", /\biPad\b/],
  ["Android", /\bAndroid\b/],
  ["Windows", /\bWindows\b/],
  ["macOS", /\bMacintosh\b/],
  ["ChromeOS", /\bCrOS\b/],
  ["Linux", /\bLinux\b/],
] as const;

/** "Firefox on Windows", in words of ours alone: the header's own words are those of whoever signed in. */
function describeDevice(userAgent: string): string {
  const [browser, system] = [browsers, systems].map((list) => list.find(([, sign]) => sign.test(userAgent))?.[0]);
  if (browser) return system ? `${browser} on ${system}` : browser;
  return system ?? "an unknown program";
}

/** The sentence that says when, from where and with what; empty when nothing is known. */
export function describeOccasion(data: Record<string, string | null>): string {
  const time = data["at"] ? new Date(data["at"]) : undefined;
  const ipAddress = cleanAddress(data["ipAddress"]);
  const parts = [
    time && !Number.isNaN(time.getTime()) && `at ${time.toISOString().slice(0, 16).replace("T", " ")} UTC`,
    ipAddress && `from the IP address ${ipAddress}`,
    data["userAgent"] && `with ${describeDevice(data["userAgent"])}`,
  ].filter(Boolean);
  return parts.length > 0 ? `It happened ${parts.join(", ")}.` : "";
}
