import type { Account } from "./account.ts";
import { expireSession } from "./checkout.ts";
import { hour, type Invoice, type Subscription } from "./objects.ts";
import { attemptPayment, finalizeInvoice, voidInvoice } from "./payments.ts";
import { turnPhase } from "./phases.ts";
import { turnPeriod } from "./renewing.ts";
import { isEnded } from "./standing.ts";
import { noticeTrialEnd, trialNoticeTime } from "./subscribing.ts";
import { periodOf } from "./subscription-items.ts";

interface Due {
  at: number;
  act: () => void;
}

const incompleteSeconds = 23 * hour;

/** Does all that time has brought about since the last look, each as of when it was due, the oldest first. */
export function catchUp(account: Account): void {
  const until = account.clockTime();
  for (;;) {
    const next = nextDue(account);
    if (!next || next.at > until) return;
    account.doAt(next.at, next.act);
  }
}

/** The earliest; of several at once the first, so that a phase begins before the renewal that bills it. */
function nextDue(account: Account): Due | undefined {
  let next: Due | undefined;
  for (const due of allDue(account)) if (!next || due.at < next.at) next = due;
  return next;
}

function* allDue(account: Account): Generator<Due> {
  const { schedules, subscriptions, invoices, checkoutSessions } = account.state;
  for (const schedule of schedules.values()) {
    const { status, current_phase } = schedule;
    if (status === "active" && current_phase) {
      yield { at: current_phase.end_date, act: () => turnPhase(account, schedule) };
    }
  }
  for (const subscription of subscriptions.values()) {
    if (!isEnded(subscription)) yield* dueOfSubscription(account, subscription);
  }
  for (const invoice of invoices.values()) yield* dueOfInvoice(account, invoice);
  for (const session of checkoutSessions.values()) {
    if (session.status === "open") yield { at: session.expires_at, act: () => expireSession(account, session) };
  }
}

function* dueOfSubscription(account: Account, subscription: Subscription): Generator<Due> {
  const latest = account.state.invoices.get(subscription.latest_invoice ?? "");
  if (subscription.status === "incomplete") {
    if (latest?.status === "open") {
      yield { at: subscription.created + incompleteSeconds, act: () => voidInvoice(account, latest) };
    }
    return;
  }
  if (subscription.status === "paused") {
    // The invoice of a resumption, for which nobody has paid in time.
    if (latest?.status === "open") {
      yield { at: latest.created + incompleteSeconds, act: () => voidInvoice(account, latest) };
    }
    return;
  }
  if (subscription.status === "trialing" && !account.state.trialNotices.has(subscription.id)) {
    yield { at: trialNoticeTime(subscription), act: () => noticeTrialEnd(account, subscription) };
  }
  const change = account.state.pendingChanges.get(subscription.id);
  const invoice = account.state.invoices.get(change?.invoice ?? "");
  if (subscription.pending_update && invoice?.status === "open") {
    yield { at: subscription.pending_update.expires_at, act: () => voidInvoice(account, invoice) };
  }
  const { cancel_at, cancel_at_period_end } = subscription;
  const { end } = periodOf(subscription);
  // The end of its period may have moved since it was to end with it.
  yield {
    at: cancel_at_period_end ? end : Math.min(end, cancel_at ?? Infinity),
    act: () => turnPeriod(account, subscription),
  };
}

function* dueOfInvoice(account: Account, invoice: Invoice): Generator<Due> {
  if (invoice.status === "draft" && invoice.automatically_finalizes_at !== null) {
    const act = () => {
      finalizeInvoice(account, invoice);
      attemptPayment(account, invoice);
    };
    yield { at: invoice.automatically_finalizes_at, act };
  }
  if (invoice.status === "open" && invoice.next_payment_attempt !== null) {
    yield { at: invoice.next_payment_attempt, act: () => void attemptPayment(account, invoice) };
  }
}
