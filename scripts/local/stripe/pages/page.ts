import { html, type Html } from "../../html.ts";

/** A whole page; every one says what it is. */
export function renderPage(title: string, content: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · A local model of Stripe</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/assets/style.css" />
      </head>
      <body>
        <header>
          <a href="/">A local model of Stripe: no money moves</a>
          <p>For development only. It stands in for Stripe's own pages, and asks for no card.</p>
        </header>
        <main>${content}</main>
      </body>
    </html>`.source;
}

/** A form of one or more buttons, each of which sends its value as `action`. */
export function renderButtons(path: string, buttons: [action: string, label: string][], fields?: Html): Html {
  return html`<form method="post" action="${path}">
    ${fields} ${buttons.map(([action, label]) => html`<button name="action" value="${action}">${label}</button>`)}
  </form>`;
}

export function renderMessage(kind: "failure" | "success", text: string | undefined): Html | undefined {
  return text === undefined ? undefined : html`<p role="status" class="${kind}">${text}</p>`;
}

export function renderDate(seconds: number): Html {
  const iso = new Date(seconds * 1000).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 10)}</time>`;
}

export function renderNotFound(): string {
  return renderPage(
    "Not found",
    html`<h1>There is nothing here</h1>
      <p>The address is wrong, or what it led to is gone, as this server has started anew.</p>`,
  );
}

export function renderStart(): string {
  return renderPage(
    "Start",
    html`<h1>A local model of Stripe</h1>
      <p>
        The service's calls to Stripe end here. Subscribe to a plan, or open the billing portal, and you are led to the
        page that there is for it.
      </p>`,
  );
}
