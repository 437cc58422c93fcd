import { invalidRequest } from "../errors.ts";
import { isWithin, listPage } from "../listing.ts";
import { operation, type Operation } from "../operation.ts";
import { boolean, list, page, range, text } from "../params.ts";
import { isDelivered, matchesType, pendingWebhooks } from "../webhooks/deliveries.ts";

const maxTypes = 20;

export const eventOperations: Operation[] = [
  operation(
    "GET",
    "/v1/events",
    {
      ...page,
      created: range.optional(),
      delivery_success: boolean.optional(),
      type: text.optional(),
      types: list(text).optional(),
    },
    ({ account }, { created, delivery_success, type, types, ...cursor }) => {
      if (type !== undefined && types) throw invalidRequest("You may pass either `type` or `types`, not both.", "type");
      if (types && types.length > maxTypes) throw invalidRequest(`At most ${maxTypes} types.`, "types");
      const wanted = types ?? (type === undefined ? ["*"] : [type]);
      const events = [...account.state.events.values()].filter(
        (event) =>
          isWithin(event.created, created) &&
          wanted.some((pattern) => matchesType(event.type, pattern)) &&
          (delivery_success === undefined || isDelivered(account, event) === delivery_success),
      );
      const { data, ...rest } = listPage(events, "/v1/events", cursor);
      return { ...rest, data: data.map((event) => ({ ...event, pending_webhooks: pendingWebhooks(account, event) })) };
    },
  ),
  operation("GET", "/v1/events/:id", {}, ({ account, id }) => {
    const event = account.find("events", "event", id);
    return { ...event, pending_webhooks: pendingWebhooks(account, event) };
  }),
];
