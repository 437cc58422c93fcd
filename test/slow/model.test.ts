import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzSettings } from "../support/fuzz-settings.ts";
import { accountCommands, type Command, signIn, signUp, verifyAddress } from "../support/model-accounts.ts";
import { invitationAnswers, invitationCommands, invite } from "../support/model-invitations.ts";
import { add, memberChanges, memberCommands } from "../support/model-members.ts";
import { create, list, organizationCommands } from "../support/model-organizations.ts";
import { newModel } from "../support/model.ts";

/** People who are signed in, of verified addresses. */
const signedIn = (...names: string[]): Command[] =>
  names.flatMap((name, number) => [signUp(name), signIn(number, false), verifyAddress(number)]);

const teamwork = [...memberCommands, ...invitationCommands];

const acme = [...signedIn("Ada", "Grace", "Edsger"), create(0, "Acme", undefined, undefined)];

/** What there is to begin with, and what may come. */
const worlds: Record<string, [begin: Command[], commands: fc.Arbitrary<Command>[]]> = {
  "Whatever people do": [signedIn("Ada", "Grace"), [...accountCommands, ...organizationCommands, ...teamwork]],
  // Most of these are refused, unless they come after others of the same organization.
  "Whatever the people of one organization do": [acme, teamwork],
  "Whatever becomes of whoever sent an invitation": [
    [
      ...acme,
      signUp("Alan"),
      signIn(3, false),
      add(0, 1, "owner"),
      invite(1, 0, 2, ["viewer"]),
      invite(1, 0, 3, ["owner"]),
    ],
    [...memberChanges, ...invitationAnswers],
  ],
};

/** Several at once, since each waits for the database most of its time. */
const shards = [1, 2, 3];

describe.each(Object.entries(worlds))("%s, in whatever order,", (_, [begin, commands]) => {
  const order = fc.commands(commands, { maxCommands: 40, size: "max" });

  it.concurrent.each(shards)(
    "each of them can do what their role and their session allow, and sees that and no more (part %i)",
    async (shard) => {
      await fc.assert(
        fc.asyncProperty(order, async (steps) => {
          const { model, real } = newModel();
          for (const step of begin) await step.run(model, real);
          await fc.asyncModelRun(() => ({ model, real }), steps);
          for (const session of model.sessions.keys()) await list(session, 100).run(model, real);
        }),
        { seed: fuzzSettings.seed + shard, numRuns: Math.ceil(fuzzSettings.numRuns / shards.length) },
      );
      expect.hasAssertions();
    },
    60_000 + fuzzSettings.numRuns * 1_500,
  );
});
