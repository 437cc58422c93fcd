import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readClientAddress, toNetwork } from "../src/middleware/client-address.ts";
import { SlidingLog, WINDOW_MS } from "../src/middleware/rate-limit/sliding-log.ts";

const seed = { seed: 20_260_101, numRuns: 500 };

/** Requests by the milliseconds between them: bursts, trickles, and whole windows of silence. */
const gaps = fc.array(
  fc.oneof(fc.constant(0), fc.nat({ max: 50 }), fc.nat({ max: 5_000 }), fc.nat({ max: 2 * WINDOW_MS })),
  { maxLength: 200 },
);
const limits = fc.integer({ min: 1, max: 12 });

const timesOf = (between: number[]) => {
  let now = 1_800_000_000_000;
  return between.map((gap) => (now += gap));
};

const logOf = (times: number[], limit: number) => {
  const log = new SlidingLog();
  for (const time of times) log.check(limit, time);
  return log;
};

describe("SlidingLog", () => {
  it("accepts at most the limit in every 60 seconds, and refuses only when that many were accepted", () => {
    fc.assert(
      fc.property(gaps, limits, (between, limit) => {
        const log = new SlidingLog();
        const accepted: number[] = [];
        for (const now of timesOf(between)) {
          const recent = accepted.filter((time) => time > now - WINDOW_MS).length;
          const decision = log.check(limit, now);
          expect(decision.accepted).toBe(recent < limit);
          if (decision.accepted) accepted.push(now);
          expect(decision.remaining).toBe(limit - Math.min(limit, recent + 1));
        }
        for (const [i, first] of accepted.entries()) {
          expect((accepted[i + limit] ?? Infinity) - first).toBeGreaterThanOrEqual(WINDOW_MS);
        }
      }),
      seed,
    );
  });

  it("keeps to each call's own limit when limits change", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 20_000 }), limits), { maxLength: 100 }), (calls) => {
        const log = new SlidingLog();
        const accepted: number[] = [];
        const times = timesOf(calls.map(([gap]) => gap));
        for (const [i, [, limit]] of calls.entries()) {
          const now = times[i] ?? 0;
          const recent = accepted.filter((time) => time > now - WINDOW_MS).length;
          const decision = log.check(limit, now);
          expect(decision.accepted).toBe(recent < limit);
          expect(decision.remaining).toBeGreaterThanOrEqual(0);
          if (decision.accepted) accepted.push(now);
        }
      }),
      seed,
    );
  });

  it("accepts whoever waits as long as it says, and nobody a millisecond earlier", () => {
    fc.assert(
      fc.property(gaps, limits, limits, (between, limit, later) => {
        const times = timesOf(between);
        const now = (times.at(-1) ?? 0) + 1;
        const refusal = logOf(times, limit).check(later, now);
        fc.pre(!refusal.accepted);
        expect(refusal.resetMs).toBeGreaterThan(0);
        expect(refusal.resetMs).toBeLessThanOrEqual(WINDOW_MS);
        expect(logOf(times, limit).check(later, now + refusal.resetMs).accepted).toBe(true);
        expect(logOf(times, limit).check(later, now + refusal.resetMs - 1).accepted).toBe(false);
      }),
      seed,
    );
  });

  it("forgets refused requests, so that a flood does not lengthen the wait", () => {
    const log = new SlidingLog();
    for (let i = 0; i < 100_000; i++) log.check(3, 1_000 + Math.floor(i / 100));
    expect(log.check(3, 1_000 + WINDOW_MS - 1).accepted).toBe(false);
    expect(log.check(3, 1_000 + WINDOW_MS)).toEqual({ accepted: true, remaining: 2, resetMs: WINDOW_MS });
  });
});

describe("a client's address", () => {
  const networkOf = (header: string | undefined) => toNetwork(readClientAddress(header) ?? "unknown");
  const groups = fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 0xffff })), { minLength: 8, maxLength: 8 });

  /** One of the many ways to write an IPv6 address: zeros before, upper case, `::`, the end as IPv4. */
  const spell = (
    address: number[],
    [padded, upper, dotted, at, length]: [boolean, boolean, boolean, number, number],
  ) => {
    const write = (group: number) => group.toString(16).padStart(padded ? 4 : 1, "0");
    const [high = 0, low = 0] = address.slice(6);
    const end = [high >> 8, high & 255, low >> 8, low & 255].join(".");
    const parts = dotted ? [...address.slice(0, 6).map(write), end] : address.map(write);
    const zeros = address.slice(at, at + length);
    const canOmit = length > 0 && zeros.every((group) => group === 0) && at + length <= (dotted ? 6 : 8);
    const text = canOmit ? `${parts.slice(0, at).join(":")}::${parts.slice(at + length).join(":")}` : parts.join(":");
    return upper ? text.toUpperCase() : text;
  };
  const styles = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.nat({ max: 7 }), fc.nat({ max: 8 }));

  it("is in the same network in all of its spellings, and alone with its /64", () => {
    fc.assert(
      fc.property(groups, styles, groups, (address, style, other) => {
        fc.pre(address.slice(0, 5).some((group) => group !== 0));
        const prefix = address.slice(0, 4).map((group) => group.toString(16));
        expect(networkOf(spell(address, style))).toBe(`${prefix.join(":")}::/64`);
        expect(networkOf(spell([...address.slice(0, 4), ...other.slice(4)], style))).toBe(`${prefix.join(":")}::/64`);
      }),
      seed,
    );
  });

  it("is its IPv4 address when IPv6 only carries one", () => {
    fc.assert(
      fc.property(fc.ipV4(), styles, (ip, style) => {
        const [a = 0, b = 0, c = 0, d = 0] = ip.split(".").map(Number);
        const address = [0, 0, 0, 0, 0, 0xffff, a * 256 + b, c * 256 + d];
        expect(networkOf(ip)).toBe(ip);
        expect(networkOf(spell(address, style))).toBe(ip);
      }),
      seed,
    );
  });

  it.each([undefined, "", "unknown host", "1.2.3.4, 5.6.7.8", "<script>", "1".repeat(46), "fe80::1%eth0", "::1\n"])(
    "is unknown when Cloudflare could not have written it: %s",
    (header) => expect(networkOf(header)).toBe("unknown"),
  );

  it("has a network, whatever it is", () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from("0123456789abcdefF:.")) });
    fc.assert(
      fc.property(text, (header) => {
        expect(networkOf(header)).toMatch(/./);
      }),
      seed,
    );
  });
});
