import { html } from "../html.ts";
import { renderPage } from "./html.ts";

interface Field {
  name: string;
  label: string;
  type: "email" | "password" | "text";
  autocomplete: string;
}

interface Landing {
  title: string;
  intro: string;
  fields: Field[];
  button: string;
}

const email: Field = { name: "email", label: "E-mail", type: "email", autocomplete: "username" };

const signIn: Field[] = [
  email,
  { name: "password", label: "Password", type: "password", autocomplete: "current-password" },
];

/** The pages that the mails' links lead to; assets/landing.js has what each of them asks of the API. */
const landings: Record<string, Landing> = {
  "/verify-email": {
    title: "Verify your e-mail address",
    intro: "Sign in to the account that you made with this address. Without it, nothing is verified.",
    fields: signIn,
    button: "Verify the address",
  },
  "/reset-password": {
    title: "Choose a new password",
    intro: "It replaces the one that you have now.",
    fields: [
      { name: "password", label: "New password", type: "password", autocomplete: "new-password" },
      { name: "repetition", label: "The same again", type: "password", autocomplete: "new-password" },
    ],
    button: "Set the new password",
  },
  "/confirm-email-change": {
    title: "Change your e-mail address",
    intro: "Sign in to the account that shall use another address, with the address that it has now.",
    fields: signIn,
    button: "Confirm the change",
  },
  "/sign-in": {
    title: "Sign in",
    intro: "The link is used up when you press the button, and not before.",
    fields: [],
    button: "Sign in",
  },
  "/invitation": {
    title: "Accept the invitation",
    intro: "With a new account, or with the password of the one that you have with this address.",
    fields: [
      { name: "name", label: "Name", type: "text", autocomplete: "name" },
      { name: "password", label: "Password", type: "password", autocomplete: "new-password" },
    ],
    button: "Accept",
  },
  "/forgot-password": {
    title: "Forgot your password?",
    intro: "A link to choose a new one is mailed to you, when there is an account with your address.",
    fields: [email],
    button: "Mail me a link",
  },
};

/** Where Stripe's pages lead back to. */
export const billingPath = "/billing";

/** @param apiUrl an origin */
export const renderBilling = (apiUrl: string): string =>
  renderPage(
    "Billing",
    html`<h1>Back from Stripe's page</h1>
      <p>The address of this page proves nothing. What the organization has now, your frontend asks with</p>
      <pre>POST ${apiUrl}/v1/organizations/{organizationId}/subscription/refresh</pre>
      <p class="note">This page stands in for your frontend. Set APP_URL to use your own.</p>`,
  );

export const landingPaths: ReadonlySet<string> = new Set(Object.keys(landings));

/** @param apiUrl an origin, which the page's policy must allow it to connect to */
export function renderLanding(path: string, apiUrl: string): string {
  const landing = landings[path];
  if (!landing) throw new Error(`There is no page at ${path}.`);
  const { title, intro, fields, button } = landing;
  return renderPage(
    title,
    html`<h1>${title}</h1>
      <p>${intro}</p>
      <form>
        ${fields.map(
          ({ name, label, type, autocomplete }) =>
            html`<label>
              ${label}
              <input name="${name}" type="${type}" autocomplete="${autocomplete}" required />
            </label>`,
        )}
        <button>${button}</button>
      </form>
      <div role="status" aria-live="polite"></div>
      <noscript><p class="failure">This page needs JavaScript.</p></noscript>
      <p class="note">This page stands in for your frontend, and calls ${apiUrl}. Set APP_URL to use your own.</p>`,
    html`<script src="/assets/landing.js" data-api="${apiUrl}" defer></script>`,
  );
}
