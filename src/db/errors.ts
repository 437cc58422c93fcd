import { AppError, type ErrorCode, ReplayedResponse } from "../errors.ts";

/** SQLSTATEs that rls-policies.sql raises. */
const raisedCodes: Record<string, ErrorCode> = {
  AP401: "unauthenticated",
  AP403: "forbidden",
  AP404: "not_found",
  APSES: "session_required",
  APPER: "person_required",
  APIMP: "impersonation_refused",
  APSUS: "organization_suspended",
  APADM: "platform_admin",
  APUSU: "user_suspended",
  APAKL: "api_key_limit",
  APVER: "email_unverified",
  APMFA: "mfa_required",
  APENR: "mfa_enrollment_required",
  APCMP: "mfa_not_required",
  APCOD: "wrong_code",
  APNOF: "second_factor_missing",
  APFRS: "reauthentication_required",
  APCRD: "invalid_credentials",
  APTOK: "invalid_token",
  APLIM: "rate_limited",
  APPSK: "invalid_passkey",
  APPSR: "passkey_refused",
  APPSL: "passkey_limit",
  APPWD: "wrong_password",
  APKEY: "idempotency_key_reused",
  APOTK: "invalid_oauth_code",
  APWRK: "misconfigured",
  APEVR: "provider_email_unverified",
  APIDT: "identity_taken",
  APSSO: "sso_not_found",
  APDOM: "sso_domain_mismatch",
  APLST: "last_sign_in_method",
  APABV: "role_above_own",
  APLOW: "last_owner",
  APROL: "unknown_role",
  APRLM: "role_limit",
  APUSE: "role_in_use",
  APTEA: "unknown_team",
  APTML: "team_limit",
  APMEM: "already_member",
  APMBL: "member_limit",
  APPND: "invitation_pending",
  APIVL: "invitation_limit",
  APEND: "invitation_ended",
  APEML: "invitation_email_mismatch",
  APSLL: "share_link_limit",
  APOWR: "owner_role_refused",
  APAOW: "already_owner",
  APOTP: "ownership_transfer_pending",
  APDML: "domain_limit",
  APDNA: "email_domain_not_allowed",
  APXLG: "export_too_large",
  APPRI: "price_not_sold",
  APSUB: "subscription_exists",
  APNSU: "no_subscription",
  APCHK: "checkout_superseded",
  APNCA: "subscription_not_canceled",
  APNAC: "subscription_not_active",
  APCUR: "currency_mismatch",
  APINV: "invoice_not_open",
  APPLF: "plan_managed_by_file",
  APFEA: "unknown_feature",
  APVAL: "value_refused",
  APDUP: "event_id_reused",
  APRSX: "reservation_expired",
  APRSL: "reservation_limit",
  APDIM: "unknown_dimension",
  APWIN: "too_many_windows",
  APWHL: "webhook_endpoint_limit",
  APWHD: "webhook_endpoint_disabled",
  APWHP: "webhook_message_pending",
};

/** Unique constraints a client can run into. */
const uniqueConstraints: Record<string, ErrorCode> = {
  users_email_key: "email_taken",
  organizations_slug_key: "slug_taken",
  passkeys_credential_id_key: "passkey_taken",
  roles_organization_id_key_pk: "role_taken",
  teams_organization_id_name_key: "team_name_taken",
  organization_domains_organization_id_domain_key: "domain_taken",
  organization_domains_verified_domain_key: "domain_taken",
  sso_connections_organization_id_domain_key: "domain_taken",
  sso_connections_verified_domain_key: "domain_taken",
};

interface DatabaseFailure {
  /** Five characters when Postgres answered; undefined when nobody knows what happened. */
  sqlstate: string | undefined;
  constraint: string | undefined;
  detail: string | undefined;
  message: string;
}

/** The driver's error, wherever Drizzle put it: bare from a batch, as the cause of a single query. */
function readFailure(error: unknown): DatabaseFailure {
  const outer = error as { cause?: unknown };
  const inner = (outer?.cause instanceof Error && "code" in outer.cause ? outer.cause : outer) as Record<
    string,
    unknown
  >;
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  const code = text(inner?.code);
  return {
    // A timeout's code is the number 23, and an error of the proxy itself has an empty one.
    sqlstate: code?.length === 5 ? code : undefined,
    constraint: text(inner?.constraint),
    detail: text(inner?.detail),
    message: text(inner?.message) ?? String(error),
  };
}

