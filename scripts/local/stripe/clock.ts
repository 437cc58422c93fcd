import type { Account } from "./account.ts";
import { catchUp } from "./due.ts";
import { invalidRequest } from "./errors.ts";
import { newId } from "./ids.ts";
import { day, type TestClock } from "./objects.ts";

/** Freezes the account's clock: from now on it moves only when it is moved. */
export function freezeClock(account: Account, time: number, name: string | null): TestClock {
  const clock = {
    id: newId("clock_"),
    object: "test_helpers.test_clock",
    created: Math.floor(Date.now() / 1000),
    deletes_after: Math.floor(Date.now() / 1000) + 30 * day,
    frozen_time: time,
    livemode: false,
    name,
    status: "ready",
    status_details: {},
  } satisfies TestClock;
  account.state.testClocks.set(clock.id, clock);
  account.state.clock = { frozen: time, offset: 0, id: clock.id };
  account.emit("test_helpers.test_clock.created", clock);
  return clock;
}

/**
 * Moves the clock and does all that this makes due. One that was not frozen is from now on, and can begin in the past.
 *
 * @throws StripeError 400 for a time before the one at which it is frozen
 */
export function moveClock(account: Account, time: number): void {
  const { frozen } = account.state.clock;
  if (frozen !== null && time < frozen) throw invalidRequest("The clock only goes forward.", "frozen_time");
  if (frozen === null) freezeClock(account, Math.min(time, account.now()), null);
  account.state.clock.frozen = time;
  const clock = account.state.testClocks.get(account.state.clock.id ?? "");
  if (clock) clock.frozen_time = time;
  catchUp(account);
}

/** Moves it forward and lets it go on, as whoever develops would have it; one that is frozen stays frozen. */
export function skipTime(account: Account, time: number): void {
  if (account.state.clock.frozen !== null) return moveClock(account, Math.max(time, account.now()));
  account.state.clock.offset += Math.max(0, time - account.now());
  catchUp(account);
}
