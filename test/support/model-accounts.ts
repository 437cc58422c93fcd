import * as fc from "fast-check";
import { expect } from "vitest";
import { asOwner } from "./database.ts";
import {
  callOperation,
  expectOutcome,
  liveSessions,
  type Model,
  type ModelSession,
  pick,
  readAll,
  type Real,
} from "./model.ts";
import { goodPassword, newAddress } from "./service.ts";
import { forgetAttempts } from "./throttles.ts";

export type Command = fc.AsyncCommand<Model, Real>;

/** A command that says in a failure what it was. */
export function command(
  name: string,
  values: unknown[],
  run: (model: Model, real: Real) => Promise<void>,
  isPossible: (model: Model) => boolean = () => true,
): Command {
  return {
    check: isPossible,
    run,
    toString: () => `${name}(${values.map((value) => JSON.stringify(value)).join(", ")})`,
  };
}

export const hasSession = ({ sessions }: Model) => sessions.length > 0;

/** The session that a number stands for, and one of the access tokens it was ever given. */
export function actor(model: Model, real: Real, number: number) {
  const session = pick(model.sessions, number);
  const { accessTokens } = pick(real.sessions, number);
  return { session, token: pick(accessTokens, Math.floor(number / model.sessions.length)) };
}

/** The same, of three times twice a live one of these people's, where there is one: most sessions are refused else. */
export function actorAmong(model: Model, real: Real, number: number, isAsked: (person: number) => boolean) {
  const asked = model.sessions.flatMap(({ person, isAlive }, i) => (isAlive && isAsked(person) ? [i] : []));
  return actor(model, real, number % 3 && asked.length > 0 ? pick(asked, number) : number);
}

const spell = (email: string, isOdd: boolean) => (isOdd ? ` ${email.toUpperCase()} ` : email);

export const signUp = (name: string) =>
  command("signUp", [name], async (model, real) => {
    const email = `${real.run}-${model.people.length}@example.com`;
    const body = { email, password: `${goodPassword} ${model.people.length}`, name };
    const answer = await callOperation("POST /v1/auth/sign-up", { body });
    expectOutcome(answer, undefined);
    expect(answer.body).toMatchObject({ email, name });
    model.people.push({ ...body, isVerified: false });
    real.people.push({ id: answer.body.id });
  });

export const verifyAddress = (who: number) =>
  command("verifyAddress", [who], async (model, real) => {
    const person = who % model.people.length;
    await asOwner(["update users set email_verified_at = now() where id = $1", [real.people[person]?.id]]);
    pick(model.people, person).isVerified = true;
  });

const signUpAgain = (who: number, isOdd: boolean) =>
  command("signUpAgain", [who, isOdd], async (model) => {
    const email = spell(pick(model.people, who).email, isOdd);
    const body = { email, password: goodPassword, name: "Mallory" };
    expectOutcome(await callOperation("POST /v1/auth/sign-up", { body }), "email_taken");
  });

export const signIn = (who: number, isOdd: boolean) =>
  command("signIn", [who, isOdd], async (model, real) => {
    const person = who % model.people.length;
    const { email, password, name } = pick(model.people, person);
    const answer = await callOperation("POST /v1/auth/sign-in", { body: { email: spell(email, isOdd), password } });
    expectOutcome(answer, undefined);
    const { accessToken, refreshToken, user } = answer.body;
    expect(user).toMatchObject({ id: real.people[person]?.id, email, name });
    const [stored] = await asOwner([
      "select id from sessions where user_id = $1 order by id desc limit 1",
      [real.people[person]?.id],
    ]);
    const session: ModelSession = { person, isAlive: true, generation: 1, rotatedAt: undefined };
    model.sessions.push(session);
    real.sessions.push({ id: stored?.[0]?.["id"], accessTokens: [accessToken], refreshTokens: [refreshToken] });
  });

const address = newAddress();

const signInWrongly = (who: number, whose: number) =>
  command("signInWrongly", [who, whose], async (model) => {
    const [{ email, password: own }, { password }] = [pick(model.people, who), pick(model.people, whose)];
    const body = { email, password: password === own ? `${own}.` : password };
    const headers = { "cf-connecting-ip": address };
    expectOutcome(await callOperation("POST /v1/auth/sign-in", { body, headers }), "invalid_credentials");
    // Else the next ones would have to wait: see sign-in-protection.test.ts.
    await forgetAttempts({ email, address });
  });

