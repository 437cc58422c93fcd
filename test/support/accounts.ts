import { asOwner } from "./database.ts";
import { openService, type Person, signUpPerson } from "./service.ts";

const service = openService();

export const signUp = (body: unknown, headers?: Record<string, string>, by = service) =>
  by.call("POST", "/v1/auth/sign-up", { body, ...(headers && { headers }) });

export const signIn = (email: string, password: string, by = service) =>
  by.call("POST", "/v1/auth/sign-in", { body: { email, password } });

export const refresh = (refreshToken: unknown, by = service) =>
  by.call("POST", "/v1/auth/refresh", { body: { refreshToken } });

export const readMe = (token: string, by = service) => by.call("GET", "/v1/users/me", { token });

/** As if they had opened the link in a mail. */
export async function verifyAddress({ id }: { id: string }): Promise<void> {
  await asOwner(["update users set email_verified_at = now() where id = $1", [id]]);
}

export async function signUpVerified(by = service): Promise<Person> {
  const person = await signUpPerson(by);
  await verifyAddress(person);
  return person;
}

/** As if they had signed in a second more than ten minutes ago. */
export async function makeStale({ id }: { id: string }): Promise<void> {
  await asOwner(["update sessions set authenticated_at = now() - interval '601 seconds' where user_id = $1", [id]]);
}

export async function disableUser(userId: string): Promise<void> {
  await asOwner(["update users set suspended_at = now() where id = $1", [userId]]);
}

/** A person's sessions as they are stored, oldest first. */
export async function storedSessions(userId: string): Promise<Record<string, any>[]> {
  const [rows = []] = await asOwner(["select * from sessions where user_id = $1 order by id", [userId]]);
  return rows;
}

/** An account as it is stored, every column as JSON shows it; undefined when there is none. */
export async function storedUser(email: string): Promise<Record<string, any> | undefined> {
  const [rows = []] = await asOwner(["select to_jsonb(u) as stored from users u where email = $1", [email]]);
  return rows[0]?.stored;
}
