/**
 * Every transaction of the Worker begins by reading this empty table. rls-policies.sql locks it, and so
 * meets no request half-way: requests lock tables in many orders, and would deadlock with it. It is a
 * table, because whoever may only read one cannot lock others out; an advisory lock is anybody's.
 */
export const passGate = "exists (select from app.gate)";
