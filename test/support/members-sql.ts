/**
 * A statement that makes people members, whom another one names: `organization_id`, `user_id` and `role`, in this
 * order. Whoever is one already stays as they are; several rows for one person are several roles.
 */
export const insertMembers = (select: string) => `
  with added (organization_id, user_id, role) as (${select}),
  joined as (
    insert into memberships (organization_id, user_id, joined_by)
    select distinct organization_id, user_id, 'sso' from added on conflict do nothing returning organization_id, user_id)
  insert into membership_roles (organization_id, user_id, role)
  select organization_id, user_id, role from added join joined using (organization_id, user_id)
  returning organization_id`;
