import { describe, expect, it } from "vitest";
import { expectProblem } from "./support/problems.ts";
import { type Answer, openService, type Service, signUpPerson } from "./support/service.ts";

/** The service with a limit, and with a stand-in for the Durable Object's namespace where one is given. */
const openLimited = (limit: number, limiter?: unknown): Service =>
  openService({
    RATE_LIMIT_PER_MINUTE: String(limit),
    // A binding is no string as settings are, and travels in the same object.
    ...(limiter !== undefined && { RATE_LIMITER: limiter as string }),
  });

const pair = () => Math.floor(Math.random() * 0x10000).toString(16);
const byte = () => Math.floor(Math.random() * 256);

/** Addresses that no other test has. */
const newIpv4 = () => `10.${byte()}.${byte()}.${byte()}`;
const newPrefix = () => `2001:db8:${pair()}:${pair()}`;

/** A request of somebody not signed in, which costs the service nothing but its count: 401 when it is accepted. */
const refresh = (service: Service, address: string, headers: Record<string, string> = {}, path = "/v1/auth/refresh") =>
  service.call("POST", path, {
    body: { refreshToken: "none" },
    headers: { "cf-connecting-ip": address, ...headers },
  });

const statusesOf = async (calls: Iterable<() => Promise<Answer>>) => {
  const statuses: number[] = [];
  for (const call of calls) statuses.push((await call()).status);
  return statuses;
};

const repeat = (times: number, call: () => Promise<Answer>) => statusesOf(Array<typeof call>(times).fill(call));

describe("RATE_LIMIT_PER_MINUTE", () => {
  it("accepts that many requests and refuses the next with 429, saying when to come back", async () => {
    const service = openLimited(3);
    const address = newIpv4();
    for (const left of [2, 1, 0]) {
      const { status, headers } = await refresh(service, address);
      expect(status).toBe(401);
      expect(headers.get("ratelimit-policy")).toBe('"default";q=3;w=60');
      expect(headers.get("ratelimit")).toMatch(new RegExp(`^"default";r=${left};t=(60|5\\d)$`));
      expect(headers.has("retry-after")).toBe(false);
    }
    const refused = await refresh(service, address);
    expectProblem(refused, "rate_limited");
    expect(refused.headers.get("ratelimit-policy")).toBe('"default";q=3;w=60');
    const seconds = refused.headers.get("retry-after");
    expect(seconds).toMatch(/^(60|5\d)$/);
    expect(refused.headers.get("ratelimit")).toBe(`"default";r=0;t=${seconds}`);
  });

  it("accepts no more than that many of 50 requests at once", async () => {
    const service = openLimited(7);
    const address = newIpv4();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(service, address)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(7);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(43);
  });

  it("holds at once when it is lowered or raised", async () => {
    const address = newIpv4();
    expect(await repeat(3, () => refresh(openLimited(5), address))).toEqual([401, 401, 401]);
    expect(await repeat(1, () => refresh(openLimited(2), address))).toEqual([429]);
    expect(await repeat(2, () => refresh(openLimited(4), address))).toEqual([401, 429]);
    expect(await repeat(3, () => refresh(openLimited(6), address))).toEqual([401, 401, 429]);
  });
});

describe("the limit of a signed-in person", () => {
  it("is theirs from every address, and nobody else's at the same one", async () => {
    const [ada, grace] = [await signUpPerson(openService()), await signUpPerson(openService())];
    const service = openLimited(3);
    const address = newIpv4();
    const read = (token: string, ip: string) => () =>
      service.call("GET", "/v1/users/me", { token, headers: { "cf-connecting-ip": ip } });
    const adas = Array.from({ length: 3 }, () => read(ada.token, newIpv4()));
    expect(await statusesOf([...adas, read(ada.token, address), read(grace.token, address)])).toEqual([
      200, 200, 200, 429, 200,
    ]);
  });

  it("counts every way of writing a path, and every route, together", async () => {
    const ada = await signUpPerson(openService());
    const service = openLimited(4);
    const paths = ["/v1/users/me", "/v1/./users/me", "/v1/x/../users/me", "/v1/%75sers/me", "/v1/organizations"];
    const answers = await statusesOf(paths.map((path) => () => service.call("GET", path, { token: ada.token })));
    expect(answers).toEqual([200, 200, 200, 200, 429]);
  });
});

