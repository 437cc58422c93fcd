import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { newNotice } from "./outbox.ts";

/** An owner's offer to another member. */
export interface OwnershipTransfer {
  id: string;
  /** An owner until it is accepted. */
  fromUserId: string;
  toUserId: string;
  createdAt: string;
  /** 7 days later. */
  expiresAt: string;
}

const transferJson = sql`json_build_object('id', t.id, 'fromUserId', t.from_user_id, 'toUserId', t.to_user_id,
  'createdAt', ${isoInstant(sql`t.created_at`)}, 'expiresAt', ${isoInstant(sql`t.expires_at`)})`;

/**
 * Offers the caller's ownership to another member, who is told by mail where a provider is set up.
 *
 * @throws AppError `not_found` for whoever is no member; `already_owner`; `ownership_transfer_pending`; `rate_limited`.
 */
export async function offerOwnership(
  database: TenantDatabase,
  settings: Settings,
  userId: string,
): Promise<OwnershipTransfer> {
  const { id, key } = await newNotice(settings, database);
  return database.create<OwnershipTransfer>(
    sql`select ${transferJson} as body
          from app.offer_ownership(${uuidv7()}::uuid, ${userId}::uuid, ${id}::uuid, ${key}::bytea) t`,
  );
}

/** @throws AppError `not_found`, also for whoever neither owns the organization nor is offered it. */
export async function readOwnershipTransfer(database: TenantDatabase): Promise<OwnershipTransfer> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: OwnershipTransfer }>(sql`select ${transferJson} as body from app.ownership_transfer() t`),
  ]);
  const transfer = result.rows[0]?.body;
  if (!transfer) throw new AppError("not_found");
  return transfer;
}

/** @throws AppError `not_found`. */
export async function withdrawOwnership(database: TenantDatabase): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.withdraw_ownership()`)]);
}

/** @throws AppError `not_found` where nothing is offered to the caller. */
export async function declineOwnership(database: TenantDatabase): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.decline_ownership()`)]);
}

/**
 * Makes the caller an owner in place of whoever offered it, who stays as an admin and is told by mail.
 *
 * @throws AppError `not_found` where nothing is offered to the caller; `rate_limited`.
 */
export async function acceptOwnership(database: TenantDatabase, settings: Settings): Promise<void> {
  const { id, key } = await newNotice(settings, database);
  await database.run((queries) => [queries.execute(sql`select app.accept_ownership(${id}::uuid, ${key}::bytea)`)]);
}
