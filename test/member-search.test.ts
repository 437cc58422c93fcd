import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { newTeam, teamOf } from "./support/members.ts";
import { newEmail, openService, type Person, signUpPerson } from "./support/service.ts";
import { insertMembers } from "./support/members-sql.ts";

const service = openService();

const search = async (path: string, by: Pick<Person, "token">, text: string, rest = "") => {
  const { status, body } = await service.call("GET", `${path}/members?search=${encodeURIComponent(text)}${rest}`, {
    token: by.token,
  });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body as { data: { userId: string; name: string }[]; nextCursor: string | null };
};

const namesFor = async (path: string, by: Pick<Person, "token">, text: string) =>
  (await search(path, by, text)).data.map(({ name }) => name);

/** An organization whose owner is named "Zed", and a viewer with this name. */
async function newOffice(name: string) {
  const team = await teamOf(await signUpPerson(service, "Zed"));
  const person = await signUpPerson(service, name);
  await addMember(team.id, person.id, "viewer");
  return { ...team, person };
}

describe("GET /v1/organizations/{organizationId}/members?search=", () => {
  it.each([
    ["the first word of a name", "Grace Brewster Hopper", "grac"],
    ["a later word of a name", "Grace Brewster Hopper", "hop"],
    ["words of a name in a row", "Grace Brewster Hopper", "brewster hop"],
    ["a whole name", "Grace Brewster Hopper", "Grace Brewster Hopper"],
    ["the parts of a name with a hyphen", "Irène Joliot-Curie", "curie"],
    ["the parts of a name with an apostrophe", "Flannery O'Connor", "connor"],
    ["other case", "Grace Brewster Hopper", "GRACE"],
    ["no accents", "Zoë Núñez", "zoe nunez"],
    ["accents that the name has not", "Zoe Nunez", "Zoë"],
    ["accents written as characters of their own", "Zoë", "Zoe\u0308"],
    ["another alphabet, in other case", "Софья Ковалевская", "ковал"],
    ["characters without case", "陈景润", "陈景"],
    ["one space for several", "Grace   Hopper", "grace  hopper"],
    ["wide characters", "Ｇｒａｃｅ Hopper", "grace"],
  ])("finds by %s", async (_, name, text) => {
    const { path, owner } = await newOffice(name);
    expect(await namesFor(path, owner, text)).toEqual([name]);
  });

  it("finds by the start of an address, and with an @ by the start of its domain", async () => {
    const { path, owner, person } = await newOffice("Grace Hopper");
    expect(await namesFor(path, owner, person.email.slice(0, 12).toUpperCase())).toEqual(["Grace Hopper"]);
    expect((await namesFor(path, owner, "@EXAMPLE.c")).toSorted()).toEqual(["Grace Hopper", "Zed"]);
    expect(await namesFor(path, owner, "example.com")).toEqual([]);
  });

  it.each([
    ["the middle of a word", "race"],
    ["words in another order", "hopper grace"],
    ["more than there is", "grace hopper jr"],
    ["a wildcard of LIKE", "%"],
    ["a wildcard of LIKE in a word", "gr_ce"],
    ["a backslash", "\\"],
    ["an accent alone", "\u0308"],
  ])("finds nobody by %s", async (_, text) => {
    const { path, owner } = await newOffice("Grace Hopper");
    expect(await search(path, owner, text)).toEqual({ data: [], nextCursor: null });
  });

  it("answers with the members as the list does", async () => {
    const { path, owner, person } = await newOffice("Grace Hopper");
    const { body } = await service.call("GET", `${path}/members/${person.id}`, { token: owner.token });
    expect(await search(path, owner, "grace")).toEqual({ data: [body], nextCursor: null });
  });

  it("names everyone once, also who is found by several words, page by page", async () => {
    const { path, id, owner } = await newOffice("Anna An Andersson");
    for (const name of ["Andrea Annan", "Anaïs Ant", "Bo Anand"])
      await addMember(id, (await signUpPerson(service, name)).id, "viewer");
    const found: string[] = [];
    let cursor = "";
    do {
      const { data, nextCursor } = await search(path, owner, "an", `&limit=1${cursor}`);
      found.push(...data.map(({ name }) => name));
      cursor = nextCursor === null ? "" : `&cursor=${nextCursor}`;
    } while (cursor);
    // By "an andersson", "anais ant", "anand" and "andrea annan".
    expect(found).toEqual(["Anna An Andersson", "Anaïs Ant", "Bo Anand", "Andrea Annan"]);
  });

  it("pages through many of one name", async () => {
    const { path, id, owner } = await newOffice("Zoe");
    await asOwner(
      [
        `insert into users (id, email, name) select uuidv7(), 'm' || n || '@' || $1 || '.example', 'Same Name' from generate_series(1, 250) n`,
        [id],
      ],
      [insertMembers("select $1::uuid, id, 'member' from users where email like '%@' || $1 || '.example'"), [id]],
    );
    const pages = [await search(path, owner, "same", "&limit=100")];
    for (let page = pages[0]; page?.nextCursor; pages.push(page))
      page = await search(path, owner, "same", `&limit=100&cursor=${page.nextCursor}`);
    expect(pages.map(({ data }) => data.length)).toEqual([100, 100, 50]);
    expect(new Set(pages.flatMap(({ data }) => data.map(({ userId }) => userId))).size).toBe(250);
  });

  it("follows a new name, in each of the person's organizations", async () => {
    const { path, person, owner } = await newOffice("Grace Murray");
    const other = await teamOf(person);
    await service.call("PATCH", "/v1/users/me", { token: person.token, body: { name: "Grace Hopper" } });
    for (const [at, by] of [
      [path, owner],
      [other.path, person],
    ] as const) {
      expect(await namesFor(at, by, "hopper")).toEqual(["Grace Hopper"]);
      expect(await namesFor(at, by, "murray")).toEqual([]);
    }
  });

  it("follows a new address", async () => {
    const { path, person, owner } = await newOffice("Grace Hopper");
    const email = newEmail();
    await asOwner(["update users set email = $1 where id = $2", [email, person.id]]);
    expect(await namesFor(path, owner, email)).toEqual(["Grace Hopper"]);
    expect(await namesFor(path, owner, person.email)).toEqual([]);
  });

  it("finds nobody who has left, been removed or deleted their account", async () => {
    const team = await newTeam({ left: ["viewer"], removed: ["viewer"], deleted: ["viewer"] });
    expect((await search(team.path, team.owner, "ada")).data).toHaveLength(4);
    await team.leave(team.left);
    await team.remove(team.owner, team.removed);
    await service.call("DELETE", "/v1/users/me", { token: team.deleted.token });
    expect((await search(team.path, team.owner, "ada")).data.map(({ userId }) => userId)).toEqual([team.owner.id]);
  });

  it("finds nobody of another organization", async () => {
    const [mine, theirs] = [await newOffice("Grace Hopper"), await newOffice("Grace Murray")];
    await addMember(theirs.id, mine.owner.id, "admin");
    expect(await namesFor(mine.path, mine.owner, "grace")).toEqual(["Grace Hopper"]);
    expect(await namesFor(mine.path, mine.owner, theirs.person.email)).toEqual([]);
  });

  it("goes on from a cursor of another organization's, and shows none of its members", async () => {
    const [mine, theirs] = [await newOffice("Grace Hopper"), await newOffice("Grace Murray")];
    await addMember(theirs.id, (await signUpPerson(service, "Grace Kelly")).id, "viewer");
    const { nextCursor } = await search(theirs.path, theirs.owner, "gra", "&limit=1");
    const { data } = await search(mine.path, mine.owner, "gra", `&cursor=${nextCursor}`);
    expect(data.filter(({ name }) => name !== "Grace Hopper")).toEqual([]);
  });

  it.each([
    ["one of the list without a search", "AZqw3o9sfMSeb28rfw8aAQ"],
    ["no base64url", "AZqw3o9sfMSeb28rfw8aAQ=="],
    ["half a byte", "AZqw3o9sfMSeb28rfw8aAQaaa"],
    ["nothing", ""],
  ])("refuses a cursor that is %s with 400", async (_, cursor) => {
    const { path, owner } = await newOffice("Grace Hopper");
    const { status, body } = await service.call("GET", `${path}/members?search=g&cursor=${cursor}`, {
      token: owner.token,
    });
    expect([status, body.code, body.errors[0].path]).toEqual([400, "invalid_request", "query.cursor"]);
  });

  it("refuses a search's cursor without the search with 400", async () => {
    const { path, id, owner } = await newOffice("Grace Hopper");
    await addMember(id, (await signUpPerson(service, "Grace Kelly")).id, "viewer");
    const { nextCursor } = await search(path, owner, "grace", "&limit=1");
    const { status } = await service.call("GET", `${path}/members?cursor=${nextCursor}`, { token: owner.token });
    expect(status).toBe(400);
  });

  it.each([
    ["nothing", ""],
    ["a space", "%20"],
    ["101 characters", "a".repeat(101)],
  ])("refuses a search for %s with 400", async (_, text) => {
    const { path, owner } = await newOffice("Grace Hopper");
    const { status, body } = await service.call("GET", `${path}/members?search=${text}`, { token: owner.token });
    expect([status, body.errors[0].path]).toEqual([400, "query.search"]);
  });

  it("refuses a viewer with 403 and an outsider with 404", async () => {
    const { path, person } = await newOffice("Grace Hopper");
    const outsider = await signUpPerson(service);
    for (const [who, status] of [
      [person, 403],
      [outsider, 404],
    ] as const)
      expect((await service.call("GET", `${path}/members?search=g`, { token: who.token })).status).toBe(status);
  });

  it("keeps names of the greatest length, in any alphabet", async () => {
    const name = "𐐀ﷺ".repeat(33);
    const { path, owner } = await newOffice(name);
    expect(await namesFor(path, owner, name.slice(0, 9))).toEqual([name]);
  });
});
