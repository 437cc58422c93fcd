import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, personRoute } from "../openapi.ts";
import { readMe, updateMe } from "../services/users.ts";

/**
 * Canonical before it is checked: NFKC and lower case, so that look-alikes of one address are one account.
 * NFKC can lengthen it, hence the second limit.
 */
export const Email = z
  .string()
  .max(254)
  .normalize("NFKC")
  .trim()
  .toLowerCase()
  .pipe(z.email().max(254))
  .openapi({ type: "string", format: "email", maxLength: 254, example: "ada@example.com" });

export const PersonName = z.string().trim().min(1).max(100).openapi({ example: "Ada Lovelace" });

export const User = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
    email: z.email().openapi({ example: "ada@example.com" }),
    emailVerified: z.boolean().openapi({ example: true }),
    name: z.string().openapi({ example: "Ada Lovelace" }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    updatedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
  })
  .openapi("User");

const readMeRoute = personRoute({
  method: "get",
  path: "/v1/users/me",
  tags: ["Me"],
  summary: "Read my account",
  unverified: true,
  responses: { 200: json(User, "The signed-in person.") },
});

const updateMeRoute = personRoute({
  method: "patch",
  path: "/v1/users/me",
  tags: ["Me"],
  summary: "Update my account",
  request: { body: jsonRequest(z.strictObject({ name: PersonName }).openapi("UserUpdate")) },
  responses: { 200: json(User, "The account as it is now.") },
});

export const userRoutes = createRouter()
  .openapi(readMeRoute, async (c) => c.json(await readMe(c.var.database), 200))
  .openapi(updateMeRoute, async (c) => c.json(await updateMe(c.var.database, c.req.valid("json")), 200));
