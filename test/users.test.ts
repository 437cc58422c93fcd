import { describe, expect, it } from "vitest";
import { openService, signUpPerson } from "./support/service.ts";

describe("GET /v1/users/me", () => {
  it("shows the signed-in person", async () => {
    const service = openService();
    const ada = await signUpPerson(service);
    const { status, body } = await service.call("GET", "/v1/users/me", { token: ada.token });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: ada.id,
      email: ada.email,
      name: "Ada Lovelace",
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    });
  });
});
