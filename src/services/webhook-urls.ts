import type { Settings } from "../env.ts";
import { hasPublicHost } from "./oauth/hosts.ts";
import { isLoopback } from "./oauth/provider-fetch.ts";

/**
 * Whether messages may be sent to this URL at all: to https on a public host's name, written as it is read, and outside of
 * production to http on this machine.
 */
export function isWebhookUrl({ ENVIRONMENT }: Settings, text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.hash || url.href !== text) return false;
  return (url.protocol === "https:" && hasPublicHost(text)) || (ENVIRONMENT !== "production" && isLoopback(text));
}
