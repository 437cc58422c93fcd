import { beforeAll, describe, expect, it } from "vitest";
import { signIn, signUp, storedSessions, storedUser } from "../support/accounts.ts";
import { asOwner } from "../support/database.ts";
import {
  type Answer,
  createOrganization,
  goodPassword,
  newAddress,
  newEmail,
  openService,
  type Person,
  type Service,
  signUpPerson,
} from "../support/service.ts";
import { atOnce, crowd, expectTally, tenRounds } from "./at-once.ts";

const service = openService();

const create = (owner: Person, body: object, headers?: Record<string, string>) =>
  service.call("POST", "/v1/organizations", { token: owner.token, body, ...(headers && { headers }) });

const countMine = async ({ id }: Person): Promise<number> => {
  const [rows] = await asOwner([
    "select from membership_roles join organizations on id = organization_id where user_id = $1 and role = 'owner'",
    [id],
  ]);
  return rows?.length ?? 0;
};

/** One of them did it, and all the others were given its answer. */
function expectOneEffect(answers: Answer[]): void {
  expectTally(answers, { 201: crowd });
  for (const { body } of answers) expect(body).toEqual(answers[0]?.body);
  expect(answers.filter(({ headers }) => headers.get("idempotent-replayed") === null)).toHaveLength(1);
}

describe("50 requests at once with one Idempotency-Key", tenRounds, () => {
  it("create one organization and get one answer", async () => {
    const owner = await signUpPerson(service);
    const key = { "idempotency-key": crypto.randomUUID() };
    expectOneEffect(await atOnce(() => create(owner, { name: "Once" }, key)));
    expect(await countMine(owner)).toBe(1);
  });

  it("create one account and get one answer", async () => {
    const body = { email: newEmail(), password: goodPassword, name: "Ada" };
    const key = { "idempotency-key": crypto.randomUUID() };
    const answers = await atOnce(() => signUp(body, key));
    expectOneEffect(answers);
    expect((await storedUser(body.email))?.["id"]).toBe(answers[0]?.body.id);
  });

  it("and two bodies have the effect of one of the two; the other is refused", async () => {
    const owner = await signUpPerson(service);
    const key = { "idempotency-key": crypto.randomUUID() };
    const answers = await atOnce((i) => create(owner, { name: i % 2 ? "Odd" : "Even" }, key));
    expectTally(answers, { 201: crowd / 2, "422 idempotency_key_reused": crowd / 2 });
    const created = answers.filter(({ status }) => status === 201).map(({ body }) => `${body.id} ${body.name}`);
    expect(new Set(created).size).toBe(1);
    expect(await countMine(owner)).toBe(1);
  });
});

describe("one name that 50 want at once", tenRounds, () => {
  let owner: Person;
  let organizations: { id: string; slug: string }[];

  beforeAll(async () => {
    owner = await signUpPerson(service);
    organizations = await atOnce(() => createOrganization(service, owner));
  });

  it("a slug that is asked for goes to one new organization", async () => {
    const person = await signUpPerson(service);
    const answers = await atOnce(() => create(person, { name: "Race", slug: `slug-${person.id}` }));
    expectTally(answers, { 201: 1, "409 slug_taken": crowd - 1 });
    expect(await countMine(person)).toBe(1);
  });

  it("a slug that is made from the name is another for each", async () => {
    const person = await signUpPerson(service);
    const answers = await atOnce(() => create(person, { name: `Race ${person.id}` }));
    expectTally(answers, { 201: crowd });
    expect(new Set(answers.map(({ body }) => body.slug)).size).toBe(crowd);
  });

  it("a slug goes to one of 50 organizations that take it", async () => {
    const slug = `taken-${crypto.randomUUID()}`;
    const answers = await atOnce((i) =>
      service.call("PATCH", `/v1/organizations/${organizations[i]?.id}`, { token: owner.token, body: { slug } }),
    );
    expectTally(answers, { 200: 1, "409 slug_taken": crowd - 1 });
    const [rows] = await asOwner(["select id from organizations where slug = $1", [slug]]);
    expect(rows).toEqual([{ id: answers.find(({ status }) => status === 200)?.body.id }]);
  });

  it("a slug is kept by each of two that take the other's, however they wait for one another", async () => {
    const partnerOf = (i: number) => organizations[i % 2 ? i - 1 : i + 1]?.id;
    const ids = organizations.map(({ id }) => id);
    await asOwner(["update organizations set slug = 'kept-' || id where id = any ($1)", [ids]]);
    // All rows are held for a moment, so that both of a pair have begun.
    const held = asOwner(["select from organizations where id = any ($1) for update", [ids]], ["select pg_sleep(0.3)"]);
    const answers = await atOnce((i) =>
      service.call("PATCH", `/v1/organizations/${ids[i]}`, {
        token: owner.token,
        body: { slug: `kept-${partnerOf(i)}` },
      }),
    );
    await held;
    expectTally(answers, { "409 slug_taken": crowd });
  });

  it("an e-mail address goes to one account, however it is written", async () => {
    const email = newEmail();
    const spellings = [email, email.toUpperCase(), ` ${email}`, email.replace("e", "\uff45")];
    const answers = await atOnce((i) =>
      signUp({ email: spellings[i % spellings.length], password: goodPassword, name: `Ada ${i}` }),
    );
    expectTally(answers, { 201: 1, "409 email_taken": crowd - 1 });
    const winner = answers.find(({ status }) => status === 201)?.body;
    expect(winner.email).toBe(email);
    expect(await storedUser(email)).toMatchObject({ id: winner.id, name: winner.name });
  });
});

