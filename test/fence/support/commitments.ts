import { accountCommitments } from "./commitments-accounts.ts";
import { apiKeyCommitments } from "./commitments-api-keys.ts";
import { apiKeyContextCommitments } from "./commitments-api-key-contexts.ts";
import { attemptCommitments } from "./commitments-attempts.ts";
import { auditAccessCommitments } from "./commitments-audit-access.ts";
import { auditAccountCommitments } from "./commitments-audit-accounts.ts";
import { auditActionCommitments } from "./commitments-audit-actions.ts";
import { auditActorCommitments } from "./commitments-audit-actors.ts";
import { auditCascadeCommitments } from "./commitments-audit-cascades.ts";
import { auditOrganizationCommitments } from "./commitments-audit-organizations.ts";
import { auditSignInCommitments } from "./commitments-audit-sign-ins.ts";
import { auditStatementCommitments } from "./commitments-audit-statements.ts";
import { auditTrailCommitments } from "./commitments-audit-trail.ts";
import { webhookDeliveryCommitments } from "./commitments-webhook-deliveries.ts";
import { webhookEndpointCommitments } from "./commitments-webhook-endpoints.ts";
import { webhookFailureCommitments } from "./commitments-webhook-failures.ts";
import { webhookQueueCommitments } from "./commitments-webhook-queues.ts";
import { webhookReplayCommitments } from "./commitments-webhook-replays.ts";
import { webhookResultCommitments } from "./commitments-webhook-results.ts";
import { webhookSwitchCommitments } from "./commitments-webhook-switches.ts";
import { contextCommitments } from "./commitments-context.ts";
import { deletedOrganizationCommitments } from "./commitments-deleted-organizations.ts";
import { deletionEffectCommitments } from "./commitments-deletion-effects.ts";
import { deletionCommitments } from "./commitments-deletions.ts";
import { exportCommitments } from "./commitments-exports.ts";
import { emailChangeCommitments } from "./commitments-email-changes.ts";
import { emailSignInMailCommitments } from "./commitments-email-sign-in-mails.ts";
import { emailSignInCommitments } from "./commitments-email-sign-in.ts";
import { emailVerificationCommitments } from "./commitments-email-verification.ts";
import { identityCommitments } from "./commitments-identities.ts";
import { memberCommitments } from "./commitments-members.ts";
import { memberSearchCommitments } from "./commitments-member-search.ts";
import { identityAddressCommitments } from "./commitments-identity-addresses.ts";
import { identityTicketCommitments } from "./commitments-identity-tickets.ts";
import { identityLinkCommitments } from "./commitments-identity-links.ts";
import { invitationManagementCommitments } from "./commitments-invitation-management.ts";
import { invitationCommitments } from "./commitments-invitations.ts";
import { invitedPeopleCommitments } from "./commitments-invited-people.ts";
import { receivedInvitationCommitments } from "./commitments-received-invitations.ts";
import { shareLinkCommitments } from "./commitments-share-links.ts";
import { sharedLinkCommitments } from "./commitments-shared-links.ts";
import { ownershipCommitments } from "./commitments-ownership.ts";
import { ownershipAnswerCommitments } from "./commitments-ownership-answers.ts";
import { domainCommitments } from "./commitments-domains.ts";
import { enrollmentCommitments } from "./commitments-enrollments.ts";
import { messageCommitments } from "./commitments-messages.ts";
import { messageLimitCommitments } from "./commitments-message-limits.ts";
import { organizationExportCommitments } from "./commitments-organization-exports.ts";
import { organizationSlugCommitments } from "./commitments-organization-slugs.ts";
import { organizationCommitments } from "./commitments-organizations.ts";
import { passkeyCommitments } from "./commitments-passkeys.ts";
import { passkeySignInCommitments } from "./commitments-passkey-sign-ins.ts";
import { passwordCommitments } from "./commitments-passwords.ts";
import { reauthenticationCommitments } from "./commitments-reauthentication.ts";
import { impersonationCommitments } from "./commitments-impersonations.ts";
import { platformAccessCommitments } from "./commitments-platform-access.ts";
import { platformListCommitments } from "./commitments-platform-lists.ts";
import { platformOrganizationCommitments } from "./commitments-platform-organizations.ts";
import { platformUserCommitments } from "./commitments-platform-users.ts";
import { platformPlanCommitments } from "./commitments-platform-plans.ts";
import { planCommitments } from "./commitments-plans.ts";
import { entitlementCommitments } from "./commitments-entitlements.ts";
import { subscriptionCommitments } from "./commitments-subscriptions.ts";
import { subscriptionChangeCommitments } from "./commitments-subscription-changes.ts";
import { subscriptionScheduleCommitments } from "./commitments-subscription-schedules.ts";
import { subscriptionTimeCommitments } from "./commitments-subscription-times.ts";
import { stripeChangeCommitments } from "./commitments-stripe-changes.ts";
import { stripeCheckoutCommitments } from "./commitments-stripe-checkouts.ts";
import { stripeCustomerCommitments } from "./commitments-stripe-customers.ts";
import { stripeEndingCommitments } from "./commitments-stripe-endings.ts";
import { stripeEventCommitments } from "./commitments-stripe-events.ts";
import { stripeInvoiceCommitments } from "./commitments-stripe-invoices.ts";
import { stripeSeatCommitments } from "./commitments-stripe-seats.ts";
import { stripePageCommitments } from "./commitments-stripe-pages.ts";
import { stripeTodoCommitments } from "./commitments-stripe-todo.ts";
import { stripeUpdateCommitments } from "./commitments-stripe-updates.ts";
import { idempotencyCheckCommitments } from "./commitments-idempotency-checks.ts";
import { stripeStateCommitments } from "./commitments-stripe-state.ts";
import { stripeSubscriptionCommitments } from "./commitments-stripe-subscriptions.ts";
import { usageAccessCommitments } from "./commitments-usage-access.ts";
import { usageCommitCommitments } from "./commitments-usage-commits.ts";
import { usageCorrectionCommitments } from "./commitments-usage-corrections.ts";
import { usageReservationCommitments } from "./commitments-usage-reservations.ts";
import { roleCommitments } from "./commitments-roles.ts";
import { secondFactorCommitments } from "./commitments-second-factors.ts";
import { pendingSessionCommitments } from "./commitments-pending-sessions.ts";
import { sessionCommitments } from "./commitments-sessions.ts";
import { signInAttemptCommitments } from "./commitments-sign-in-attempts.ts";
import { signInCommitments } from "./commitments-sign-ins.ts";
import { ssoCommitments } from "./commitments-sso.ts";
import { teamCommitments } from "./commitments-teams.ts";
import { teamMemberCommitments } from "./commitments-team-members.ts";
import { invitationTeamCommitments } from "./commitments-invitation-teams.ts";
import { totpCommitments } from "./commitments-totp.ts";
import { totpSignInCommitments } from "./commitments-totp-sign-ins.ts";
import { usageEventCommitments } from "./commitments-usage-events.ts";
import { usageCounterCommitments } from "./commitments-usage-counters.ts";
import { usageLimitCommitments } from "./commitments-usage-limits.ts";
import { usagePeriodCommitments } from "./commitments-usage-periods.ts";
import { usageCheckCommitments } from "./commitments-usage-checks.ts";
import { usageWindowCommitments } from "./commitments-usage-windows.ts";

