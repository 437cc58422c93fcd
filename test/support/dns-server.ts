import { createServer, type ServerResponse } from "node:http";
import { closeServer, listenOnLoopback } from "../../scripts/local/listen.ts";

interface Question {
  name: string;
  values: string[];
}

const answerJson = (response: ServerResponse, body: unknown) =>
  void response.writeHead(200, { "content-type": "application/dns-json" }).end(JSON.stringify(body));

const found = ({ name, values }: Question, show: (value: string) => string = JSON.stringify) => ({
  Status: 0,
  TC: false,
  Question: [{ name, type: 16 }],
  Answer: values.map((value) => ({ name, type: 16, TTL: 60, data: show(value) })),
});

/** How the resolver answers, by the first part of the path. */
const answers: Record<string, (response: ServerResponse, question: Question) => void> = {
  ok: (response, question) =>
    answerJson(
      response,
      question.values.length > 0 ? found(question) : { Status: 3, Question: [{ name: question.name, type: 16 }] },
    ),
  // Google's shows no quotes.
  plain: (response, question) =>
    answerJson(
      response,
      found(question, (value) => value),
    ),
  split: (response, question) =>
    answerJson(
      response,
      found(question, (value) => `"${value.slice(0, 20)}" "${value.slice(20)}"`),
    ),
  alias: (response, question) => {
    const { Answer, ...rest } = found(question);
    const alias = { name: question.name, type: 5, TTL: 60, data: "challenges.elsewhere.example." };
    answerJson(response, { ...rest, Answer: [alias, ...Answer] });
  },
  otherType: (response, question) => {
    const whole = found(question);
    answerJson(response, { ...whole, Answer: whole.Answer.map((record) => ({ ...record, type: 5 })) });
  },
  servfail: (response, question) => answerJson(response, { ...found(question), Status: 2 }),
  error: (response, question) => void response.writeHead(500).end(JSON.stringify(found(question))),
  moved: (response) => void response.writeHead(302, { location: "/ok/dns-query" }).end(),
  garbage: (response) => void response.end("<html>Sign in to the hotel's network</html>"),
  wrong: (response) => answerJson(response, { Status: "0", Answer: "yes" }),
  huge: (response) => void response.end(`"${"x".repeat(200_000)}"`),
  cut: (response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write("{", () => response.destroy());
  },
};

/**
 * Starts a model of a resolver with DNS over HTTPS, in JSON, at `/<answer>/dns-query`. PUT /records/<name> with an
 * array sets the TXT records of a name, or the addresses of a host; how often one was asked for is at GET /asked/<name>.
 */
export async function startDnsServer(): Promise<{ url: string; close(): Promise<void> }> {
  const records = new Map<string, string[]>();
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    const [, kind = "", path = ""] = url.pathname.split("/");
    if (kind === "asked") return void response.end(String(asked.get(path) ?? 0));
    if (kind === "records") {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        records.set(path, JSON.parse(Buffer.concat(chunks).toString("utf8")));
        response.end();
      });
      return;
    }
    const name = url.searchParams.get("name") ?? "";
    const type = url.searchParams.get("type") ?? "";
    // Of a host that has them set: A and AAAA, told apart by their colons.
    if (kind === "ok" && (type === "A" || type === "AAAA")) {
      const values = (records.get(name) ?? []).filter((value) => value.includes(":") === (type === "AAAA"));
      const Answer = values.map((data) => ({ name, type: type === "A" ? 1 : 28, TTL: 60, data }));
      return answerJson(response, { Status: values.length > 0 ? 0 : 3, Answer });
    }
    asked.set(name, (asked.get(name) ?? 0) + 1);
    const isQuestion = url.searchParams.get("type") === "TXT" && request.headers.accept === "application/dns-json";
    const answer = isQuestion && path === "dns-query" ? answers[kind] : undefined;
    if (answer) answer(response, { name, values: records.get(name) ?? [] });
    else response.writeHead(400).end();
  });
  const port = await listenOnLoopback(server);
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) };
}
