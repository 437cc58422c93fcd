/** Names of networks that are nobody else's (RFC 6761, RFC 6762, RFC 8375, ICANN's .internal). */
const privateNames = /(^|\.)(localhost|local|internal|intranet|lan|home|corp|home\.arpa|onion)$/;

/** Labels of letters, digits and hyphens, the last of them no number: a name, and no address. */
const publicName = /^([a-z\d]([a-z\d-]{0,61}[a-z\d])?\.)+([a-z]{2,63}|xn--[a-z\d-]{1,59})$/;

/** Whether this is a name that the public DNS can have, in its canonical form. */
export const isPublicName = (name: string): boolean =>
  name.length <= 253 && publicName.test(name) && !privateNames.test(name);

/** Whether a URL leads to a host that has such a name: to no address of a network's own, however it is written. */
export function hasPublicHost(url: string): boolean {
  const hostname = URL.parse(url)?.hostname;
  return hostname !== undefined && isPublicName(hostname.replace(/\.$/, ""));
}
