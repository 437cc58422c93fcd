import ipaddr from "ipaddr.js";
import type { Settings } from "../env.ts";
import { readRecords } from "./dns.ts";
import { isLoopback } from "./oauth/provider-fetch.ts";
import { isWebhookUrl } from "./webhook-urls.ts";

/**
 * Why no message goes to this URL now; null where nothing is against it. A public name can have a private address, so all
 * that it has are looked at. What is asked here may be answered otherwise to the request that follows: on Cloudflare that
 * one leaves from a network without private addresses.
 */
export async function refusalOf(settings: Settings, text: string): Promise<string | null> {
  if (!isWebhookUrl(settings, text)) return "the URL is not a public one";
  if (isLoopback(text)) return null;
  const { hostname } = new URL(text);
  let addresses: string[];
  try {
    const records = await Promise.all([readRecords(settings, hostname, "A"), readRecords(settings, hostname, "AAAA")]);
    addresses = records.flat();
  } catch {
    return "the DNS did not say where the host is";
  }
  if (addresses.length === 0) return "the host has no address";
  return addresses.every(isPublicAddress) ? null : "the host has an address that is not public";
}

/** Of a range that IANA has set aside for nothing: neither private, loopback, link-local, shared, mapped nor reserved. */
export function isPublicAddress(text: string): boolean {
  return ipaddr.isValid(text) && ipaddr.process(text).range() === "unicast";
}
