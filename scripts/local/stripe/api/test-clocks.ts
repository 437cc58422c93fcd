import { freezeClock, moveClock } from "../clock.ts";
import { invalidRequest } from "../errors.ts";
import { listPage } from "../listing.ts";
import { operation, type Operation } from "../operation.ts";
import { page, text, timestamp } from "../params.ts";

/**
 * At Stripe each clock has customers of its own. Here an account has one, which is everything's: what was made before
 * it, and without naming it, goes by it too.
 */
export const testClockOperations: Operation[] = [
  operation(
    "POST",
    "/v1/test_helpers/test_clocks",
    { frozen_time: timestamp, name: text.max(300).optional() },
    ({ account }, { frozen_time, name }) => {
      if (account.state.clock.frozen !== null) {
        throw invalidRequest("In this model an account has one test clock, and this one has it already.");
      }
      return freezeClock(account, frozen_time, name ?? null);
    },
  ),
  operation("GET", "/v1/test_helpers/test_clocks", page, ({ account }, cursor) =>
    listPage(account.state.testClocks.values(), "/v1/test_helpers/test_clocks", cursor),
  ),
  operation("GET", "/v1/test_helpers/test_clocks/:id", {}, ({ account, id }) =>
    account.find("testClocks", "test clock", id),
  ),
  operation(
    "POST",
    "/v1/test_helpers/test_clocks/:id/advance",
    { frozen_time: timestamp },
    ({ account, id }, { frozen_time }) => {
      const clock = account.find("testClocks", "test clock", id);
      const before = structuredClone(clock);
      moveClock(account, frozen_time);
      account.emit("test_helpers.test_clock.ready", clock);
      // The answer is of when the work begins, as at Stripe; here it is done by the time that anybody reads it.
      const advancing = { advancing: { target_frozen_time: frozen_time } };
      return { ...before, status: "advancing", status_details: advancing };
    },
  ),
];
