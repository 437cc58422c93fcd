import { type ErrorCode, errorTable } from "../errors.ts";

/** Of what is done for each of several, why one of them was not. */
export interface Refusal<Code extends ErrorCode> {
  status: (typeof errorTable)[Code][0];
  code: Code;
  title: string;
}

/** What is answered of each, as JSON, by what the database says. */
export function refusalsJson(refusals: Record<string, ErrorCode>): string {
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(refusals).map(([sqlstate, code]) => {
        const [status, title] = errorTable[code];
        return [sqlstate, { status, code, title }];
      }),
    ),
  );
}
