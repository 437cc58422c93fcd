import { eq, sql } from "drizzle-orm";
import type { PersonDatabase, QueryBuilder } from "../db/index.ts";
import { users } from "../db/schema.ts";
import { AppError } from "../errors.ts";

export interface User {
  id: string;
  email: string;
  /** Whether a mail to the address was answered. */
  emailVerified: boolean;
  name: string;
  createdAt: string;
  updatedAt: string;
}

export const userFields = {
  id: users.id,
  email: users.email,
  emailVerified: sql<boolean>`${users.emailVerifiedAt} is not null`,
  name: users.name,
  createdAt: users.createdAt,
  updatedAt: users.updatedAt,
};

export const isMe = eq(users.id, sql`(select app.user_id())`);

/** The signed-in person's account, for a batch. */
export const selectMe = (queries: QueryBuilder) => queries.select(userFields).from(users).where(isMe);

export async function readMe(database: PersonDatabase): Promise<User> {
  const [[user]] = await database.run((queries) => [selectMe(queries)]);
  if (!user) throw new AppError("unauthenticated");
  return user;
}

export async function updateMe(database: PersonDatabase, input: { name: string }): Promise<User> {
  const [[user]] = await database.run((queries) => [
    queries.update(users).set(input).where(isMe).returning(userFields),
  ]);
  if (!user) throw new AppError("unauthenticated");
  return user;
}
