import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, platformRoute } from "../openapi.ts";
import { listPlatformUsers, readPlatformUser, suspendUser, unsuspendUser } from "../services/platform-users.ts";
import { Instant, NewSuspension, Suspended, Suspension, tags, TermCursor } from "./platform.ts";

const collection = "/v1/platform/users";

const UserParams = z.object({
  userId: z.uuid().openapi({ param: { name: "userId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
});

const PlatformUser = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
    email: z.email().openapi({ example: "ada@example.com" }),
    emailVerified: z.boolean().openapi({ example: true }),
    name: z.string().openapi({ example: "Ada Lovelace" }),
    createdAt: Instant,
    ...Suspension,
  })
  .openapi("PlatformUser");

const WholePlatformUser = PlatformUser.extend({
  organizations: z
    .array(
      z.object({
        id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
        slug: z.string().openapi({ example: "acme" }),
        name: z.string().openapi({ example: "Acme" }),
        roles: z.array(z.string()).openapi({ example: ["owner"] }),
      }),
    )
    .openapi({ description: "Where the person is a member: the first 100, newest first." }),
}).openapi("WholePlatformUser");

const ListQuery = PageQuery.extend({
  email: z
    .string()
    .toLowerCase()
    .min(1)
    .max(200)
    .refine((text) => !text.includes("\0"), "must not have U+0000")
    .optional()
    .openapi({ description: "What the address begins with.", example: "ada@" }),
  suspended: Suspended,
  cursor: TermCursor,
});

const listRoute = platformRoute({
  method: "get",
  path: collection,
  tags,
  summary: "List all accounts",
  description: "In the order of their addresses.",
  request: { query: ListQuery },
  responses: { 200: json(pageOf(PlatformUser).openapi("PlatformUserPage"), "A page of accounts.") },
});

const readRoute = platformRoute({
  method: "get",
  path: `${collection}/{userId}`,
  tags,
  summary: "Read an account",
  request: { params: UserParams },
  responses: { 200: json(WholePlatformUser, "The account.") },
});

const suspendRoute = platformRoute({
  method: "post",
  path: `${collection}/{userId}/suspend`,
  tags,
  summary: "Suspend an account",
  description:
    "The person's sessions and their own API keys are refused from the next request on, and they cannot sign in. One that is suspended stays so, with the reason of before.",
  request: { params: UserParams, body: jsonRequest(NewSuspension) },
  responses: { 200: json(PlatformUser, "The account.") },
  fresh: true,
  errors: ["platform_admin"],
});

const unsuspendRoute = platformRoute({
  method: "post",
  path: `${collection}/{userId}/unsuspend`,
  tags,
  summary: "Take a suspension back",
  description: "The person can sign in again; the sessions of before have ended.",
  request: { params: UserParams },
  responses: { 200: json(PlatformUser, "The account.") },
  fresh: true,
});

export const platformUserRoutes = createRouter()
  .openapi(listRoute, async (c) => {
    const { email = "", ...input } = c.req.valid("query");
    return c.json(await listPlatformUsers(c.var.database, { ...input, startingWith: email }), 200);
  })
  .openapi(readRoute, async (c) => c.json(await readPlatformUser(c.var.database, c.req.valid("param").userId), 200))
  .openapi(suspendRoute, async (c) => {
    const { reason } = c.req.valid("json");
    return c.json(await suspendUser(c.var.database, c.req.valid("param").userId, reason), 200);
  })
  .openapi(unsuspendRoute, async (c) => c.json(await unsuspendUser(c.var.database, c.req.valid("param").userId), 200));
