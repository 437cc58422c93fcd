import { asOwner } from "./database.ts";

/** An event of either trail, as it is stored. */
export interface StoredEvent {
  organization_id?: string;
  user_id?: string;
  action: string;
  actor_type: string;
  actor_id: string | null;
  subject_type: string;
  subject_id: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  impersonator_id: string | null;
  request_id: string | null;
  ip_address: string | null;
}

/** What the trails tell of a request, oldest first. */
export async function eventsOf(requestId: string | null): Promise<StoredEvent[]> {
  const [rows = []] = await asOwner([
    `select to_jsonb(e) as event from audit_events e where request_id = $1
     union all select to_jsonb(e) from user_audit_events e where request_id = $1 order by 1`,
    [requestId],
  ]);
  return rows
    .map(({ event }) => event)
    .toSorted((one: { id: string }, other: { id: string }) => (one.id < other.id ? -1 : 1));
}

/** Events that nothing has caused, of an organization's trail, in the order of their times. */
export async function giveEvents(
  organizationId: string,
  count: number,
  start = "2026-01-01T00:00:00.000Z",
): Promise<string[]> {
  const [rows = []] = await asOwner([
    `insert into audit_events (organization_id, id, action, actor_type, subject_type, subject_id)
     select $1, (lpad(to_hex((extract(epoch from $3::timestamptz) * 1000)::bigint + n), 12, '0') || '7000' || '8' || substr(md5(random()::text), 1, 15))::uuid,
            'team.created', 'system', 'team', gen_random_uuid()
       from generate_series(0, $2::int - 1) n returning id`,
    [organizationId, count, start],
  ]);
  return rows.map(({ id }) => String(id)).toSorted();
}
