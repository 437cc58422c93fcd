import { z } from "@hono/zod-openapi";

/** What the routes of the platform's administrators share. */
export const tags: [string] = ["Platform"];

export const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

/** Why something is done, in the words of whoever does it. */
export const Reason = z.string().trim().min(1).max(500).openapi({ example: "Ticket 4711" });

/** Of what can be suspended. */
export const Suspension = {
  suspendedAt: Instant.nullable().openapi({ description: "Null where it is not suspended.", example: null }),
  suspensionReason: z.string().nullable().openapi({ description: "For administrators alone.", example: null }),
};

export const NewSuspension = z
  .strictObject({ reason: Reason.openapi({ description: "For administrators alone." }) })
  .openapi("NewSuspension");

/** The filter of a list for the suspended ones alone. */
export const Suspended = z
  .enum(["true", "false"])
  .default("false")
  .transform((value) => value === "true")
  .openapi({ description: "Those that are suspended alone.", example: "true" });

/** Where a list goes on, after an address or a slug. */
export const TermCursor = z.string().max(1000).optional().openapi({
  description: "`nextCursor` of the page before.",
  example: "AZqw3o9sfMSeb28rfw8aAWFkYUBleGFtcGxlLmNvbQ",
});
