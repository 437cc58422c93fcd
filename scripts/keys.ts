import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";

import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";

import { SigningKeys } from "../src/env.ts";
import { runCommand } from "./db/command.ts";

/** The steps of a rotation: each takes the present set, from the environment's JWT_SIGNING_KEYS or else from stdin. */
const steps = {
  /** A new key is published, and does not sign yet. */
  add: async (keys: object[]) => [...keys, await makeKey()],
  /** The last one signs. */
  sign: (keys: object[]) => [...keys.slice(-1), ...keys.slice(0, -1)],
  /** No other than the one that signs is left. */
  retire: (keys: object[]) => keys.slice(0, 1),
};

const isStep = (name: string): name is keyof typeof steps => Object.hasOwn(steps, name);

async function makeKey(): Promise<object> {
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const key = await exportJWK(privateKey);
  return { ...key, kid: await calculateJwkThumbprint(key) };
}

function parseSet(set: string) {
  const { data, error } = SigningKeys.safeParse(set);
  if (!data) throw new Error(`JWT_SIGNING_KEYS ${error.issues[0]?.message}`);
  return data;
}

await runCommand(async () => {
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({ options: { add: flag, sign: flag, retire: flag } });
  const [name, ...others] = Object.keys(values).filter(isStep);
  if (others.length > 0) throw new Error("One step at a time: --add, --sign or --retire.");
  const keys = name
    ? await steps[name](parseSet(process.env["JWT_SIGNING_KEYS"] ?? (await text(process.stdin))))
    : [await makeKey()];
  const set = JSON.stringify({ keys });
  parseSet(set);
  console.log(set);
});
