import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzSettings } from "../support/fuzz-settings.ts";
import { accountCommands, signIn, signUp, verifyAddress } from "../support/model-accounts.ts";
import { invitationCommands } from "../support/model-invitations.ts";
import { memberCommands } from "../support/model-members.ts";
import { list, organizationCommands } from "../support/model-organizations.ts";
import { type Model, newModel, type Real } from "../support/model.ts";

/** Several at once, since each waits for the database most of its time. */
const shards = [1, 2, 3, 4];

const commands = fc.commands([...accountCommands, ...organizationCommands, ...memberCommands, ...invitationCommands], {
  maxCommands: 40,
  size: "max",
});

/** Two people, signed in, of verified addresses; whoever else there is to be comes by commands. */
async function begin(): Promise<{ model: Model; real: Real }> {
  const { model, real } = newModel();
  for (const [number, name] of ["Ada", "Grace"].entries()) {
    await signUp(name).run(model, real);
    await signIn(number, false).run(model, real);
    await verifyAddress(number).run(model, real);
  }
  return { model, real };
}

describe("Whatever people do, in whatever order,", () => {
  it.concurrent.each(shards)(
    "each of them can do what their role and their session allow, and sees that and no more (part %i)",
    async (shard) => {
      await fc.assert(
        fc.asyncProperty(commands, async (steps) => {
          const { model, real } = await begin();
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
