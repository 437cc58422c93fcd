import { type Letter, renderHtml, renderText } from "./layout.ts";
import { cleanAddress, describeName, describeOccasion, greet } from "./values.ts";

/** What sentences are made with: no line breaks, and 100 characters at most. */
interface Values {
  /** The host of the product's frontend, which names it: "app.example.com". */
  site: string;
  newEmail: string;
  /** “Acme”, or words of ours. */
  organization: string;
  inviter: string;
  /** Eight digits, which stand for the token. */
  code: string;
  /** A sentence, or empty. */
  occasion: string;
}

interface Template {
  /** Constant: what a stranger chose must not stand in anybody's inbox. */
  subject: string;
  opening: (values: Values) => string[];
  /** A path of the frontend. With `withToken` the link carries the token, in its fragment. */
  action?: { label: string; path: string; withToken: boolean };
  closing?: string[];
  /** What the message is about: an account. */
  about?: string;
}

const ignore = "If you did not ask for this, ignore this message. Nothing will change.";
const contactUs = "If it was not you, contact our support at once, or reply to this message.";
const resetWithoutToken = { label: "Reset your password", path: "forgot-password", withToken: false };

export const mailTemplates = {
  verify_email: {
    subject: "Confirm your e-mail address",
    opening: ({ site }) => [`Somebody signed up at ${site} with this e-mail address. If it was you, confirm it.`],
    action: { label: "Confirm this e-mail address", path: "verify-email", withToken: true },
    closing: ["The link is good for 24 hours.", "If you did not sign up, ignore this message."],
  },
  account_exists: {
    subject: "You already have an account",
    opening: ({ site }) => [
      `Somebody, perhaps you, signed up at ${site} with this e-mail address. It already has an account.`,
      "If it was you, sign in. If you have forgotten your password, choose a new one.",
    ],
    action: { label: "Choose a new password", path: "reset-password", withToken: true },
    closing: ["The link is good for 1 hour.", "If it was not you, ignore this message. Nothing will change."],
  },
  reset_password: {
    subject: "Choose a new password",
    opening: ({ site }) => [`Somebody asked for a new password for your account at ${site}.`],
    action: { label: "Choose a new password", path: "reset-password", withToken: true },
    closing: ["The link is good for 1 hour.", ignore],
  },
  change_email_old: {
    subject: "Confirm the change of your e-mail address",
    opening: ({ site, newEmail }) => [
      `Somebody asked to change the e-mail address of your account at ${site} to ${newEmail}.`,
      "If it was you, confirm the change.",
    ],
    action: { label: "Confirm the change", path: "confirm-email-change", withToken: true },
    closing: ["The link is good for 1 hour.", "If it was not you, do not confirm it, and change your password."],
  },
  change_email_new: {
    subject: "Confirm your new e-mail address",
    opening: ({ site }) => [
      `Somebody asked to use this e-mail address for their account at ${site}. If it was you, confirm it.`,
    ],
    action: { label: "Confirm this e-mail address", path: "confirm-email-change", withToken: true },
    closing: ["The link is good for 1 hour.", ignore],
  },
  change_email_taken: {
    subject: "This e-mail address already has an account",
    opening: ({ site }) => [
      `Somebody tried to move their account at ${site} to this e-mail address. It already has an account.`,
      "Nothing was changed. If it was you, sign in with this address, or choose another one.",
    ],
  },
  email_changed: {
    subject: "Your e-mail address was changed",
    opening: ({ site, newEmail }) => [
      `The e-mail address of your account at ${site} was changed to ${newEmail}.`,
      contactUs,
    ],
  },
  password_changed: {
    subject: "Your password was changed",
    opening: ({ site, occasion }) => [
      `The password of your account at ${site} was changed.`,
      occasion,
      "If it was you, there is nothing to do. If it was not you, reset your password.",
    ],
    action: resetWithoutToken,
  },
  new_device: {
    subject: "A sign-in from a new device",
    opening: ({ site, occasion }) => [
      `Somebody signed in to your account at ${site} from a device that we have not seen before.`,
      occasion,
      "If it was you, there is nothing to do. If it was not you, reset your password.",
    ],
    action: resetWithoutToken,
  },
  sign_in: {
    subject: "Sign in",
    opening: ({ site, code }) => [
      `Somebody asked to sign in to your account at ${site}. If it was you, type this code where you asked for it: ${code}`,
      "Or open this link on the device that you want to sign in on.",
    ],
    action: { label: "Sign in", path: "sign-in", withToken: true },
    closing: [
      "The code and the link are good for 10 minutes, and one of them for one use. Give them to nobody.",
      "If you did not ask for this, ignore this message. Nobody has signed in.",
    ],
  },
  identity_linked: {
    subject: "A new way to sign in was added",
    opening: ({ site, occasion }) => [
      `Your account at ${site} can now be signed in to with an account at another provider.`,
      occasion,
      "If it was you, there is nothing to do. If it was not you, unlink it in your account, and reset your password.",
    ],
    action: resetWithoutToken,
  },
  mfa_enabled: {
    subject: "An authenticator app was set up for your account",
    opening: ({ site, occasion }) => [
      `An authenticator app was set up for your account at ${site}. Signing in asks for its code from now on.`,
      occasion,
      "If it was you, there is nothing to do. If it was not you, reset your password, and contact our support.",
    ],
    action: resetWithoutToken,
  },
  mfa_disabled: {
    subject: "The authenticator app of your account was removed",
    opening: ({ site, occasion }) => [
      `The authenticator app of your account at ${site} was removed. Signing in does not ask for its code any more.`,
      occasion,
      "If it was you, there is nothing to do. If it was not you, reset your password, and contact our support.",
    ],
    action: resetWithoutToken,
  },
  recovery_code_used: {
    subject: "A recovery code of your account was used",
    opening: ({ site, occasion }) => [
      `Somebody signed in to your account at ${site} with a recovery code, which is used up now.`,
      occasion,
      "If it was you, see to it that you have others left. If it was not you, reset your password, and replace your recovery codes.",
    ],
    action: resetWithoutToken,
  },
  passkey_added: {
    subject: "A passkey was added to your account",
    opening: ({ site, occasion }) => [
      `A passkey was added to your account at ${site}. Whoever holds it can sign in.`,
      occasion,
      // Not only a new password: sign-in would then ask for what the stranger has.
      `If it was you, there is nothing to do. ${contactUs}`,
    ],
  },
  passkey_removed: {
    subject: "A passkey was removed from your account",
    opening: ({ site, occasion }) => [
      `A passkey of your account at ${site} was removed. It no longer signs in.`,
      occasion,
      "If it was you, there is nothing to do. If it was not you, reset your password.",
    ],
    action: resetWithoutToken,
  },
  invitation: {
    subject: "You are invited",
    opening: ({ site, organization, inviter }) => [
      `${inviter} invites you to join ${organization} at ${site}.`,
      "Open the link to see who it is from, and to accept or decline. It is for this e-mail address alone.",
    ],
    action: { label: "See the invitation", path: "invitation", withToken: true },
    closing: ["The link is good for 7 days. If you do not know who it is from, ignore this message."],
    about: "an invitation",
  },
  ownership_offered: {
    subject: "You are asked to own an organization",
    opening: ({ site, organization, inviter }) => [
      `${inviter} wants to hand over the ownership of ${organization} at ${site} to you.`,
      "If you accept, you may do everything in it, and delete it. Sign in to accept or decline.",
    ],
    closing: ["The offer is good for 7 days. If you do not want it, ignore this message. Nothing will change."],
    about: "an organization",
  },
  ownership_accepted: {
    subject: "Your offer of ownership was accepted",
    opening: ({ site, organization, inviter }) => [
      `${inviter} has accepted the ownership of ${organization} at ${site}. You are an admin of it now, and no owner.`,
      "If you did not offer it, contact our support at once, or reply to this message.",
    ],
    about: "an organization",
  },
  account_deleted: {
    subject: "Your account was deleted",
    opening: ({ site }) => [`Your account at ${site} was deleted. Goodbye.`, contactUs],
  },
} satisfies Record<string, Template>;

