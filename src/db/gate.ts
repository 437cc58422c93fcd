/**
 * Every transaction of the Worker begins by taking this lock, shared. rls-policies.sql takes it alone,
 * and so meets no request half-way: requests lock tables in many orders, and would deadlock with it.
 */
export const passGate = "pg_advisory_xact_lock_shared(hashtextextended('rls-policies', 0))";
