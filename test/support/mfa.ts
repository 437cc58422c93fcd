import { beginSignIn, currentStep, giveRecoveryCodes, giveTotp, totpCode } from "./factors.ts";
import { openService, signUpPerson } from "./service.ts";

const service = openService();

/** A person with an active app and two recovery codes, and the token of a session that waits for one of them. */
export async function makeClaimant() {
  const ada = await signUpPerson(service);
  const seed = await giveTotp(ada, true);
  const recoveryCodes = await giveRecoveryCodes(ada, 2);
  return { ada, seed, recoveryCodes, mfaToken: await beginSignIn(service, ada) };
}

/** A code that the app shows neither now nor within a minute. */
export const wrongCodeFor = async (seed: Uint8Array) => {
  const right = await Promise.all([-2, -1, 0, 1, 2].map((delta) => totpCode(seed, currentStep() + delta)));
  return ["000000", "111111", "222222", "333333", "444444", "555555"].find((code) => !right.includes(code)) ?? "";
};

export const readStatus = async ({ token }: { token: string }) =>
  (await service.call("GET", "/v1/auth/mfa", { token })).body;
