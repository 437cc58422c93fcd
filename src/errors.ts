/**
 * Every error a client can see: code → status → title. Codes are API: add, never rename.
 * Bodies are RFC 9457 problem details, with `code` and `requestId` as extension members.
 */
export const errorTable = {
  invalid_request: [400, "The request is not valid"],
  invalid_token: [400, "The link is not valid, was used already, or has expired"],
  invalid_signature: [400, "The signature is not valid"],
  too_many_windows: [400, "There are more values than fit into an answer"],
  invalid_oauth_code: [400, "The code is not valid, was used already, or has expired"],
  passkey_refused: [400, "The passkey cannot be registered"],
  unauthenticated: [401, "Authentication is required"],
  invalid_credentials: [401, "The e-mail address or the password is wrong"],
  invalid_code: [401, "The code is wrong, was used already, or has expired"],
  invalid_passkey: [401, "The passkey is not accepted"],
  refresh_token_reused: [401, "The refresh token was already used; the session is revoked"],
  mfa_required: [401, "The second factor is still to be given"],
  reauthentication_required: [401, "You proved who you are too long ago for this"],
  entitlement_required: [402, "The organization's plan does not have this"],
  quota_exceeded: [402, "The plan has no more of it in this period"],
  mfa_enrollment_required: [403, "A second factor is asked for, and this session has none"],
  email_unverified: [403, "The e-mail address is not verified yet"],
  wrong_code: [403, "The code is wrong, has expired, or was used already"],
  wrong_password: [403, "The password is wrong"],
  sso_domain_mismatch: [403, "The e-mail address is not of the domain that this identity provider is for"],
  provider_email_unverified: [403, "The provider knows no verified e-mail address"],
  origin_not_allowed: [403, "The cookie is not for pages of this origin"],
  session_required: [403, "No API key does this: it takes a person's session"],
  impersonation_refused: [403, "Nobody does this for somebody else"],
  organization_suspended: [403, "The organization is suspended"],
  person_required: [403, "Somebody has to answer for this, and the key is nobody's"],
  forbidden: [403, "Your roles do not allow this"],
  invitation_email_mismatch: [403, "The invitation is for another e-mail address"],
  email_domain_not_allowed: [403, "The link is for e-mail addresses of other domains"],
  role_above_own: [403, "That takes more permissions than you have yourself"],
  not_found: [404, "There is nothing here"],
  sso_not_found: [404, "The identity provider is no longer connected"],
  method_not_allowed: [405, "This method is not allowed here"],
  api_key_limit: [409, "The organization has as many API keys as there can be"],
  email_taken: [409, "The e-mail address is already in use"],
  domain_taken: [409, "The domain is taken already"],
  export_too_large: [409, "The export has more than 16 MiB: read the lists, a page at a time"],
  domain_limit: [409, "The organization has as many domains as there can be"],
  domain_unverified: [409, "The domain does not have its TXT record yet"],
  slug_taken: [409, "The slug is already in use"],
  identity_taken: [409, "The identity is linked to another account"],
  last_sign_in_method: [409, "Nothing else is left to sign in with"],
  passkey_taken: [409, "The passkey is registered already"],
  passkey_limit: [409, "You have as many passkeys as there can be"],
  password_missing: [409, "The account has no password"],
  mfa_not_required: [409, "The session does not wait for a second factor"],
  second_factor_missing: [409, "The account has no second factor"],
  unknown_role: [409, "The organization has no such role"],
  role_taken: [409, "The key of the role is already in use"],
  role_in_use: [409, "Members have the role, or are invited with it"],
  role_limit: [409, "The organization has as many roles as there can be"],
  unknown_team: [409, "The organization has no such team"],
  team_name_taken: [409, "The name of the team is already in use"],
  team_limit: [409, "The organization has as many teams as there can be"],
  member_limit: [409, "The organization has as many members as it may have"],
  already_member: [409, "The person is a member already"],
  invitation_pending: [409, "The address is invited already"],
  invitation_limit: [409, "The organization has as many pending invitations as there can be"],
  invitation_ended: [409, "The invitation was answered or revoked"],
  share_link_limit: [409, "The organization has as many share links as there can be"],
  owner_role_refused: [409, "Nobody becomes an owner by a link or a domain"],
  already_owner: [409, "The person is an owner already"],
  ownership_transfer_pending: [409, "The ownership is offered to somebody already"],
  last_owner: [409, "Nobody else owns the organization"],
  sole_owner: [409, "You are the only owner of an organization that has other members"],
  platform_admin: [409, "The account administers the platform"],
  user_suspended: [409, "The account is suspended"],
  price_not_sold: [409, "There is no such price that is sold"],
  subscription_exists: [409, "The organization has a subscription"],
  checkout_superseded: [409, "Another checkout was begun"],
  no_subscription: [409, "The organization has no subscription"],
  subscription_not_active: [409, "The subscription is neither on trial nor paid for, or about to end"],
  currency_mismatch: [409, "The subscription is in another currency"],
  plan_too_small: [409, "The organization has more than the plan has"],
  subscription_not_canceled: [409, "The subscription is not about to end"],
  invoice_not_open: [409, "The invoice is not to be paid"],
  plan_managed_by_file: [409, "The plan is kept in src/plans.ts"],
  unknown_meter: [409, "There is no such meter"],
  unknown_dimension: [409, "The meter has no such dimension"],
  value_refused: [409, "The meter does not take such a value"],
  event_too_old: [409, "The event is of too long ago"],
  event_in_future: [409, "The event is of a time that is still to come"],
  reservation_expired: [409, "The reservation has expired"],
  reservation_limit: [409, "The meter has as many reservations as there can be"],
  unknown_feature: [409, "There is no such feature of this kind"],
  webhook_endpoint_limit: [409, "The organization has as many webhook endpoints as there can be"],
  webhook_endpoint_disabled: [409, "The webhook endpoint is disabled"],
  webhook_message_pending: [409, "The message is still to be delivered"],
  payload_too_large: [413, "The request body is too large"],
  unsupported_media_type: [415, "The request body must be application/json"],
  event_id_reused: [422, "The source used the id for another event"],
  idempotency_key_reused: [422, "The idempotency key was used for another request"],
  rate_limited: [429, "Too many requests"],
  too_many_attempts: [429, "Too many attempts"],
  internal: [500, "Something went wrong on our side"],
  misconfigured: [500, "The service is not configured"],
  email_off: [501, "E-mail is not set up here"],
  passkeys_off: [501, "Passkeys are not set up here"],
  encryption_off: [501, "Encryption is not set up here"],
  stripe_off: [501, "Stripe is not set up here"],
  provider_off: [501, "The provider is not set up here"],
  unavailable: [503, "The service is unavailable for a moment"],
  not_ready: [503, "The service is not ready"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ErrorCode = keyof typeof errorTable;
export type ErrorStatus = (typeof errorTable)[ErrorCode][0];

export interface FieldError {
  /** Where in the request: `body.email`, `query.limit`; the location alone for the whole of it. */
  path: string;
  message: string;
}

/** One that stands in the way, of those that the caller owns. */
export interface OwnedOrganization {
  id: string;
  name: string;
  slug: string;
}

/** One that has what is missing. */
export interface OfferedPlan {
  id: string;
  key: string;
  name: string;
}

/** Of which there is no more. */
export interface ExceededQuota {
  meter: string;
  used: string;
  reserved: string;
  limit: string;
  remaining: string;
  resetsAt: string | null;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  requestId: string;
  errors?: FieldError[];
  organizations?: OwnedOrganization[];
  feature?: string;
  plans?: OfferedPlan[];
  usage?: ExceededQuota;
}

interface AppErrorOptions {
  detail?: string;
  errors?: FieldError[];
  organizations?: OwnedOrganization[];
  /** With `entitlement_required`. */
  feature?: string;
  plans?: OfferedPlan[];
  /** With `quota_exceeded`. */
  usage?: ExceededQuota;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** The one error whose text reaches a client. Everything else is answered as `internal`. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly errors: FieldError[] | undefined;
  readonly organizations: OwnedOrganization[] | undefined;
  readonly feature: string | undefined;
  readonly plans: OfferedPlan[] | undefined;
  readonly usage: ExceededQuota | undefined;
  readonly headers: Record<string, string>;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.detail ?? `${errorTable[code][1]}.`, { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.errors = options.errors;
    this.organizations = options.organizations;
    this.feature = options.feature;
    this.plans = options.plans;
    this.usage = options.usage;
    this.headers = options.headers ?? {};
  }

  get status(): ErrorStatus {
    return errorTable[this.code][0];
  }

  toProblem(requestId: string): Problem {
    return {
      type: `urn:problem:${this.code.replaceAll("_", "-")}`,
      title: errorTable[this.code][1],
      status: this.status,
      detail: this.message,
      code: this.code,
      requestId,
      ...(this.errors && { errors: this.errors }),
      ...(this.organizations && { organizations: this.organizations }),
      ...(this.feature !== undefined && { feature: this.feature }),
      ...(this.plans && { plans: this.plans }),
      ...(this.usage && { usage: this.usage }),
    };
  }
}

/** 202 where what was created is not told yet; 207 where each of several has a status of its own. */
export type CreatedStatus = 201 | 202 | 207;

/** Not an error: the first answer to a creating request that was sent again under its Idempotency-Key. */
export class ReplayedResponse extends Error {
  readonly status: CreatedStatus;
  readonly body: object;

  constructor({ status, body }: { status: CreatedStatus; body: object }) {
    super("replayed");
    this.name = "ReplayedResponse";
    this.status = status;
    this.body = body;
  }
}