describe("the limit of somebody not signed in", () => {
  const paths = [
    "/v1/auth/refresh",
    "/v1/./auth/refresh",
    "/v1/auth/%72efresh",
    "/v1/auth/sign-in",
    "/v1/auth/sign-up",
  ];
  const last = async (headers: Record<string, string>[]) => {
    const service = openLimited(headers.length - 1);
    const { "cf-connecting-ip": address = "" } = headers[0] ?? {};
    return (await statusesOf(headers.map((each) => () => refresh(service, address, each)))).at(-1);
  };

  it("is one for all public routes and for every way of writing them", async () => {
    const service = openLimited(4);
    const address = newIpv4();
    const statuses = await statusesOf(paths.map((path) => () => refresh(service, address, {}, path)));
    expect(statuses).toEqual([401, 401, 401, 400, 429]);
  });

  it("is not escaped by headers that anybody can write", async () => {
    const address = newIpv4();
    const names = ["x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip", "cf-connecting-ipv6", "user-agent"];
    const rotated = names.map((name) => ({ "cf-connecting-ip": address, [name]: newIpv4() }));
    expect(await last([{ "cf-connecting-ip": address }, ...rotated])).toBe(429);
  });

  it("is one for all of an IPv6 /64, however it is written, and not for another /64", async () => {
    const prefix = newPrefix();
    const spellings = [`${prefix}::1`, `${prefix}::1:2`, `${prefix}:a:b:c:d`, `${prefix}:0:0:10.0.0.1`];
    const inside = [...spellings, `${prefix.toUpperCase()}::F`, `${prefix.replace("db8", "0db8")}::2`];
    expect(await last(inside.map((ip) => ({ "cf-connecting-ip": ip })))).toBe(429);
    expect(await last([...inside, `${newPrefix()}::1`].map((ip) => ({ "cf-connecting-ip": ip })))).toBe(401);
  });

  it("is the same for an IPv4 address and for itself within IPv6", async () => {
    const [a, b, c, d] = [10, byte(), byte(), byte()];
    const hexadecimal = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
    const dotted = [a, b, c, d].join(".");
    const spellings = [dotted, `::ffff:${dotted}`, `::FFFF:${hexadecimal}`, `0:0:0:0:0:ffff:${dotted}`];
    expect(await last(spellings.map((ip) => ({ "cf-connecting-ip": ip })))).toBe(429);
    expect(await last([...spellings, `::ffff:${newIpv4()}`].map((ip) => ({ "cf-connecting-ip": ip })))).toBe(401);
  });
});

describe("a rate limiter that is down", () => {
  const namespaceOf = (check: () => unknown) => ({ idFromName: (name: string) => name, get: () => ({ check }) });
  const failures: Record<string, unknown> = {
    "that throws": namespaceOf(() => {
      throw new Error("Durable Object storage is overloaded");
    }),
    "that rejects": namespaceOf(() => Promise.reject(new Error("Network connection lost."))),
    "that hangs": namespaceOf(() => new Promise(() => undefined)),
    "that is not bound": null,
  };

  it.each(Object.entries(failures))("%s lets the API answer, limited within the isolate", async (_, limiter) => {
    const ada = await signUpPerson(openService());
    const service = openLimited(3, limiter);
    const answers: Answer[] = [];
    for (let i = 0; i < 4; i++) answers.push(await service.call("GET", "/v1/users/me", { token: ada.token }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expectProblem(answers[3] as Answer, "rate_limited");
    expect(answers[3]?.headers.get("retry-after")).toMatch(/^(60|5\d)$/);
  });

  it.each(Object.entries(failures))("%s stops sign-in, sign-up and refresh with 503", async (_, limiter) => {
    const { email, password, refreshToken } = await signUpPerson(openService());
    const service = openLimited(100, limiter);
    const bodies = {
      "sign-in": { email, password },
      "sign-up": { email: `new-${email}`, password, name: "Ada" },
      refresh: { refreshToken },
    };
    for (const [path, body] of Object.entries(bodies)) {
      const answer = await service.call("POST", `/v1/auth/${path}`, { body });
      expectProblem(answer, "unavailable");
      expect(answer.headers.get("retry-after")).toBe("2");
    }
    expect(await service.databaseRequests()).toEqual([]);
  });

  it("costs a request no more than a quarter of a second or so", async () => {
    const ada = await signUpPerson(openService());
    const service = openLimited(3, failures["that hangs"]);
    const started = Date.now();
    expect((await service.call("GET", "/v1/users/me", { token: ada.token })).status).toBe(200);
    expect(Date.now() - started).toBeLessThan(1500);
  });
});
