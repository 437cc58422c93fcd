import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

/** A mail's parts in reading order, as plain text. No paragraph has a line break in it. */
export interface Letter {
  subject: string;
  greeting: string;
  opening: string[];
  link?: { label: string; url: string } | undefined;
  closing: string[];
  footer: string;
}

/** A line of plain text should stay below 78 characters (RFC 5322, 2.1.1). A longer word keeps its own line. */
const width = 72;

function wrap(paragraph: string): string {
  let text = "";
  let column = 0;
  for (const word of paragraph.split(" ")) {
    const fits = column + word.length < width;
    text += column === 0 ? word : `${fits ? " " : "\n"}${word}`;
    column = column > 0 && fits ? column + 1 + word.length : word.length;
  }
  return text;
}

export function renderText({ greeting, opening, link, closing, footer }: Letter): string {
  const blocks = [greeting, ...opening, link && `${link.label}:`, link?.url, ...closing, "--", footer];
  return `${blocks
    .filter((block) => block !== undefined)
    .map(wrap)
    .join("\n\n")}\n`;
}

const styles = {
  // No colour is set but by the reader's own scheme: mail programs invert some of them, and leave others.
  body: "margin:0;font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif",
  main: "max-width:36em;margin:0 auto;padding:24px",
  heading: "margin:0 0 24px;font-size:20px;line-height:1.3",
  button:
    "display:inline-block;padding:12px 20px;border:2px solid;border-radius:6px;font-weight:bold;text-decoration:none",
  url: "word-break:break-all",
  footer: "margin-top:32px;font-size:14px",
};

const paragraph = (text: string) => html`<p>${text}</p> `;

export function renderHtml({ subject, greeting, opening, link, closing, footer }: Letter): string {
  // The address stands there in full too, so that it can be read before it is opened, and copied.
  const action =
    link &&
    html`<p><a href="${link.url}" style="${styles.button}">${link.label}</a></p>
      <p>Or copy this address into your browser:<br /><a href="${link.url}" style="${styles.url}">${link.url}</a></p> `;
  const page = html`<!doctype html>
    <html lang="en" dir="ltr">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <meta name="supported-color-schemes" content="light dark" />
        <title>${subject}</title>
        <style>
          :root {
            color-scheme: light dark;
          }
        </style>
      </head>
      <body style="${styles.body}">
        <main lang="en" style="${styles.main}">
          <h1 style="${styles.heading}">${subject}</h1>
          ${[greeting, ...opening].map(paragraph)}${action}${closing.map(paragraph)}
          <p style="${styles.footer}">${footer}</p>
        </main>
      </body>
    </html> `;
  // Hono makes a promise of it only where a value is one; else it is a String object, not yet a string.
  return (page as HtmlEscapedString).toString();
}
