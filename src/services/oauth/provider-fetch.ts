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

export type ProviderFetch = (url: string, init?: RequestInit) => Promise<Response>;

/**
 * A fetch for one conversation with a provider: it ends after 5 seconds, follows no redirect, and reads 256 KiB at
 * most. It speaks http with a provider alone that the settings have on this machine.
 */
export function openConversation({ issuer }: { issuer: string }): ProviderFetch {
  const signal = AbortSignal.timeout(TIMEOUT);
  const isLocal = isLoopback(issuer);
  return async (url, init) => {
    if (!url.startsWith("https:") && !(isLocal && isLoopback(url))) {
      throw new ProviderError("the provider's address is not https");
    }
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
