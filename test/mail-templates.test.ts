import { describe, expect, it } from "vitest";
import { type MailInput, type MailTemplate, mailTemplates, renderMail } from "../src/mail/templates.ts";
import { mailData as data } from "./support/mails.ts";

const templates = Object.keys(mailTemplates) as MailTemplate[];

const token = "mT3k_9vQ-x2";

const render = (template: MailTemplate, changes: Record<string, string | null> = {}, input: Partial<MailInput> = {}) =>
  renderMail(template, { appUrl: "https://app.example.com", token, data: { ...data, ...changes }, ...input });

/** The markup as a parser sees it: every element with its attributes, and all text between them. */
async function parseHtml(html: string) {
  const elements: string[] = [];
  const links: string[] = [];
  let text = "";
  const read = new HTMLRewriter()
    .on("*", {
      element(element) {
        elements.push(`${element.tagName} ${Array.from(element.attributes, ([name]) => name).join(" ")}`);
        const href = element.getAttribute("href");
        if (href !== null) links.push(href);
      },
      comments: () => void elements.push("comment"),
    })
    .onDocument({ text: (chunk) => void (text += chunk.text) });
  await read.transform(new Response(html)).text();
  return { elements, links, text };
}

const hostile = [
  "Ada\r\nBcc: eve@evil.example",
  "Ada\u2028\u2029\u0000\u001b[31m\u0085\u202eadA",
  "ada\u202e@new.example",
  "ada\u0000@new\u001b[31m.example",
  "ada\ud800@new.example",
  '<a href="https://evil.example">win</a>',
  "</title></style></p><script>alert(1)</script><!--",
  `"onmouseover="alert(1)' style='`,
  `'><b/onclick="alert(1)">&lt;&amp;`,
  "&lt;b&gt; &amp; &#60;",
  "win.example/prize",
  "https://evil.example",
  "call 0800 123456",
  "win。example",
  "$& $1 ${name} {{name}} %s",
  "\ud800 broken",
  "x".repeat(5000),
  "word ".repeat(1000),
  "👩‍👩‍👧".repeat(200),
  "",
];