/** What every function of the fence promises. */
export const commitments = [
  ...planCommitments,
  ...entitlementCommitments,
  ...usageEventCommitments,
  ...usageCounterCommitments,
  ...usageLimitCommitments,
  ...usagePeriodCommitments,
  ...usageCheckCommitments,
  ...usageWindowCommitments,
  ...subscriptionCommitments,
  ...subscriptionChangeCommitments,
  ...subscriptionScheduleCommitments,
  ...subscriptionTimeCommitments,
  ...stripeCheckoutCommitments,
  ...stripePageCommitments,
  ...stripeCustomerCommitments,
  ...stripeEndingCommitments,
  ...stripeChangeCommitments,
  ...stripeEventCommitments,
  ...stripeStateCommitments,
  ...stripeTodoCommitments,
  ...stripeSubscriptionCommitments,
  ...stripeUpdateCommitments,
  ...stripeInvoiceCommitments,
  ...stripeSeatCommitments,
  ...usageAccessCommitments,
  ...usageReservationCommitments,
  ...usageCommitCommitments,
  ...usageCorrectionCommitments,
  ...platformPlanCommitments,
  ...contextCommitments,
  ...apiKeyContextCommitments,
  ...apiKeyCommitments,
  ...accountCommitments,
  ...organizationCommitments,
  ...idempotencyCheckCommitments,
  ...memberCommitments,
  ...memberSearchCommitments,
  ...roleCommitments,
  ...teamCommitments,
  ...teamMemberCommitments,
  ...invitationTeamCommitments,
  ...invitationCommitments,
  ...invitationManagementCommitments,
  ...receivedInvitationCommitments,
  ...invitedPeopleCommitments,
  ...shareLinkCommitments,
  ...sharedLinkCommitments,
  ...ownershipCommitments,
  ...ownershipAnswerCommitments,
  ...domainCommitments,
  ...enrollmentCommitments,
  ...messageCommitments,
  ...messageLimitCommitments,
  ...passkeyCommitments,
  ...passkeySignInCommitments,
  ...passwordCommitments,
  ...emailVerificationCommitments,
  ...emailChangeCommitments,
  ...emailSignInCommitments,
  ...emailSignInMailCommitments,
  ...attemptCommitments,
  ...signInAttemptCommitments,
  ...signInCommitments,
  ...reauthenticationCommitments,
  ...deletionCommitments,
  ...deletedOrganizationCommitments,
  ...deletionEffectCommitments,
  ...organizationSlugCommitments,
  ...organizationExportCommitments,
  ...exportCommitments,
  ...sessionCommitments,
  ...secondFactorCommitments,
  ...pendingSessionCommitments,
  ...totpCommitments,
  ...totpSignInCommitments,
  ...identityCommitments,
  ...identityAddressCommitments,
  ...identityTicketCommitments,
  ...identityLinkCommitments,
  ...ssoCommitments,
  ...auditActionCommitments,
  ...auditOrganizationCommitments,
  ...auditAccessCommitments,
  ...auditAccountCommitments,
  ...auditActorCommitments,
  ...auditStatementCommitments,
  ...auditCascadeCommitments,
  ...auditSignInCommitments,
  ...auditTrailCommitments,
  ...webhookEndpointCommitments,
  ...webhookQueueCommitments,
  ...webhookDeliveryCommitments,
  ...webhookResultCommitments,
  ...webhookFailureCommitments,
  ...webhookReplayCommitments,
  ...webhookSwitchCommitments,
  ...platformAccessCommitments,
  ...platformListCommitments,
  ...platformUserCommitments,
  ...platformOrganizationCommitments,
  ...impersonationCommitments,
];
