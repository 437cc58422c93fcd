import { describe, expect, it } from "vitest";
import { disableUser, readMe, storedUser } from "./support/accounts.ts";
import { openService, signUpPerson } from "./support/service.ts";

const service = openService();

const updateMe = (token: string, body: unknown) => service.call("PATCH", "/v1/users/me", { token, body });

describe("GET /v1/users/me", () => {
  it("shows the signed-in person", async () => {
    const ada = await signUpPerson(service);
    const { status, body } = await readMe(ada.token);
    expect(status).toBe(200);
    expect(body).toEqual({
      id: ada.id,
      email: ada.email,
      emailVerified: false,
      name: "Ada Lovelace",
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    });
  });

  it("asks the database once", async () => {
    const own = openService();
    const ada = await signUpPerson(service);
    await readMe(ada.token, own);
    expect(await own.databaseRequests()).toHaveLength(1);
  });

  it("answers 401 for a disabled person", async () => {
    const ada = await signUpPerson(service);
    await disableUser(ada.id);
    expect(await readMe(ada.token)).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
  });
});

describe("PATCH /v1/users/me", () => {
  it("changes the name and says so", async () => {
    const ada = await signUpPerson(service);
    const { body: before } = await readMe(ada.token);
    const { status, body } = await updateMe(ada.token, { name: "  Ada King  " });
    expect(status).toBe(200);
    expect(body).toEqual({ ...before, name: "Ada King", updatedAt: expect.any(String) });
    expect(Date.parse(body.updatedAt)).toBeGreaterThan(Date.parse(before.updatedAt));
    expect((await readMe(ada.token)).body).toEqual(body);
  });

  it.each(["岡本太郎", "O'Brien; drop table users --", "\\x00 %s ${name}", "👩‍👩‍👧", "a".repeat(100)])(
    "keeps the name as it is given: %s",
    async (name) => {
      const ada = await signUpPerson(service);
      expect(await updateMe(ada.token, { name })).toMatchObject({ status: 200, body: { name } });
    },
  );

  it.each([
    ["an empty name", { name: "" }, "body.name"],
    ["a name of spaces", { name: "   " }, "body.name"],
    ["a name of 101 characters", { name: "a".repeat(101) }, "body.name"],
    ["a name that is a number", { name: 1 }, "body.name"],
    ["a name that is null", { name: null }, "body.name"],
    ["a name that is a list", { name: ["Ada"] }, "body.name"],
    ["no name", {}, "body.name"],
    ["another e-mail address", { name: "Ada King", email: "ada@example.com" }, "body"],
    ["another id", { name: "Ada King", id: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }, "body"],
    ["a password", { name: "Ada King", password: "a quiet harbour" }, "body"],
    ["a column of the table", { name: "Ada King", suspended_at: null }, "body"],
    ["a list", [{ name: "Ada King" }], "body"],
    ["null", null, "body"],
  ])("refuses %s with 400 and changes nothing", async (_, change, path) => {
    const ada = await signUpPerson(service);
    const before = await storedUser(ada.email);
    const refused = await updateMe(ada.token, change);
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(refused.body.errors).toEqual([{ path, message: expect.stringMatching(/./) }]);
    expect(await storedUser(ada.email)).toEqual(before);
  });

  it("leaves everybody else as they were", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service, "Grace Hopper")];
    const before = await storedUser(grace.email);
    await updateMe(ada.token, { name: "Ada King" });
    expect(await storedUser(grace.email)).toEqual(before);
  });

  it("answers 401 for a disabled person and changes nothing", async () => {
    const ada = await signUpPerson(service);
    await disableUser(ada.id);
    expect(await updateMe(ada.token, { name: "Ada King" })).toMatchObject({ status: 401 });
    expect((await storedUser(ada.email))?.name).toBe("Ada Lovelace");
  });
});

describe("the methods of /v1/users/me", () => {
  it.each(["POST", "PUT"])("do not include %s: 405, and Allow says which do", async (method) => {
    const ada = await signUpPerson(service);
    const { status, headers, body } = await service.call(method, "/v1/users/me", { token: ada.token, body: {} });
    expect(body.code).toBe("method_not_allowed");
    expect(status).toBe(405);
    expect(headers.get("allow")?.split(", ")).toEqual(expect.arrayContaining(["GET", "PATCH"]));
    expect(headers.get("allow")).not.toContain(method);
  });
});
