import { hasPublicHost } from "./hosts.ts";
import type { ProviderConfig } from "./providers.ts";

/** Bytes that one answer of a provider may have; the largest that are known have 20 KiB. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** Milliseconds for all that one request of ours asks a provider. */
const TIMEOUT = 5_000;

/** Whatever is wrong with a provider, or with what it says. Its text goes nowhere but into a log. */
export class ProviderError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ProviderError";
  }
}

/** Where a provider is, and whether an organization has brought it. */
type Addressed = Pick<ProviderConfig, "issuer" | "connectionId">;

/** @throws ProviderError for an address that no request of ours goes to. */
export function checkAddress({ issuer, connectionId }: Addressed, url: string): void {
  if (isLoopback(issuer) && isLoopback(url)) return;
  if (!url.startsWith("https:")) throw new ProviderError("the provider's address is not https");
  // Nobody of ours has looked at what an organization's provider says.
  if (connectionId !== undefined && !hasPublicHost(url))
    throw new ProviderError("the provider's address is not public");
}

export type ProviderFetch = (url: string, init?: RequestInit) => Promise<Response>;

/**
 * A fetch for one conversation with a provider: it ends after 5 seconds, follows no redirect, and reads 256 KiB at
 * most. It speaks http with a provider alone that the settings have on this machine.
 */
export function openConversation(provider: Addressed): ProviderFetch {
  const signal = AbortSignal.timeout(TIMEOUT);
  return async (url, init) => {
    checkAddress(provider, url);
    const response = await fetch(url, { ...init, redirect: "manual", signal });
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.byteLength;
      if (length > MAX_ANSWER_BYTES) throw new ProviderError("the provider's answer is too large");
      chunks.push(chunk);
    }
    const { status, headers } = response;
    const hasBody = status !== 204 && status !== 304;
    return new Response(hasBody ? await new Blob(chunks).arrayBuffer() : null, { status, headers });
  };
}

/** Whether a URL is http on this machine, as in development. */
export function isLoopback(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === "http:" && /^(127\.0\.0\.1|localhost)$/.test(url.hostname);
}