describe("an organization deleted amid reads and updates", tenRounds, () => {
  it("answers each with 200 or 404, and is gone", async () => {
    const owner = await signUpPerson(service);
    const { id } = await createOrganization(service, owner);
    const path = `/v1/organizations/${id}`;
    const calls: ((i: number) => Promise<Answer>)[] = [
      (i) => service.call("PATCH", path, { token: owner.token, body: { name: `Race ${i}` } }),
      () => service.call("GET", path, owner),
      (i) => service.call("PATCH", path, { token: owner.token, body: { slug: `race-${i}-${id}` } }),
      () => service.call("GET", `${path}/members`, owner),
      () => service.call("GET", "/v1/organizations", owner),
    ];
    const callOne = (i: number) => calls[i % calls.length]?.(i) ?? expect.fail();
    const remove = async () => {
      const removed = await service.call("DELETE", path, owner);
      // Begun after the answer, while the crowd is still about.
      return { removed, later: await atOnce(callOne, calls.length) };
    };
    // The row is held for a moment, so that they meet at it after they were admitted.
    const held = asOwner(["select from organizations where id = $1 for update", [id]], ["select pg_sleep(0.2)"]);
    const [before, { removed, later }, after] = await Promise.all([
      atOnce(callOne, crowd / 2),
      remove(),
      atOnce(callOne, crowd / 2),
    ]);
    await held;
    expect(removed.status).toBe(204);
    for (const { status, body } of [...before, ...after]) {
      if (status === 200) expect(body.data ?? body.roles).toBeTruthy();
      else expect(body).toMatchObject({ code: "not_found" });
    }
    expectTally(later, { 200: 1, "404 not_found": calls.length - 1 });
    expect(later.at(-1)?.body.data).toEqual([]);
    const [left] = await asOwner([
      "select deleted_at = updated_at as untouched from organizations where id = $1",
      [id],
    ]);
    expect(left).toEqual([{ untouched: true }]);
  });
});

describe("a rate limit of 10 that 50 requests reach at once", tenRounds, () => {
  const limited = openService({ RATE_LIMIT_PER_MINUTE: "10" });
  const outcome = { "429 rate_limited": crowd - 10 };

  it("accepts 10 of one person, wherever they come from", async () => {
    const ada = await signUpPerson(service);
    const answers = await atOnce((i) =>
      limited.call("GET", "/v1/users/me", { token: ada.token, headers: { "cf-connecting-ip": `10.9.8.${i}` } }),
    );
    expectTally(answers, { 200: 10, ...outcome });
  });

  it("accepts 10 of one address on every public route together", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(3)).join(".");
    const answers = await atOnce((i) =>
      limited.call("POST", `/v1/auth/${["refresh", "sign-in", "sign-up"][i % 3]}`, {
        body: { unknown: true },
        headers: { "cf-connecting-ip": `10.${bytes}` },
      }),
    );
    expectTally(answers, { "400 invalid_request": 10, ...outcome });
  });
});

describe("a password that 50 sign-ins hash anew at once", tenRounds, () => {
  const costOf = async (email: string) => String((await storedUser(email))?.["password_salt"]).slice(4, 6);

  it("is right for each of them, and right afterwards", async () => {
    const ada = await signUpPerson(service);
    // From ten places that she is known at, each with 5 attempts at once.
    const places = Array.from({ length: 10 }, () => newAddress());
    const from = (place: string | undefined, by: Service) =>
      by.call("POST", "/v1/auth/sign-in", {
        body: { email: ada.email, password: ada.password },
        headers: { "cf-connecting-ip": place ?? "" },
      });
    for (const place of places) expect((await from(place, service)).status).toBe(200);
    const costlier: Service = openService({ BCRYPT_WORK_FACTOR: "5" });
    const answers = await atOnce((i) => from(places[i % 10], costlier));
    expectTally(answers, { 200: crowd });
    expect(await costOf(ada.email)).toBe("05");
    // The one of the account's making is there too.
    expect(await storedSessions(ada.id)).toHaveLength(crowd + 11);
    expect((await signIn(ada.email, ada.password, costlier)).status).toBe(200);
    expect((await signIn(ada.email, `${ada.password}!`, costlier)).status).toBe(401);
  });
});
