// A provider of language models that a test scripts: it speaks as much of OpenAI's API as the server asks for.

import { type IncomingMessage, createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Peer {
  url: string;
  close(): void;
}

/** `answer` makes a status and a body of each request. */
export async function startPeer(
  answer: (request: IncomingMessage, body: string) => [number, object],
  headers: Record<string, string> = {},
): Promise<Peer> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (piece) => (body += piece));
    request.on("end", () => {
      const [status, value] = answer(request, body);
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(value));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return { url, close: () => server.closeAllConnections() };
}

/** A whole answer with this text. */
export function completion(content: string): [number, object] {
  const message = { role: "assistant", content };
  const usage = { prompt_tokens: 1200, completion_tokens: 300 };
  return [200, { model: "small-1-2026", usage, choices: [{ index: 0, finish_reason: "stop", message }] }];
}