describe("every mail", () => {
  it.each(templates)("%s is made of constant subject, text and HTML", (template) => {
    const { subject, text, html } = render(template);
    expect(subject).toBe(mailTemplates[template].subject);
    expect(html).toContain(`<title>${subject}</title>`);
    expect(html).toMatch(/<html lang="en"/);
    expect(text).toMatch(/^Hello Ada Lovelace,\n/);
    for (const part of [subject, text, html]) {
      expect(typeof part).toBe("string");
      expect(part).not.toMatch(/undefined|null|\[object|NaN/);
    }
  });

  it.each(templates)("%s has the same markup whatever its values are", async (template) => {
    const { elements } = await parseHtml(render(template).html);
    for (const value of hostile) {
      const changes = { name: value, newEmail: value, ipAddress: value, userAgent: value };
      const mail = render(template, changes, { token: value.toWellFormed() });
      expect((await parseHtml(mail.html)).elements, value).toEqual(elements);
      expect(mail.subject).toBe(mailTemplates[template].subject);
    }
  });

  it.each(templates)("%s has nothing of a value but one line of 100 characters", (template) => {
    const frame = render(template, { newEmail: "x", ipAddress: "x" }).text.split("\n").length;
    for (const value of hostile) {
      const { text, html } = render(template, { name: value, newEmail: value, ipAddress: value });
      expect(text, value).not.toMatch(/[^\P{Cc}\n]|[\u2028\u2029\u202e]|\p{Cs}/u);
      expect(html, value).not.toMatch(/[^\P{Cc}\n]|[\u2028\u2029\u202e]|\p{Cs}/u);
      // A value of 100 characters takes two lines more at most.
      expect(text.split("\n").length, value).toBeLessThanOrEqual(frame + 4);
      expect(html).not.toMatch(/x{101}/);
      expect(text).not.toMatch(/^(?:Bcc|Subject|To):/im);
    }
  });

  it.each(templates)("%s renders without any value", (template) => {
    const nothing = { name: null, newEmail: null, at: null, ipAddress: null, userAgent: null };
    for (const values of [nothing, {}]) {
      const mail = renderMail(template, { appUrl: "https://app.example.com", token, data: values });
      expect(mail.text).toMatch(/^Hello,\n/);
      expect(`${mail.text}${mail.html}`).not.toMatch(/undefined|null|Invalid|It happened| {2}\S.*\n\n\n\n/);
    }
  });

  it.each(templates)("%s loads nothing from other hosts", (template) => {
    expect(render(template).html).not.toMatch(/<(?:img|link|script|iframe|object|video)\b|url\(|@import/i);
  });

  it.each(templates)("%s has lines of at most 72 characters, but for links", (template) => {
    const long = render(template, { newEmail: `${"a".repeat(50)}@new.example` }).text;
    for (const line of long.split("\n").filter((text) => !text.startsWith("https://")))
      expect(line.length, line).toBeLessThanOrEqual(72);
  });

  it.each(templates)("%s is the same to the byte when it is rendered again", (template) => {
    expect(render(template)).toEqual(render(template));
  });
});

describe("links", () => {
  it.each([
    ["verify_email", "verify-email"],
    ["account_exists", "reset-password"],
    ["reset_password", "reset-password"],
    ["change_email_old", "confirm-email-change"],
    ["change_email_new", "confirm-email-change"],
    ["sign_in", "sign-in"],
  ] as const)("%s leads to /%s, with the token in the fragment", async (template, path) => {
    const { text, html } = render(template);
    const url = `https://app.example.com/${path}#token=${token}`;
    const page = await parseHtml(html);
    expect(text.split("\n")).toContain(url);
    expect(page.links).toEqual([url, url]);
    expect(page.text).toContain(url);
  });

  it.each(["password_changed", "new_device"] as const)("%s leads to /forgot-password, without a token", (template) => {
    const { text, html } = render(template);
    expect(text.split("\n")).toContain("https://app.example.com/forgot-password");
    expect(`${text}${html}`).not.toContain(token);
  });

  it.each(["change_email_taken", "email_changed", "account_deleted"] as const)("%s has none", async (template) => {
    const { text, html } = render(template);
    expect(text).not.toMatch(/https?:|#token/);
    expect((await parseHtml(html)).links).toEqual([]);
  });

  it("of sign_in has its code beside it, in the text and in the HTML, and not in the subject", () => {
    const { subject, text, html } = render("sign_in", {}, { code: "04718293" });
    for (const part of [text, html]) expect(part).toMatch(/code where you asked for it: 04718293\b/);
    expect(subject).not.toMatch(/\d/);
  });

  it("keep the path of the frontend, and need no particular slash", () => {
    for (const appUrl of ["https://example.com/app", "https://example.com/app/"])
      expect(render("verify_email", {}, { appUrl }).text).toContain("\nhttps://example.com/app/verify-email#token=");
  });

  it("escape a token", async () => {
    const { html } = render("verify_email", {}, { token: `a&b"c#d e` });
    const { links } = await parseHtml(html);
    expect(links[0]).toBe("https://app.example.com/verify-email#token=a%26b%22c%23d%20e");
  });
});

describe("the greeting", () => {
  it.each(["Ada", "Seán O’Brien", "Anne-Marie d'Arc", "李小龙", "أبو بكر", "नरेन्द्र", "علی‌رضا", "Zoë"])(
    "has %s",
    (name) => {
      expect(render("verify_email", { name }).text).toContain(`Hello ${name},\n`);
    },
  );

  it.each([
    "win.example/prize",
    "win。example",
    "win．example",
    "https://evil.example",
    "eve@evil.example",
    "call 0800 123456",
    "http：evil",
    "Ada\r\nBcc: eve@evil.example",
    "You have won a prize so claim it now before it is gone",
    "<b>Ada</b>",
  ])("leaves out %j", (name) => {
    for (const template of templates) {
      const { text, html } = render(template, { name });
      expect(text).toMatch(/^Hello,\n/);
      expect(html).toContain("<p>Hello,</p>");
    }
  });
});

describe("what a notice says of the occasion", () => {
  const browser =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
  const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1";

  it.each([
    [{}, "It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7, with Firefox on Windows."],
    [{ userAgent: null }, "It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7."],
    [{ ipAddress: null, userAgent: browser }, "It happened at 2026-03-06 14:05 UTC, with Chrome on Linux."],
    [
      { ipAddress: null, userAgent: `${browser} Edg/140.0` },
      "It happened at 2026-03-06 14:05 UTC, with Edge on Linux.",
    ],
    [{ ipAddress: null, userAgent: phone }, "It happened at 2026-03-06 14:05 UTC, with Safari on iPhone."],
    [{ at: "yesterday", ipAddress: null, userAgent: "curl/8.5.0" }, "It happened with an unknown program."],
  ])("%j", (changes, sentence) => {
    expect(render("new_device", changes).text.replaceAll("\n", " ")).toContain(` ${sentence} `);
  });

  it("is never in the words of who signed in", () => {
    const userAgent = "Chrome/1 Windows go to https://evil.example and enter your password";
    const { text, html } = render("new_device", { userAgent });
    expect(text).toContain("with Chrome on Windows");
    expect(`${text}${html}`).not.toContain("evil");
  });
});
