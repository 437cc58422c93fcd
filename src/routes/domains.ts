import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import {
  createDomain,
  deleteDomain,
  enrollments,
  listDomains,
  readDomain,
  updateDomain,
  verifyOwnDomain,
} from "../services/domains.ts";
import { JoiningRoles } from "./members.ts";
import { OrganizationParams } from "./organizations.ts";
import { DomainName, TxtRecord } from "./sso-connections.ts";

const collection = "/v1/organizations/{organizationId}/domains";

const DomainParams = OrganizationParams.extend({
  domainId: z
    .uuid()
    .openapi({ param: { name: "domainId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0c" }),
});

const Enrollment = z.enum(enrollments).openapi({
  description:
    "What becomes of those with a verified address of the domain: nothing; `suggest`: they are told that they may join; `auto_join`: that too, and whoever verifies such an address joins in that moment.",
  example: "suggest",
});

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

export const Domain = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0c" }),
    domain: z.string().openapi({ example: "acme.example" }),
    txtRecord: TxtRecord,
    verifiedAt: Instant.nullable().openapi({ description: "Until then nobody joins by it." }),
    enrollment: Enrollment,
    roles: JoiningRoles.openapi({ description: "Of those who join by it." }),
    enrollmentSetBy: z.uuid().nullable().openapi({
      description:
        "Who set the enrollment last, and answers for its roles; null before, and when their account is gone.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02",
    }),
    createdAt: Instant,
    updatedAt: Instant,
  })
  .openapi("Domain");

const DomainCreate = z.strictObject({ domain: DomainName }).openapi("DomainCreate");

const DomainUpdate = z
  .strictObject({ enrollment: Enrollment.optional(), roles: JoiningRoles.optional() })
  .refine((body) => Object.values(body).some((value) => value !== undefined), "must have something to change")
  .openapi("DomainUpdate", { minProperties: 1 });

const createRoute = tenantRoute("domains:write", {
  method: "post",
  path: collection,
  tags: ["Domains"],
  summary: "Add a domain",
  description:
    "One of the company's own e-mail domains, 20 at most. Add the TXT record to its DNS, then POST …/verify; whether another organization has verified it is told then alone.",
  request: { params: OrganizationParams, body: jsonRequest(DomainCreate) },
  responses: { 201: json(Domain, "The new domain.") },
  errors: ["domain_taken", "domain_limit"],
  creates: true,
});

const listRoute = tenantRoute("domains:read", {
  method: "get",
  path: collection,
  tags: ["Domains"],
  summary: "List the domains",
  description: "Newest first.",
  request: { params: OrganizationParams, query: PageQuery },
  responses: { 200: json(pageOf(Domain).openapi("DomainPage"), "A page of domains.") },
});

const readRoute = tenantRoute("domains:read", {
  method: "get",
  path: `${collection}/{domainId}`,
  tags: ["Domains"],
  summary: "Read a domain",
  request: { params: DomainParams },
  responses: { 200: json(Domain, "The domain.") },
});

const updateRoute = tenantRoute("domains:write", {
  method: "patch",
  path: `${collection}/{domainId}`,
  tags: ["Domains"],
  summary: "Change what becomes of a domain's people",
  description:
    "With roles that the caller could give, but the owner's. It holds while the caller could set it: when they leave or step down, nobody joins until it is set again. Who has joined stays a member.",
  request: { params: DomainParams, body: jsonRequest(DomainUpdate) },
  responses: { 200: json(Domain, "The domain as it is now.") },
  errors: ["role_above_own", "unknown_role", "owner_role_refused"],
});

const deleteRoute = tenantRoute("domains:write", {
  method: "delete",
  path: `${collection}/{domainId}`,
  tags: ["Domains"],
  summary: "Delete a domain",
  description: "Nobody joins by it any more, and others can verify it. Who has joined stays a member.",
  request: { params: DomainParams },
  responses: { 204: { description: "Deleted." } },
});

const verifyRoute = tenantRoute("domains:write", {
  method: "post",
  path: `${collection}/{domainId}/verify`,
  tags: ["Domains"],
  summary: "Verify a domain",
  description: "Looks for its TXT record, once: it stays verified. One organization has a domain verified.",
  request: { params: DomainParams },
  responses: { 200: json(Domain, "The domain, which is verified.") },
  errors: ["domain_taken", "domain_unverified"],
});

export const domainRoutes = createRouter()
  .openapi(createRoute, async (c) => c.json(await createDomain(c.var.database, c.req.valid("json").domain), 201))
  .openapi(listRoute, async (c) => c.json(await listDomains(c.var.database, c.req.valid("query")), 200))
  .openapi(readRoute, async (c) => c.json(await readDomain(c.var.database, c.req.valid("param").domainId), 200))
  .openapi(updateRoute, async (c) => {
    const { domainId } = c.req.valid("param");
    return c.json(await updateDomain(c.var.database, domainId, c.req.valid("json")), 200);
  })
  .openapi(deleteRoute, async (c) => {
    await deleteDomain(c.var.database, c.req.valid("param").domainId);
    return c.body(null, 204);
  })
  .openapi(verifyRoute, async (c) =>
    c.json(await verifyOwnDomain(c.var.database, c.var.settings, c.req.valid("param").domainId), 200),
  );
