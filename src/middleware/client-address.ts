import type { ClientInfo } from "../services/session-starts.ts";
import type { RequestVariables } from "../types.ts";

/**
 * The address a request came from, as Cloudflare saw it: X-Forwarded-For is anybody's to write.
 * Null when there is none, which only happens off Cloudflare.
 */
export function readClientAddress(header: string | undefined): string | null {
  return header && /^[\d.:a-f]{2,45}$/i.test(header) ? header.toLowerCase() : null;
}

/** Who asks for a session. */
export function readClient({ clientAddress, userAgent }: RequestVariables): ClientInfo {
  return { ipAddress: clientAddress, network: clientAddress && toNetwork(clientAddress), userAgent };
}

/** What one subscriber holds: an IPv4 address, or the /64 that an IPv6 address lies in. */
export function toNetwork(address: string): string {
  if (!address.includes(":")) return address;
  const groups = readGroups(address);
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups.slice(0, 6).join() === "0,0,0,0,0,65535";
  if (isMapped) return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  const prefix = groups.slice(0, 4).map((group) => group.toString(16));
  return `${prefix.join(":")}::/64`;
}

/** The eight numbers of an IPv6 address in any of its spellings (RFC 4291 §2.2). */
function readGroups(address: string): number[] {
  const hexadecimal = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a: string, b: string, c: string, d: string) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(":"),
  );
  const [head = "", tail] = hexadecimal.split("::");
  const left = head.split(":").filter(Boolean);
  const right = tail?.split(":").filter(Boolean) ?? [];
  const missing = Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(missing).fill("0"), ...right].map((group) => Number.parseInt(group, 16));
}
