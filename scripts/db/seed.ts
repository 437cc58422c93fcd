export interface DemoAccount {
  email: string;
  password: string;
}

/**
 * Makes the demo user and its organisation "Demo" through the service's own API, as a frontend
 * would. What is there already is left as it is.
 *
 * @param url of the running service
 * @throws Error with the service's answer when it refuses
 */
export async function seedDemo(url: string, account: DemoAccount): Promise<void> {
  await post(`${url}/v1/auth/sign-up`, { ...account, name: "Demo User" });
  const session = await post(`${url}/v1/auth/sign-in`, account);
  if (typeof session?.accessToken !== "string") {
    throw new Error("POST /v1/auth/sign-in answered with no accessToken.");
  }
  const organization = { name: "Demo", slug: "demo" };
  await post(`${url}/v1/organizations`, organization, session.accessToken);
}

interface Session {
  accessToken?: unknown;
}

/** @returns the body; undefined when it is there already (409) */
async function post(url: string, body: object, token?: string): Promise<Session | undefined> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  if (response.status === 409) return undefined;
  if (!response.ok) {
    throw new Error(`POST ${new URL(url).pathname} answered ${response.status}: ${text}`);
  }
  return JSON.parse(text) as Session;
}
