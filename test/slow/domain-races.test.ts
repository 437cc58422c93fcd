import { describe, expect, it } from "vitest";
import { asOwner } from "../support/database.ts";
import { joinSuggested, newDomainHost, signUpUnverifiedAt } from "../support/domains.ts";
import { membersOf } from "../support/invitations.ts";
import { giveToken } from "../support/one-time-tokens.ts";
import { openService, type Person } from "../support/service.ts";
import { newDomain, setTxtRecords } from "../support/sso.ts";
import { verifyAddress } from "../support/accounts.ts";
import { atOnce, crowd, expectTally, isUncertain, tenRounds } from "./at-once.ts";

const service = openService();

const verifyByMail = async (person: Person, token: string) =>
  service.call("POST", "/v1/auth/verify-email", { token: person.token, body: { token } });

describe("50 at once", tenRounds, () => {
  it("verify one domain, for five organizations: one has it, and its verification alone is repeated", async () => {
    const domain = newDomain();
    const hosts = await atOnce(async () => {
      const host = await newDomainHost();
      const { id, txtRecord }: { id: string; txtRecord: { value: string } } = (await host.add(domain)).body;
      return { id, txtRecord, verify: () => host.verify(id) };
    }, 5);
    await setTxtRecords(
      domain,
      hosts.map(({ txtRecord }) => txtRecord.value),
    );
    const answers = await atOnce((i) => hosts[i % 5]?.verify() ?? expect.fail("no host"));
    expectTally(answers, { 200: crowd / 5, "409 domain_taken": crowd - crowd / 5 });
    const [rows] = await asOwner([
      "select from organization_domains where domain = $1 and verified_at is not null",
      [domain],
    ]);
    expect(rows).toHaveLength(1);
  });

  it("verify their addresses where ten places are left: all do, and ten are taken in", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("auto_join");
    await asOwner(["update organizations set member_limit = 11 where id = $1", [host.id]]);
    const people = await atOnce(async () => {
      const person = await signUpUnverifiedAt(domain);
      return { person, token: await giveToken(person.id, "verify_email") };
    });
    const answers = await atOnce((i) => {
      const { person, token } = people[i] ?? expect.fail("no person");
      return verifyByMail(person, token);
    });
    expectTally(answers, { 200: crowd });
    expect(await membersOf(host.id)).toHaveLength(11);
  });

  it("join what is suggested to them where ten places are left: ten do", async () => {
    const host = await newDomainHost();
    const { domain } = await host.enroll("suggest");
    await asOwner(["update organizations set member_limit = 11 where id = $1", [host.id]]);
    const people = await atOnce(async () => {
      const person = await signUpUnverifiedAt(domain);
      await verifyAddress(person);
      return person;
    });
    const answers = await atOnce((i) => joinSuggested(people[i] as Person, host.id));
    expectTally(answers, { 201: 10, "409 member_limit": crowd - 10 });
    expect(await membersOf(host.id)).toHaveLength(11);
  });

  it("join while the enrollment is ended: who joined did so before, and afterwards nobody does", async () => {
    const host = await newDomainHost();
    const { id, domain } = await host.enroll("suggest");
    const people = await atOnce(async () => {
      const person = await signUpUnverifiedAt(domain);
      await verifyAddress(person);
      return person;
    });
    const answers = await atOnce((i) =>
      i === 25 ? host.update(id, { enrollment: "none" }) : joinSuggested(people[i] as Person, host.id),
    );
    expect(answers[25]?.status).toBe(200);
    // Whose joining was not heard of is told, when they ask again, that they have joined.
    const joined = answers.filter(
      (answer) => answer.status === 201 || (answer.status === 409 && isUncertain(answer)),
    ).length;
    for (const answer of answers)
      expect([200, 201, 404, ...(isUncertain(answer) ? [409] : [])]).toContain(answer.status);
    // Or that there is nothing any more, where it has ended since.
    const unheard = answers.filter((answer) => answer.status === 404 && isUncertain(answer)).length;
    const members = (await membersOf(host.id)).length - 1;
    expect(members).toBeGreaterThanOrEqual(joined);
    expect(members).toBeLessThanOrEqual(joined + unheard);
    expect((await joinSuggested(people[25] as Person, host.id)).status).toBe(404);
  });
});
