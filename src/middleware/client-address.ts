/**
 * The address a request came from, as Cloudflare saw it: X-Forwarded-For is anybody's to write.
 * `unknown` when there is none, which only happens off Cloudflare.
 */
export function readClientAddress(header: string | undefined): string {
  return header && /^[\d.:a-f]{2,45}$/i.test(header) ? header.toLowerCase() : "unknown";
}

/** What one subscriber holds: an IPv4 address, or the /64 that an IPv6 address lies in. */
export function toNetwork(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (mapped) return mapped[1] ?? address;
  const [head = "", tail] = address.split("::");
  const left = head.split(":").filter(Boolean);
  const right = tail?.split(":").filter(Boolean) ?? [];
  const missing = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(missing).fill("0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
