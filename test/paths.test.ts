import { describe, expect, it } from "vitest";
import { contract, strangePath } from "./support/operations.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";

const service = openService();

describe("a list's query", () => {
  const limits = "limit=0 limit=101 limit=abc limit=1e2 limit=-1 limit=1.5 limit= limit limit=0x10 limit=%201 limit=+1";
  const repeated = "limit=1&limit=2 limit=1&limit=1 limit=1.0 limit=99999999999999999999 limit=NaN limit[]=1";
  const cursors = "cursor= cursor=garbage cursor=%00 cursor=%ff cursor=AZqw3o9sfMSeb28rfw8aA! cursor=a&cursor=b";
  const unknown = "sort=id constructor=1 userId=1 Limit=1";

  it.each(`${limits} ${repeated} ${cursors} ${unknown}`.split(" "))("refuses ?%s with 400", async (query) => {
    const ada = await signUpPerson(service);
    const { id } = await createOrganization(service, ada);
    for (const path of ["/v1/organizations", "/v1/auth/sessions", `/v1/organizations/${id}/members`]) {
      const answer = await service.call("GET", `${path}?${query}`, { token: ada.token });
      expectProblem(answer, "invalid_request");
      expect(answer.body.errors[0].path).toMatch(/^query/);
    }
  });
});

describe("an id in a path", () => {
  const uuid = "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04";
  const others = `1 abc %00 %ff %zz ..%2f.. null '-- {${uuid}} ${uuid}%0a %20${uuid} ${uuid.replaceAll("-", "")}`;

  it.each([...others.split(" "), uuid.replace("4", "g"), "x".repeat(5000)])(
    "is refused with 400 when it is %s and no UUID",
    async (id) => {
      const { token } = await signUpPerson(service);
      for (const method of ["GET", "PATCH", "DELETE"]) {
        const options = { token, ...(method === "PATCH" && { body: { name: "Acme" } }) };
        expectProblem(await service.call(method, `/v1/organizations/${id}`, options), "invalid_request");
      }
      expectProblem(await service.call("GET", `/v1/organizations/${id}/members`, { token }), "invalid_request");
      expectProblem(await service.call("DELETE", `/v1/auth/sessions/${id}`, { token }), "invalid_request");
    },
  );
});

describe("another way of writing a path", () => {
  const respell: Record<string, (path: string) => string> = {
    "two slashes before": (path) => `/${path}`,
    "two slashes within": (path) => path.replace("/v1/", "/v1//"),
    "an encoded slash": (path) => path.replace(/\/(?=[^/]*$)/, "%2F"),
    "an encoded letter": (path) => path.replace("/v1", "/%761"),
    "a dot segment": (path) => path.replace("/v1/", "/v1/./"),
    "two dots": (path) => path.replace("/v1/", "/v1/x/../"),
    "encoded dots": (path) => path.replace("/v1/", "/v1/x/%2e%2e/"),
    "a backslash": (path) => path.replaceAll("/", "\\").replace("\\", "/"),
    "upper case": (path) => path.toUpperCase(),
    "a slash at the end": (path) => `${path}/`,
    "a semicolon": (path) => `${path};x=1`,
    "an encoded question mark": (path) => `${path}%3F`,
    "a NUL at the end": (path) => `${path}%00`,
    "an extension": (path) => `${path}.json`,
  };

  it.each(Object.keys(respell))("with %s reaches no guarded route without a token", async (spelling) => {
    for (const { method, path, isGuarded, bodySchema } of contract.operations) {
      if (!isGuarded) continue;
      const { status } = await service.call(
        method,
        respell[spelling]?.(strangePath(path)) ?? "",
        bodySchema ? { body: { name: "Acme" } } : {},
      );
      // 405 where it is the path of another route, which has other methods.
      expect([401, 404, 405], `${method} ${path}`).toContain(status);
    }
  });
});
