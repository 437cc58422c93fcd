import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startMailbox, type Mailbox } from "../../scripts/local/mailbox.ts";

const apiUrl = "http://localhost:8787";
const evil = `"><img src=x onerror=alert(1)>'&`;
let mailbox: Mailbox;
beforeAll(async () => {
  mailbox = await startMailbox({ apiUrl });
});
afterAll(() => mailbox.close());

async function send(more: object = {}): Promise<string> {
  const response = await fetch(`${mailbox.url}/emails`, {
    method: "POST",
    headers: { authorization: "Bearer re_any" },
    body: JSON.stringify({ from: "demo@example.com", to: "ada@example.com", subject: "Hi", text: "Hi", ...more }),
  });
  return ((await response.json()) as { id: string }).id;
}

async function get(path: string): Promise<{ status: number; headers: Headers; page: string; policy: string }> {
  const response = await fetch(mailbox.url + path, { headers: { accept: "text/html" } });
  const { status, headers } = response;
  return { status, headers, page: await response.text(), policy: headers.get("content-security-policy") ?? "" };
}

/** What a page loads and runs. */
const sourcesOf = (page: string) => [...page.matchAll(/<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="([^"]*)"/g)];

describe("The list", () => {
  it("has the newest message first, and says that nothing is really sent", async () => {
    await send({ subject: "The first" });
    await send({ subject: "The second", to: ["Ada <ada@example.com>", "bob@example.com"] });
    const { page } = await get("/");
    expect(page).toMatch(/The second[^]*Ada &lt;ada@example\.com&gt;, bob@example\.com[^]*The first/);
    expect(page).toContain("Nothing is really sent");
    expect(page).toMatch(/<title>[^<]*Development mailbox<\/title>/);
  });

  it("tells by its ETag when there is another message", async () => {
    const etag = async () => (await fetch(`${mailbox.url}/`, { method: "HEAD" })).headers.get("etag");
    const before = await etag();
    expect(before).toBe(`"${/data-version="([^"]+)"/.exec((await get("/")).page)?.[1]}"`);
    await send();
    expect(await etag()).not.toBe(before);
  });

  it("is there as JSON too, for one recipient", async () => {
    await send({ to: "Grace <Grace@example.com>", subject: "For curl" });
    const response = await fetch(`${mailbox.url}/messages.json?to=grace@example.com`);
    expect(await response.json()).toMatchObject({ messages: [{ subject: "For curl", text: "Hi" }] });
  });
});

describe("A message", () => {
  it("shows its headers, and its text with links", async () => {
    const id = await send({
      text: "Open http://localhost:8025/verify-email#token=a_b-c&x=1. Or (https://example.com/)\n",
      headers: { "X-Entity-Ref-ID": "ref-1" },
    });
    const { page } = await get(`/messages/${id}`);
    expect(page).toContain('<a href="http://localhost:8025/verify-email#token=a_b-c&amp;x=1">');
    expect(page).toContain('<a href="https://example.com/">https://example.com/</a>)');
    expect(page).toMatch(/X-Entity-Ref-ID[^]*ref-1/);
  });

  it("has its HTML in a frame that runs no script and has no origin", async () => {
    const id = await send({ html: "<!doctype html><html><body><a href='https://example.com'>x</a></body></html>" });
    const { page } = await get(`/messages/${id}`);
    const sandbox = /<iframe[^>]* sandbox="([^"]*)"/.exec(page)?.[1] ?? "allow-scripts";
    expect(sandbox).not.toMatch(/allow-scripts|allow-same-origin|allow-forms|allow-top-navigation(?!-by)/);
    expect(sandbox).toContain("allow-top-navigation-by-user-activation");
    const frame = await get(`/messages/${id}/html`);
    expect(frame.page).toMatch(/^<!doctype html><base target="_top"><html>/);
    expect(frame.policy).toMatch(/^sandbox allow-top-navigation-by-user-activation [^;]*; default-src 'none';/);
    expect(frame.policy).not.toMatch(/allow-scripts|allow-same-origin|script-src|connect-src/);
  });

  it("escapes what strangers wrote, everywhere", async () => {
    const id = await send({
      from: `${evil.replaceAll(/[<>]/g, "")} <demo@example.com>`,
      subject: evil,
      text: `${evil} https://example.com/${evil}`,
      html: "<p>x",
      headers: { x: evil },
    });
    for (const path of ["/", `/messages/${id}`]) {
      const { page } = await get(path);
      expect(page).toContain("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;");
      expect(page).not.toContain("<img");
      expect(page).not.toContain(`"">`);
    }
  });

  it("is answered with a page of its own when it is gone", async () => {
    const { status, page } = await get("/messages/00000000-0000-0000-0000-000000000000");
    expect(status).toBe(404);
    expect(page).toContain("There is nothing here");
  });
});

describe("A page behind a link", () => {
  const paths = ["/verify-email", "/reset-password", "/confirm-email-change", "/sign-in", "/forgot-password"];

  it.each(paths)("%s is there, and may call the API alone", async (path) => {
    const { status, page, policy } = await get(path);
    expect(status).toBe(200);
    expect(page).toContain(`data-api="${apiUrl}"`);
    expect(page).toContain("For development only");
    expect(policy).toMatch(new RegExp(`connect-src 'self' ${apiUrl}$`));
  });

  it.each([
    ["/verify-email", ["email", "password"]],
    ["/reset-password", ["password", "repetition"]],
    ["/confirm-email-change", ["email", "password"]],
    ["/sign-in", []],
    ["/forgot-password", ["email"]],
  ])("%s asks for %j", async (path, names) => {
    const { page } = await get(path);
    expect([...page.matchAll(/<input name="([^"]+)"/g)].map(([, name]) => name)).toEqual(names);
  });

  it("/billing, where Stripe's pages lead back to, says how the subscription is asked for", async () => {
    const { status, page, policy } = await get("/billing?checkout=success&session_id=cs_test_1");
    expect([status, page.includes("<script")]).toEqual([200, false]);
    expect(page).toContain(`POST ${apiUrl}/v1/organizations/{organizationId}/subscription/refresh`);
    expect(policy).toContain("default-src 'none'");
  });

  it("is not there without an API to call", async () => {
    const other = await startMailbox();
    try {
      expect((await fetch(`${other.url}/verify-email`)).status).toBe(404);
    } finally {
      await other.close();
    }
  });
});

describe("Every page", () => {
  it("loads from the mailbox alone, and runs only its own scripts", async () => {
    const id = await send({ html: "<p>x</p>" });
    for (const path of ["/", `/messages/${id}`, "/verify-email", "/nowhere"]) {
      const { page, policy, headers } = await get(path);
      expect(policy).toMatch(/^default-src 'none';/);
      expect(policy).toContain("script-src 'self';");
      expect(policy).not.toMatch(/unsafe|\*/);
      expect(page).not.toMatch(/<[^>]* (?:on\w+|style)=|<style|javascript:/);
      expect(page.match(/<script(?![^>]* src=)/)).toBeNull();
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      for (const [, source = ""] of sourcesOf(page)) {
        expect(source).toMatch(/^\/|^data:,$/);
        if (source.startsWith("/")) expect((await get(source)).status, source).toBe(200);
      }
    }
  });

  it("has no other file of the folder", async () => {
    for (const path of ["/assets/../routes.ts", "/assets/..%2froutes.ts", "/assets/toString", "/assets/"]) {
      expect((await get(path)).status, path).toBe(404);
    }
  });
});