export type MailTemplate = keyof typeof mailTemplates;

/** What a template is filled with: `data` comes from the outbox row (a JSON object of strings or null). */
export interface MailInput {
  appUrl: string;
  token: string;
  code?: string;
  data: Record<string, string | null>;
}

export interface MailContent {
  subject: string;
  text: string;
  html: string;
}

/** The same input gives the same mail to the byte: a provider refuses another one under the same key. */
export function renderMail(template: MailTemplate, { appUrl, token, code = "", data }: MailInput): MailContent {
  const { subject, opening, action, closing = [], about = "an account" }: Template = mailTemplates[template];
  const site = URL.parse(appUrl)?.host ?? appUrl;
  const values = {
    site,
    newEmail: cleanAddress(data["newEmail"]) || "another address",
    organization: describeName(data["organization"], "an organization"),
    inviter: describeName(data["inviter"], "Somebody"),
    code,
    occasion: describeOccasion(data),
  };
  // A fragment reaches neither a server's log nor a Referer header; the frontend takes the token from there.
  const fragment = action?.withToken ? `#token=${encodeURIComponent(token)}` : "";
  const letter: Letter = {
    subject,
    greeting: greet(data["name"]),
    opening: opening(values).filter(Boolean),
    link: action && { label: action.label, url: `${appUrl.replace(/\/+$/, "")}/${action.path}${fragment}` },
    closing,
    footer: `This message is about ${about} at ${site}.`,
  };
  return { subject, text: renderText(letter), html: renderHtml(letter) };
}