/** @param back 0 for the newest refresh token, 1 for the one before. */
const refresh = (number: number, back: number) =>
  command(
    "refresh",
    [number, back],
    async (model, real) => {
      const session = pick(model.sessions, number);
      const tokens = pick(real.sessions, number);
      const generation = Math.max(1, session.generation - back);
      const isNewest = generation === session.generation;
      const isRepeated = generation === session.generation - 1 && session.rotatedAt !== undefined;
      const refused = session.isAlive ? "refresh_token_reused" : "unauthenticated";
      const answer = await callOperation("POST /v1/auth/refresh", {
        body: { refreshToken: tokens.refreshTokens[generation - 1] },
      });
      const isTaken = session.isAlive && (isNewest || isRepeated);
      if (!expectOutcome(answer, isTaken ? undefined : refused)) {
        session.isAlive = false;
        return;
      }
      tokens.accessTokens.push(answer.body.accessToken);
      if (isNewest) {
        session.generation++;
        session.rotatedAt = Date.now();
        tokens.refreshTokens.push(answer.body.refreshToken);
      }
    },
    // The 10 seconds are the database's; near their end nobody can foresee the answer.
    (model) => hasSession(model) && Date.now() - (pick(model.sessions, number).rotatedAt ?? Date.now()) < 8_000,
  );

const letGracePass = (number: number) =>
  command(
    "letGracePass",
    [number],
    async (model, real) => {
      const change = "update sessions set refreshed_at = refreshed_at - interval '11 seconds' where id = $1";
      await asOwner([change, [pick(real.sessions, number).id]]);
      pick(model.sessions, number).rotatedAt = undefined;
    },
    hasSession,
  );

const signOut = (number: number) =>
  command(
    "signOut",
    [number],
    async (model, real) => {
      const { session, token } = actor(model, real, number);
      const answer = await callOperation("POST /v1/auth/sign-out", { token });
      expectOutcome(answer, session.isAlive ? undefined : "unauthenticated");
      session.isAlive = false;
    },
    hasSession,
  );

const revokeSession = (number: number, target: number) =>
  command(
    "revokeSession",
    [number, target],
    async (model, real) => {
      const { session, token } = actor(model, real, number);
      const other = pick(model.sessions, target);
      const ids = { sessionId: pick(real.sessions, target).id };
      const isMine = other.person === session.person && other.isAlive;
      const problem = session.isAlive ? (isMine ? undefined : "not_found") : "unauthenticated";
      const answer = await callOperation("DELETE /v1/auth/sessions/{sessionId}", { token, ids });
      if (expectOutcome(answer, problem)) other.isAlive = false;
    },
    hasSession,
  );

const revokeSessions = (number: number, scope: "others" | "all" | undefined) =>
  command(
    "revokeSessions",
    [number, scope],
    async (model, real) => {
      const { session, token } = actor(model, real, number);
      const query = scope ? `?scope=${scope}` : "";
      const answer = await callOperation("DELETE /v1/auth/sessions", { token, query });
      if (!expectOutcome(answer, session.isAlive ? undefined : "unauthenticated")) return;
      for (const other of model.sessions) {
        if (other.person === session.person && (other !== session || scope === "all")) other.isAlive = false;
      }
    },
    hasSession,
  );

const listSessions = (number: number, limit: number) =>
  command(
    "listSessions",
    [number, limit],
    async (model, real) => {
      const { session, token } = actor(model, real, number);
      const answer = await readAll("GET /v1/auth/sessions", limit, { token });
      if (!expectOutcome(answer, session.isAlive ? undefined : "unauthenticated")) return;
      const seen = answer.body.map(({ id, current }) => ({ id, current }));
      expect(seen).toEqual(liveSessions(model, real, session.person, session));
    },
    hasSession,
  );

const rename = (number: number, name: string) =>
  command(
    "rename",
    [number, name],
    async (model, real) => {
      const { session, token } = actor(model, real, number);
      const answer = await callOperation("PATCH /v1/users/me", { token, body: { name } });
      if (!expectOutcome(answer, session.isAlive ? undefined : "unauthenticated")) return;
      pick(model.people, session.person).name = name;
      const read = await callOperation("GET /v1/users/me", { token });
      expect(read.body).toMatchObject({ id: real.people[session.person]?.id, name });
    },
    hasSession,
  );

const number = fc.nat(1_000);
const names = fc.constantFrom("Ada", "Grace", "Edsger");

export const accountCommands: fc.Arbitrary<Command>[] = [
  names.map(signUp),
  number.map(verifyAddress),
  fc.tuple(number, fc.boolean()).map((args) => signUpAgain(...args)),
  fc.tuple(number, fc.boolean()).map((args) => signIn(...args)),
  fc.tuple(number, number).map((args) => signInWrongly(...args)),
  fc.tuple(number, fc.constantFrom(0, 0, 0, 1, 1, 2)).map((args) => refresh(...args)),
  number.map(letGracePass),
  number.map(signOut),
  fc.tuple(number, number).map((args) => revokeSession(...args)),
  fc.tuple(number, fc.constantFrom("others", "all", undefined)).map((args) => revokeSessions(...args)),
  fc.tuple(number, fc.constantFrom(1, 2, 100)).map((args) => listSessions(...args)),
  fc.tuple(number, names).map((args) => rename(...args)),
];
