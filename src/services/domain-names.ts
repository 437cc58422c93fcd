import { AppError } from "../errors.ts";
import { isPublicName } from "./oauth/hosts.ts";

/** Where anybody gets an address: nobody's own, whoever could add a record. */
const mailDomains = new Set(
  `gmail.com googlemail.com outlook.com outlook.de outlook.fr hotmail.com hotmail.co.uk hotmail.fr live.com msn.com
   icloud.com me.com mac.com yahoo.com yahoo.co.uk yahoo.co.jp yahoo.fr ymail.com aol.com proton.me protonmail.com pm.me
   gmx.com gmx.de gmx.net web.de t-online.de mail.com mail.ru yandex.ru yandex.com qq.com 163.com 126.com naver.com
   zoho.com fastmail.com hey.com tutanota.com tuta.com orange.fr free.fr laposte.net libero.it comcast.net`.split(
    /\s+/,
  ),
);

/**
 * A domain as addresses have it: in lower case, in Punycode.
 *
 * @throws AppError `invalid_request`, saying why.
 */
export function canonicalDomain(text: string): string {
  const refuse = (message: string) => new AppError("invalid_request", { errors: [{ path: "body.domain", message }] });
  const isName = !/[\s/\\?#@:[\]%]/.test(text);
  const domain = isName ? URL.parse(`https://${text.trim()}/`)?.hostname : undefined;
  if (domain === undefined || !isPublicName(domain))
    throw refuse("must be a domain of the public DNS, such as acme.com");
  if (mailDomains.has(domain)) throw refuse("gives addresses to everybody, and is no company's own");
  return domain;
}