/** Connection failures (08), operator intervention (57P) and no SQLSTATE at all: executed or not, nobody knows. */
function isUnknownOutcome({ sqlstate }: DatabaseFailure): boolean {
  return sqlstate === undefined || sqlstate.startsWith("08") || sqlstate.startsWith("57P");
}

/** What Neon's proxy says before it has a connection, so before anything ran. */
const beforeExecution =
  /too many connections|couldn't connect to compute|control plane request failed|failed to acquire permit|remaining connection slots|too many clients/i;

/** Whether the whole batch can be sent again: it rolled back for certain, or it only reads. */
export function isRetryable(error: unknown, readOnly: boolean): boolean {
  if (isTimeout(error)) return false;
  const failure = readFailure(error);
  if (failure.sqlstate === "40001" || failure.sqlstate === "40P01" || failure.sqlstate?.startsWith("53")) return true;
  if (beforeExecution.test(failure.message)) return true;
  return readOnly && isUnknownOutcome(failure);
}

function isTimeout(error: unknown): boolean {
  const named = (value: unknown) =>
    value instanceof Error && (value.name === "TimeoutError" || value.name === "AbortError");
  const { cause, sourceError } = (error ?? {}) as { cause?: unknown; sourceError?: unknown };
  return named(error) || named(cause) || named(sourceError);
}

const retryAfter = { "retry-after": "2" };

/**
 * Translates a failed batch for the client. Text of the database is never passed on, save that of
 * data exceptions (class 22), which become `invalid_request` without it.
 */
export function toAppError(error: unknown, readOnly: boolean): Error {
  const failure = readFailure(error);
  const { sqlstate } = failure;
  if (sqlstate === "APREP") return new ReplayedResponse(JSON.parse(failure.detail ?? ""));
  if (sqlstate === "APOWN") {
    return new AppError("sole_owner", { organizations: JSON.parse(failure.detail ?? ""), cause: error });
  }
  if (sqlstate === "APENT") {
    return new AppError("entitlement_required", { ...JSON.parse(failure.detail ?? ""), cause: error });
  }
  if (sqlstate === "APQUO") {
    const { meter, used, reserved, limit, remaining, resetsAt } = JSON.parse(failure.detail ?? "");
    return new AppError("quota_exceeded", {
      usage: { meter, used, reserved, limit, remaining, resetsAt },
      cause: error,
    });
  }
  if (sqlstate === "APSML") {
    const { feature, limit, used } = JSON.parse(failure.detail ?? "");
    const detail = `Of "${feature}" the plan has ${limit}, and the organization ${used}.`;
    return new AppError("plan_too_small", { detail, cause: error });
  }
  if (isUnknownOutcome(failure)) {
    const detail =
      readOnly || beforeExecution.test(failure.message)
        ? "The database did not answer. Try again in a moment."
        : "The database did not confirm the change, which may or may not have been made. Repeat the request, with its Idempotency-Key where it takes one.";
    return new AppError("unavailable", { detail, headers: retryAfter, cause: error });
  }
  const code =
    raisedCodes[sqlstate ?? ""] ?? (sqlstate === "23505" ? uniqueConstraints[failure.constraint ?? ""] : undefined);
  if (code === "rate_limited") {
    const detail = "No more mails are sent within the hour.";
    return new AppError(code, { detail, headers: { "retry-after": "3600" }, cause: error });
  }
  if (code) return new AppError(code, { cause: error });
  if (sqlstate?.startsWith("22")) return new AppError("invalid_request", { cause: error });
  // 40: still losing after the retries; 53: out of resources; 55P03 and 57014: a lock or a statement took too long.
  if (/^(40|53|55P03|57014)/.test(sqlstate ?? ""))
    return new AppError("unavailable", { headers: retryAfter, cause: error });
  return new AppError("internal", { cause: error });
}
