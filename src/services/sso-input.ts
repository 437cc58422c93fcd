import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { hasPublicHost } from "./oauth/hosts.ts";
import { isLoopback } from "./oauth/provider-fetch.ts";

/**
 * Refuses an issuer that our requests should not go to: all but https on a public host's name, and this machine
 * outside of production.
 *
 * @throws AppError `invalid_request`
 */
export function checkIssuerUrl({ ENVIRONMENT }: Settings, issuer: string): void {
  const url = URL.parse(issuer);
  const isPlain = !!url && !url.username && !url.password && !url.search && !url.hash && /^[\w.~:/-]+$/.test(issuer);
  // As it is read, so that it stands for one server however it is written; a slash at its end is part of it.
  const isCanonical = isPlain && (url.href === issuer || url.href === `${issuer}/`);
  const isPublic = isCanonical && url.protocol === "https:" && hasPublicHost(issuer);
  if (isPublic || (isCanonical && ENVIRONMENT !== "production" && isLoopback(issuer))) return;
  const message = "must be an https URL of a public host, as the provider's metadata has it";
  throw new AppError("invalid_request", { errors: [{ path: "body.issuer", message }] });
}
