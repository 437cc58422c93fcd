import { newId } from "../ids.ts";
import type { PortalSession } from "../objects.ts";
import { operation, type Operation } from "../operation.ts";
import { text, url } from "../params.ts";

export const portalSessionOperations: Operation[] = [
  operation(
    "POST",
    "/v1/billing_portal/sessions",
    { customer: text, return_url: url.optional(), locale: text.optional() },
    ({ account }, params) => {
      const customer = account.find("customers", "customer", params.customer, "customer");
      const id = newId("bps_");
      const session = {
        id,
        object: "billing_portal.session",
        configuration: "bpc_model",
        created: account.now(),
        customer: customer.id,
        customer_account: null,
        flow: null,
        livemode: false,
        locale: params.locale ?? null,
        on_behalf_of: null,
        return_url: params.return_url ?? null,
        url: `${account.origin}/p/session/${id}`,
      } satisfies PortalSession;
      account.state.portalSessions.set(id, session);
      return session;
    },
  ),
];
