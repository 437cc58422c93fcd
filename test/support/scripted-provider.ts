import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout } from "node:timers/promises";
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair, importSPKI, jwtVerify, SignJWT } from "jose";
import { closeServer, listenOnLoopback } from "../../scripts/local/listen.ts";

/** What a code of this provider says, in base64url of JSON: how the exchange of it ends. */
interface Script {
  /** Of the ID token, over the usual ones; null takes one away. */
  claims?: Record<string, unknown>;
  alg?: "ES256" | "RS256" | "EdDSA" | "HS256" | "none";
  /** Signs with a key that the provider does not publish, under the name of one that it does. */
  isForged?: boolean;
  /** Of the authorization request: the verifier must fit it. */
  codeChallenge?: string;
  failure?: keyof typeof failures;
  /** What GitHub's API answers. */
  user?: unknown;
  emails?: unknown;
}

/** How an endpoint fails: by the script's word, or by the first part of the path behind /broken/. */
const failures = {
  error: (response: ServerResponse) => void response.writeHead(500).end("<script>alert('a secret of theirs')</script>"),
  refused: (response: ServerResponse) =>
    answerJson(response, { error: "invalid_grant", error_description: "a secret of theirs" }, 400),
  garbage: (response: ServerResponse) => void response.writeHead(200, { "content-type": "application/json" }).end("{"),
  html: (response: ServerResponse) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
  moved: (response: ServerResponse) => void response.writeHead(302, { location: "/apple/token" }).end(),
  cut: (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 1000 });
    response.write("{", () => response.destroy());
  },
  silent: () => undefined,
  huge: async (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json" });
    while (!response.destroyed) {
      response.write(`"${"x".repeat(65_536)}",`);
      await setTimeout(1);
    }
  },
};

export interface ScriptedProvider {
  url: string;
  /** Apple's .p8 file of the one client. */
  applePrivateKey: string;
  close(): Promise<void>;
}

const answerJson = (response: ServerResponse, body: unknown, status = 200) =>
  void response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(body));

/**
 * Starts models of providers that no test may ask: Microsoft's with an issuer for each tenant, Apple's with a signed
 * client secret, GitHub's OAuth 2 and API, and one at /scripted. Each does what the code says that it is given.
 */
export async function startScriptedProvider(): Promise<ScriptedProvider> {
  const server = createServer();
  const url = `http://127.0.0.1:${await listenOnLoopback(server)}`;
  const apple = await generateKeyPair("ES256", { extractable: true });
  const applePublicKey = await exportSPKI(apple.publicKey);
  const algorithms = ["ES256", "RS256", "EdDSA"] as const;
  const forged = await generateKeyPair("ES256");
  const pairs = await Promise.all(algorithms.map((alg) => generateKeyPair(alg, { extractable: true })));
  const jwks = await Promise.all(
    algorithms.map(async (alg, n) => ({
      ...(await exportJWK((pairs[n] ?? forged).publicKey)),
      alg,
      kid: alg,
      use: "sig",
    })),
  );

  const sign = async (claims: Record<string, unknown>, { alg = "ES256", isForged }: Script): Promise<string> => {
    if (alg === "none") return `${encode({ alg: "none" })}.${encode(claims)}.`;
    const key =
      alg === "HS256"
        ? new TextEncoder().encode("a-client-secret-of-the-scripted-provider")
        : isForged
          ? forged.privateKey
          : (pairs[algorithms.indexOf(alg)] ?? forged).privateKey;
    return new SignJWT(claims).setProtectedHeader({ alg, kid: alg }).sign(key);
  };

  const answerToken = async (place: string, request: IncomingMessage, response: ServerResponse) => {
    const form = new URLSearchParams(await readText(request));
    const code = form.get("code") ?? "";
    const script = readScript(code);
    if (script.failure) return failures[script.failure](response);
    const verifier = form.get("code_verifier") ?? "";
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    if (script.codeChallenge !== undefined && script.codeChallenge !== challenge) return failures.refused(response);
    const clientId = form.get("client_id") ?? "";
    if (!(await isClient(place, clientId, form.get("client_secret") ?? ""))) return failures.refused(response);
    if (place === "github")
      return answerJson(response, { access_token: code, token_type: "bearer", scope: "user:email" });
    const now = Math.floor(Date.now() / 1000);
    const usual = { iss: `${url}/${place}`, aud: clientId, iat: now, exp: now + 300, sub: "somebody" };
    const claims = Object.entries({ ...usual, ...script.claims }).filter(([, value]) => value !== null);
    const idToken = await sign(Object.fromEntries(claims), script);
    answerJson(response, { access_token: "an-access-token", token_type: "Bearer", expires_in: 300, id_token: idToken });
  };

  /** Apple's secret is a JWT of its client's; that of all others is one. */
  const isClient = async (place: string, clientId: string, secret: string): Promise<boolean> => {
    if (place !== "apple") return secret === "a-client-secret-of-the-scripted-provider";
    const options = { issuer: "TEAM123456", subject: clientId, audience: `${url}/apple`, maxTokenAge: "180 days" };
    const { protectedHeader } = await jwtVerify(secret, await importSPKI(applePublicKey, "ES256"), options);
    return protectedHeader.kid === "KEY1234567";
  };

  const answerApi = (request: IncomingMessage, response: ServerResponse, path: string) => {
    const script = readScript(request.headers.authorization?.replace("Bearer ", "") ?? "");
    if (!request.headers["user-agent"]) return void response.writeHead(403).end();
    answerJson(response, path.endsWith("/emails") ? script.emails : script.user);
  };

  server.on("request", (request, response) => {
    const { pathname } = new URL(request.url ?? "", url);
    const [, place = "", ...rest] = pathname.split("/");
    const failure = place === "broken" && failures[rest[0] as keyof typeof failures];
    const tenant = rest[0] === "common" ? "{tenantid}" : rest[0];
    const issuer = place === "microsoft" ? `${url}/microsoft/${tenant}/v2.0` : `${url}/${place}`;
    if (failure) void failure(response);
    else if (pathname.endsWith("/openid-configuration")) answerJson(response, metadataOf(issuer, `${url}/${place}`));
    else if (pathname.endsWith("/keys")) answerJson(response, { keys: jwks });
    else if (pathname.startsWith("/github/api/")) answerApi(request, response, pathname);
    else void answerToken(place, request, response).catch(() => failures.error(response));
  });
  return { url, applePrivateKey: await exportPKCS8(apple.privateKey), close: () => closeServer(server) };
}

const metadataOf = (issuer: string, base: string) => ({
  issuer: base.endsWith("/elsewhere") ? "https://accounts.google.com" : issuer,
  authorization_endpoint: `${base}/authorize`,
  token_endpoint: `${base}/token`,
  jwks_uri: `${base}/keys`,
  id_token_signing_alg_values_supported: ["ES256", "RS256", "EdDSA"],
  token_endpoint_auth_methods_supported: ["client_secret_post"],
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

const readScript = (code: string): Script => JSON.parse(Buffer.from(code, "base64url").toString("utf8"));

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
