import { expect, it } from "vitest";
import { mailTemplates, renderMail, type MailTemplate } from "../src/mail/templates.ts";
import { mailData as data } from "./support/mails.ts";

/** What stands between the greeting and the footer, which are the same in each. */
const texts: Record<MailTemplate, string> = {
  verify_email: `
Somebody signed up at app.example.com with this e-mail address. If it
was you, confirm it.

Confirm this e-mail address:

https://app.example.com/verify-email#token=mT3k_9vQ-x2

The link is good for 24 hours.

If you did not sign up, ignore this message.`,
  account_exists: `
Somebody, perhaps you, signed up at app.example.com with this e-mail
address. It already has an account.

If it was you, sign in. If you have forgotten your password, choose a
new one.

Choose a new password:

https://app.example.com/reset-password#token=mT3k_9vQ-x2

The link is good for 1 hour.

If it was not you, ignore this message. Nothing will change.`,
  reset_password: `
Somebody asked for a new password for your account at app.example.com.

Choose a new password:

https://app.example.com/reset-password#token=mT3k_9vQ-x2

The link is good for 1 hour.

If you did not ask for this, ignore this message. Nothing will change.`,
  change_email_old: `
Somebody asked to change the e-mail address of your account at
app.example.com to ada@new.example.

If it was you, confirm the change.

Confirm the change:

https://app.example.com/confirm-email-change#token=mT3k_9vQ-x2

The link is good for 1 hour.

If it was not you, do not confirm it, and change your password.`,
  change_email_new: `
Somebody asked to use this e-mail address for their account at
app.example.com. If it was you, confirm it.

Confirm this e-mail address:

https://app.example.com/confirm-email-change#token=mT3k_9vQ-x2

The link is good for 1 hour.

If you did not ask for this, ignore this message. Nothing will change.`,
  change_email_taken: `
Somebody tried to move their account at app.example.com to this e-mail
address. It already has an account.

Nothing was changed. If it was you, sign in with this address, or choose
another one.`,
  email_changed: `
The e-mail address of your account at app.example.com was changed to
ada@new.example.

If it was not you, contact our support at once, or reply to this
message.`,
  password_changed: `
The password of your account at app.example.com was changed.

It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7,
with Firefox on Windows.

If it was you, there is nothing to do. If it was not you, reset your
password.

Reset your password:

https://app.example.com/forgot-password`,
  new_device: `
Somebody signed in to your account at app.example.com from a device that
we have not seen before.

It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7,
with Firefox on Windows.

If it was you, there is nothing to do. If it was not you, reset your
password.

Reset your password:

https://app.example.com/forgot-password`,
  sign_in: `
Somebody asked to sign in to your account at app.example.com. If it was
you, type this code where you asked for it: 04718293

Or open this link on the device that you want to sign in on.

Sign in:

https://app.example.com/sign-in#token=mT3k_9vQ-x2

The code and the link are good for 10 minutes, and one of them for one
use. Give them to nobody.

If you did not ask for this, ignore this message. Nobody has signed in.`,
  identity_linked: `
Your account at app.example.com can now be signed in to with an account
at another provider.

It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7,
with Firefox on Windows.

If it was you, there is nothing to do. If it was not you, unlink it in
your account, and reset your password.

Reset your password:

https://app.example.com/forgot-password`,
  mfa_enabled: `
An authenticator app was set up for your account at app.example.com.
Signing in asks for its code from now on.

It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7,
with Firefox on Windows.

If it was you, there is nothing to do. If it was not you, reset your
password, and contact our support.

Reset your password:

https://app.example.com/forgot-password`,
  mfa_disabled: `
The authenticator app of your account at app.example.com was removed.
Signing in does not ask for its code any more.

It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7,
with Firefox on Windows.

If it was you, there is nothing to do. If it was not you, reset your
password, and contact our support.

Reset your password:

https://app.example.com/forgot-password`,
  recovery_code_used: `
Somebody signed in to your account at app.example.com with a recovery
code, which is used up now.

It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7,
with Firefox on Windows.

If it was you, see to it that you have others left. If it was not you,
reset your password, and replace your recovery codes.

Reset your password:

https://app.example.com/forgot-password`,
  passkey_added: `
A passkey was added to your account at app.example.com. Whoever holds it
can sign in.

It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7,
with Firefox on Windows.

If it was you, there is nothing to do. If it was not you, contact our
support at once, or reply to this message.`,
  passkey_removed: `
A passkey of your account at app.example.com was removed. It no longer
signs in.

It happened at 2026-03-06 14:05 UTC, from the IP address 203.0.113.7,
with Firefox on Windows.

If it was you, there is nothing to do. If it was not you, reset your
password.

Reset your password:

https://app.example.com/forgot-password`,
  invitation: `
“Ada Lovelace” invites you to join “Acme” at app.example.com.

Open the link to see who it is from, and to accept or decline. It is for
this e-mail address alone.

See the invitation:

https://app.example.com/invitation#token=mT3k_9vQ-x2

The link is good for 7 days. If you do not know who it is from, ignore
this message.`,
  ownership_offered: `
“Ada Lovelace” wants to hand over the ownership of “Acme” at
app.example.com to you.

If you accept, you may do everything in it, and delete it. Sign in to
accept or decline.

The offer is good for 7 days. If you do not want it, ignore this
message. Nothing will change.`,
  ownership_accepted: `
“Ada Lovelace” has accepted the ownership of “Acme” at app.example.com.
You are an admin of it now, and no owner.

If you did not offer it, contact our support at once, or reply to this
message.`,
  account_deleted: `
Your account at app.example.com was deleted. Goodbye.

If it was not you, contact our support at once, or reply to this
message.`,
};

const abouts: Partial<Record<MailTemplate, string>> = {
  invitation: "an invitation",
  ownership_offered: "an organization",
  ownership_accepted: "an organization",
};

it.each(Object.keys(mailTemplates) as MailTemplate[])("%s reads so", (template) => {
  const { text } = renderMail(template, {
    appUrl: "https://app.example.com",
    token: "mT3k_9vQ-x2",
    code: "04718293",
    data,
  });
  expect(text).toBe(
    `Hello Ada Lovelace,\n${texts[template]}\n\n--\n\nThis message is about ${abouts[template] ?? "an account"} at app.example.com.\n`,
  );
});
