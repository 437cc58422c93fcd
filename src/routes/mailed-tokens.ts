import { z } from "@hono/zod-openapi";

export const MailedToken = z
  .string()
  .regex(/^[\w-]{43}$/, "is not a token of ours")
  .openapi({ description: "From the link in the mail.", example: "pGZ1yb2N4mXq7cT0vH9sKdLwE3fRjUaB6nQzYiOxM8k" });
