import { type Admission, admitStatement, readHandle } from "./admission.ts";
import { asOwner, asWorker } from "./database.ts";
import { createOrganization, openService, type Person, signUpPerson } from "./service.ts";

/** A person with an organization of their own, and what the database calls them. */
export interface Tenant {
  owner: Person;
  organizationId: string;
  slug: string;
  admission: Admission;
  /** app.context as app.admit writes it. */
  context: string;
  /** The ids of all rows that are theirs. */
  values: string[];
}

export async function newTenant(): Promise<Tenant> {
  const service = openService();
  const owner = await signUpPerson(service);
  const { id, slug } = await createOrganization(service, owner);
  const admission = { handle: await readHandle(owner.token), organizationId: id, permission: "organization:read" };
  const [, context] = await asWorker(admitStatement(admission), ["select current_setting('app.context') as text"]);
  const [sessions] = await asOwner(["select id from sessions where user_id = $1", [owner.id]]);
  return {
    owner,
    organizationId: id,
    slug,
    admission,
    context: context?.[0]?.["text"],
    values: [owner.id, id, ...(sessions ?? []).map((session) => String(session["id"]))],
  };
}
