import { html, Html } from "../html.ts";
import { renderPage } from "./html.ts";
import type { Message } from "./message.ts";

/** All messages; the script loads the page anew when there is another version of it. */
export function renderInbox(messages: Message[], version: string): string {
  const list = html`<ul class="messages">
    ${messages.map(renderRow)}
  </ul>`;
  const empty = html`<p class="empty">No mail yet. Sign up, or ask for a new password, and it appears here.</p>`;
  return renderPage(
    messages.length === 0 ? "No mail" : `${messages.length} ${messages.length === 1 ? "mail" : "mails"}`,
    html`<h1>Mail</h1>
      ${messages.length === 0 ? empty : list}`,
    html`<script src="/assets/inbox.js" data-version="${version}" defer></script>`,
  );
}

function renderRow({ id, from, to, subject, receivedAt }: Message): Html {
  return html`<li>
    <a href="/messages/${id}">
      <span class="subject">${subject || "(no subject)"}</span>
      <span class="people">To ${to.join(", ")}, from ${from}</span>
      ${renderTime(receivedAt)}
    </a>
  </li>`;
}

/** One message, its HTML in a frame of its own. */
export function renderMessage(message: Message, sandbox: string): string {
  const { id, from, to, subject, receivedAt, idempotencyKey, headers, text } = message;
  const fields: [string, string | Html][] = [
    ["From", from],
    ["To", to.join(", ")],
    ["Received", renderTime(receivedAt)],
    ...Object.entries(headers),
    ...(idempotencyKey === null ? [] : [["Idempotency-Key", idempotencyKey] satisfies [string, string]]),
  ];
  const frame = html`<section>
    <h2>HTML</h2>
    <iframe title="The mail's HTML" sandbox="${sandbox}" src="/messages/${id}/html"></iframe>
  </section>`;
  const plain = html`<section>
    <h2>Text</h2>
    <pre>${linkAddresses(text)}</pre>
  </section>`;
  return renderPage(
    subject || "(no subject)",
    html`<p><a href="/">← All mail</a></p>
      <h1>${subject || "(no subject)"}</h1>
      <dl>
        ${fields.map(
          ([name, value]) =>
            html`<dt>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>
      ${message.html !== "" && frame} ${text !== "" && plain}`,
  );
}

export function renderNotFound(): string {
  return renderPage(
    "Not found",
    html`<h1>There is nothing here</h1>
      <p>Mails are kept until the mailbox stops, and only the newest ones. <a href="/">See what there is</a>.</p>`,
  );
}

/** Links in a frame would open in it, where no script may run; its own doctype has to stay first. */
export function wrapMailHtml(source: string): string {
  return source.replace(/^(\s*<!doctype[^>]*>)?/i, (doctype) => `${doctype}<base target="_top">`);
}

function renderTime(iso: string): Html {
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace("T", " ")} UTC</time>`;
}

function linkAddresses(text: string): Html[] {
  return text
    .split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)])/)
    .map((part, i) => (i % 2 === 1 ? html`<a href="${part}">${part}</a>` : html`${part}`));
}
