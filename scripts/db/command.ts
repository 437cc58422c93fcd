/** Runs a command: prints what failed, with all that Postgres says about it, and exits with 1. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    console.error(`\n${explainError(error)}`);
    process.exitCode = 1;
  }
}

interface DatabaseError extends Error {
  code?: string;
  detail?: string;
  hint?: string;
  where?: string;
  address?: string;
  port?: number;
}

/** What an error says, for people, in a few lines; of a failed statement also its beginning. */
export function explainError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Drizzle's own message is the whole statement; the reason stands in its cause.
  const query = (error as { query?: string }).query;
  const cause = (error.cause instanceof Error ? error.cause : error) as DatabaseError;
  const lines = [cause.message || explainConnection(cause)];
  if (cause.code && /^[0-9A-Z]{5}$/.test(cause.code)) lines[0] += ` (SQLSTATE ${cause.code})`;
  if (cause.detail) lines.push(`Detail: ${cause.detail}`);
  if (cause.hint) lines.push(`Hint: ${cause.hint}`);
  if (cause.where) lines.push(`Where: ${cause.where}`);
  if (query) lines.push(`In the statement: ${query.trim().slice(0, 400)}`);
  return lines.join("\n");
}

// Node reports a host whose every address refuses as one error without a text.
function explainConnection(error: DatabaseError): string {
  const first = (error as unknown as AggregateError).errors?.[0] as Error | undefined;
  return first?.message ?? error.code ?? error.name;
}
