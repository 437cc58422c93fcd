/**
 * Mutants that neither a commitment, nor the matrix, nor the guard without its fingerprint notices: name and
 * reason. The test fails for one that is not here, and for one here that is noticed after all.
 */
const sameUnlessTwoAtOnce = "differs only when two transactions meet, and then only in which of them waits";
const failsClosed =
  "the seal is bound to its transaction, so a setting that outlives it is refused; see forgery.test.ts";
const sealedBefore = "what is called before it in the same transaction, app.org_id() as a rule, has verified the seal";
const sealedBeside = "app.user_id(), which is called beside it, has verified the seal";
const forTheIndex = "what is found is looked at by its own ids again; this is for the index";
const sparesWork = "changes nothing where there is nothing to do; this spares the work";
const asksAgain = "app_private.is_open, which is asked as well, wants it pending; this is for the index";
const noPeriod = "without a plan that has it there is neither a period nor a time that is within it";
const refusedAnyway = "what is refused stays so, whatever else is known of it";

export const unnoticed: Record<string, string> = {
  "schema app: revoke CREATE from app_definer": "needed while rls-policies.sql runs, which grants it itself",
  "schema app_private: revoke CREATE from app_definer": "needed while rls-policies.sql runs, which grants it itself",
  "app_private.set_context(text,text,text,uuid,boolean): false instead of true": failsClosed,
  "app_private.set_context(text,text,text,uuid,boolean): false instead of true (2)": failsClosed,
  "app_private.purge(regclass,text,integer): nothing instead of for update skip locked": sameUnlessTwoAtOnce,
  "app_private.purge(regclass,text,integer): nothing instead of skip locked": sameUnlessTwoAtOnce,
  "app_private.keep_slug(): if true instead of tg_op = 'UPDATE'":
    "what a new organization had before is null: this spares it",
  "app.admit_key(bytea,uuid,text,boolean,boolean,text,text,text): nothing instead of for no key update skip locked":
    sameUnlessTwoAtOnce,
  "app.admit_key(bytea,uuid,text,boolean,boolean,text,text,text): nothing instead of skip locked": sameUnlessTwoAtOnce,
  "app.admit_key(bytea,uuid,text,boolean,boolean,text,text,text): false instead of true":
    "the setting is its transaction's, however it is set",
  "app.claim_idempotency_key(bytea,text,bytea): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.member_id() (2)":
    sealedBefore,
  "app_private.acting_permissions(uuid): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.member_id()":
    sealedBefore,
  "app_private.api_key_id(): pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|') instead of app_private.context()":
    sealedBefore,
  "app_private.in_person(): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.member_id()":
    sealedBefore,
  "app.sign_in(text,text,uuid,bytea,interval,text,text,integer,text,text,interval,bytea,bytea,bytea,uuid,bytea): without and u.password_verifier = v_user.password_verifier":
    sameUnlessTwoAtOnce,
  "app_private.index_members(): without perform from public.users u where u.id in (select a.user_id from added a) order by u.id...":
    sameUnlessTwoAtOnce,
  "app.advance_subscriptions(integer): nothing instead of for no key update skip locked": sameUnlessTwoAtOnce,
  "app.advance_subscriptions(integer): nothing instead of skip locked": sameUnlessTwoAtOnce,
  "app.pay_invoice(uuid,text): nothing instead of for no key update": sameUnlessTwoAtOnce,
  "app_private.hold_subscription(): nothing instead of for no key update": sameUnlessTwoAtOnce,
  "app.change_subscription(uuid): without and s.id = v_subscription.id (4)": "for what has ended nothing is to come",
  "app_private.entitled_plan(uuid): without and s.ended_at is null":
    "its status says so as well; this is for the index",
  "app_private.end_subscription(subscriptions,timestamp with time zone): without and n.status = 'open'":
    "none of it is paid there, and what is void stays void",
  "app_private.index_person(): without perform from public.memberships m where m.user_id = new.id order by m.organization_id f...":
    sameUnlessTwoAtOnce,
  "app.purge_expired(): without and attempts = 0": "those that were counted were forgotten after 24 hours",
  "app.verify_domain(bytea,uuid): without and c.organization_id = v_organization_id (2)":
    "it was found in the organization before, and its id is unique",
  "app_private.index_person(): without and t.organization_id = m.organization_id":
    "the person's are all meant; this is for the index",
  "app_private.plans_json(uuid[]): where true instead of plan_id = any (p_ids)": forTheIndex,
  "app_private.plans_json(uuid[]): where true instead of h.plan_id = any (p_ids)": forTheIndex,
  "public.teams: grant SELECT": "grants what each of its columns is granted already",
  "public.organization_domains: grant SELECT": "grants what each of its columns is granted already",
  "app_private.find_enrollment(users): without and b.organization_id = d.organization_id":
    "the organization is in the hash as well; this is for the index",
  "app_private.mail_invitation(uuid,text,uuid,bytea): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.member_id()":
    sealedBefore,
  "app_private.take_invitation_mail(text): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.member_id()":
    sealedBefore,
  "app.delete_role(uuid,text): without and v_role.key = any (i.roles)":
    "array_replace changes nothing where the role is not among them",
  "app.my_invitations(uuid,integer): without and i.status = 'pending'": asksAgain,
  "app_private.hold_invitation(bytea,text,uuid): without and i.status = 'pending'": asksAgain,
  "app_private.add_member(uuid,uuid,text[],text,uuid): without and v_member_limit is not null":
    "spares a count: none is at least null",
  "app_private.add_member(uuid,uuid,text[],text,uuid): if false instead of not found": sameUnlessTwoAtOnce,
  "app_private.add_member(uuid,uuid,text[],text,uuid): without return false (2)": sameUnlessTwoAtOnce,
  "app_private.add_member(uuid,uuid,text[],text,uuid): nothing instead of for no key update": sameUnlessTwoAtOnce,
  "app_private.hold_invitation(bytea,text,uuid): nothing instead of for no key update (2)": sameUnlessTwoAtOnce,
  "app_private.hold_invitation(bytea,text,uuid): without and i.id = v_found.id": "the hash of its key is unique",
  "app_private.hold_invitation(bytea,text,uuid): without and i.organization_id = v_found.organization_id":
    "the hash of its key is unique",
  "app_private.hold_invitation(bytea,text,uuid): without and i.key_hash = v_found.key_hash": sameUnlessTwoAtOnce,
  "app_private.invitation_below(uuid,text[]): nothing instead of for no key update":
    "its callers hold the organization, and whoever changes an invitation does",
  "app.sign_up_invited(bytea,uuid,text,text,integer,text,text): if false instead of v_invitation.id is null":
    sameUnlessTwoAtOnce,
  "app.sign_up_invited(bytea,uuid,text,text,integer,text,text): without raise exception 'no such invitation' using errcode = 'APTOK' (2)":
    sameUnlessTwoAtOnce,
  "app.my_ownership_transfers(integer): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.user_id()":
    sealedBeside,
  "app.my_ownership_transfers(integer): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.user_id() (2)":
    sealedBeside,
  "app.offer_ownership(uuid,uuid,uuid,bytea): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.user_id()":
    sealedBefore,
  "app_private.hold_offer(): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.user_id()":
    sealedBefore,
  "app_private.mail_about_ownership(uuid,text,uuid,bytea): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.user_id()":
    sealedBefore,
  "public.ownership_transfers: grant UPDATE (from_role)": "Postgres refuses every update of a generated column",
  "app_private.refuse_known_id(): security invoker":
    "whoever adds an organization or a person is app_definer, or reads past row security",
  "app_private.audit_rows(): without or v_one is null": sparesWork,
  "app_private.audit_rows(): if true instead of v_events <> '{}'": sparesWork,
  "app_private.gone_by_themselves(text,jsonb[]): without and t.id = any (array(select distinct (r ->> 'team_id')::uuid from pg_catalog.unnest(p_rows...":
    forTheIndex,
  "app_private.gone_by_themselves(text,jsonb[]): where true instead of c.id = any (array(select distinct (g ->> 'connection_id')::uuid from pg_catalog.unnest(...":
    forTheIndex,
  "app_private.gone_by_themselves(text,jsonb[]): where true instead of u.id = any (array(select distinct (g ->> 'user_id')::uuid from pg_catalog.unnest(p_rows...":
    forTheIndex,
  "app_private.record_events(app_private.event[]): [4] instead of [3]":
    "there are permissions in a context wherever there is an organization",
  "app_private.record_events(app_private.event[]): without and e.disabled_at is null": sparesWork,
  "app_private.record_events(app_private.event[]): without and e.organization_id = any (array(select distinct w.organization_id from pg_catalog.unnest...":
    sparesWork,
  "app_private.record_events(app_private.event[]): where true instead of e.disabled_at is null and e.organization_id = any (array(select distinct w.organization...":
    sparesWork,
  "app_private.record_events(app_private.event[]): if true instead of exists (select from public.webhook_endpoints e where e.disabled_at is null and e.organi...":
    sparesWork,
  "app.claim_webhooks(bytea,integer,uuid): without and m.status = 'pending'": forTheIndex,
  "app.claim_webhooks(bytea,integer,uuid): without and m.status = 'pending' (2)": forTheIndex,
  "app.claim_webhooks(bytea,integer,uuid): without and m.status = 'pending' (4)": sameUnlessTwoAtOnce,
  "app.claim_webhooks(bytea,integer,uuid): without and (m.leased_until > pg_catalog.now()) is not true (2)":
    sameUnlessTwoAtOnce,
  "app.claim_webhooks(bytea,integer,uuid): nothing instead of for update of m skip locked": sameUnlessTwoAtOnce,
  "app.claim_webhooks(bytea,integer,uuid): nothing instead of skip locked": sameUnlessTwoAtOnce,
  "app.settle_webhook(bytea,uuid,uuid,integer,integer,text,integer,integer): nothing instead of for update (2)":
    sameUnlessTwoAtOnce,
  "app_private.switch_webhooks(): without perform from public.webhook_endpoints w where w.organization_id = new.organization_id a...":
    sameUnlessTwoAtOnce,
  "app_private.switch_webhooks(): nothing instead of for update": sameUnlessTwoAtOnce,
  "app.refresh_session(bytea,integer,interval): nothing instead of for update of s": sameUnlessTwoAtOnce,
  "app_private.prove_password(bytea,text): (pg_catalog.string_to_array(pg_catalog.current_setting('app.context', true), '|'))[1]::... instead of app.user_id()":
    sealedBefore,
  "app.admit_platform_admin(bytea,boolean,text,text): app_private.context() instead of app_private.session_context()":
    "app.admit, which comes before it, has let in a session",
  "app_private.switch_webhooks(): without and m.settled_at is null": sameUnlessTwoAtOnce,
  "app_private.bury_webhooks(uuid,uuid): without and m.settled_at is null": sameUnlessTwoAtOnce,
  "app_private.bury_webhooks(uuid,uuid): nothing instead of limit 2000":
    "the limit around it is the same; this spares reading on",
  "app_private.follow_seats(): security invoker":
    "whoever adds or removes members is app_definer, or reads past row security",
  "app.due_stripe_customers(bytea,integer): nothing instead of for no key update skip locked": sameUnlessTwoAtOnce,
  "app.due_stripe_customers(bytea,integer): nothing instead of skip locked": sameUnlessTwoAtOnce,
  "app_private.write_stripe_subscriptions(uuid,app_private.stripe_subscription[]): without and c.checkout_price_id is not null":
    sparesWork,
  "app.usage_windows(text,timestamp with time zone,timestamp with time zone,text,jsonb,text): if false instead of p_to - v_from > v_step * 1100":
    sparesWork,
  "app.usage_windows(text,timestamp with time zone,timestamp with time zone,text,jsonb,text): without raise exception 'too many windows' using errcode = 'APWIN'":
    sparesWork,
  "app_private.correct_usage(uuid,jsonb,text,jsonb): where true instead of e.meter = any (v_held)": sameUnlessTwoAtOnce,
  "app_private.recorded_digests(uuid,app_private.usage_item[]): on true instead of true": "it is as it was",
  "app_private.recount_usage(uuid,usage_events[]): nothing instead of limit 1":
    "its key is unique; this is for the index",
  "app_private.recount_usage(uuid,usage_events[]): without and r.size = 'day'":
    "of the two that begin at midnight the index has the day's first",
  "app.record_usage(jsonb,jsonb): if true instead of exists (select from pg_catalog.unnest(v_items) i where i.aggregation = 'last')":
    sparesWork,
  "app.record_usage(jsonb,jsonb): if true instead of exists (select from pg_catalog.unnest(v_items) i where i.aggregation = 'unique')":
    sparesWork,
  "app.record_usage(jsonb,jsonb): where true instead of i.aggregation = 'last'": sparesWork,
  "app.record_usage(jsonb,jsonb): where true instead of i.aggregation = 'unique'": sparesWork,
  "app.record_usage(jsonb,jsonb): if false instead of (select pg_catalog.count(*) from pg_catalog.unnest(v_items) i where i.refusal is null) ...":
    sparesWork,
  "app.record_usage(jsonb,jsonb): where true instead of i.refusal is null": sparesWork,
  "app_private.begin_counters(uuid,app_private.usage_item[]): where true instead of not exists (select from public.usage_counters c where c.organization_id = p_organizatio...":
    sparesWork,
  "app_private.count_unique(uuid,app_private.usage_item[],text[]): without and i.aggregation = 'unique'": sparesWork,
  "app_private.recorded_digests(uuid,app_private.usage_item[]): nothing instead of limit 1":
    "its name is unique; this is for the index",
  "app_private.usage_items(uuid,jsonb): without and f.key = any (array(select t.type from pg_catalog.jsonb_to_recordset(p_events) t (type t...":
    forTheIndex,
  "app_private.usage_items(uuid,jsonb): on true instead of h.plan_id is not null": noPeriod,
  "app_private.usage_items(uuid,jsonb): on true instead of f.plan_id is not null": noPeriod,
  "app_private.judge_items(uuid,app_private.usage_item[],bytea[],boolean[]): without and k.aggregation = 'unique'":
    "what takes the greatest or the last is judged by its value alone",
  "app_private.judge_items(uuid,app_private.usage_item[],bytea[],boolean[]): without and n.is_new": sparesWork,
  "app_private.judge_items(uuid,app_private.usage_item[],bytea[],boolean[]): without and n.limit is not null":
    sparesWork,
  "app_private.judge_items(uuid,app_private.usage_item[],bytea[],boolean[]): where true instead of n.is_new and n.limit is not null":
    sparesWork,
  "app_private.judge_items(uuid,app_private.usage_item[],bytea[],boolean[]): without and s.is_new":
    "what is not new is judged as the first of its name, and what was recorded before that",
  "app_private.judge_usage(uuid,app_private.usage_item[]): if true instead of exists (select from pg_catalog.unnest(p_items) i where i.aggregation = 'unique')":
    sparesWork,
  "app_private.judge_usage(uuid,app_private.usage_item[]): where true instead of i.aggregation = 'unique'": sparesWork,
  "app_private.known_values(uuid,app_private.usage_item[]): without and i.refusal is null": refusedAnyway,
  "app_private.usage_json(uuid,text[]): without and h.kind = 'metered'":
    "nothing but what is metered is ever counted anew",
  "app.usage_windows(text,timestamp with time zone,timestamp with time zone,text,jsonb,text): on true instead of true":
    "it is as it was",
  "app.usage_windows(text,timestamp with time zone,timestamp with time zone,text,jsonb,text): nothing instead of limit 10001":
    "more than 10,000 are refused anyhow; this spares reading on",
};
