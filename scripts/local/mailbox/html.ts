import { html, type Html } from "../html.ts";

/** A whole page in the mailbox's clothes; every one says what it is. */
export function renderPage(title: string, content: Html, script?: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Development mailbox</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/assets/style.css" />
        ${script}
      </head>
      <body>
        <header>
          <a href="/">Development mailbox</a>
          <p>For development only. Nothing is really sent: what the service mails ends here, until it stops.</p>
        </header>
        <main>${content}</main>
      </body>
    </html>`.source;
}
