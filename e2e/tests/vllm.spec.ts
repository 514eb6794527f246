// An assistant that a vLLM server hosts, as a person chooses it. The vLLM server is a script that says what vLLM says.

import { type IncomingMessage, type Server as HttpServer, createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { looked } from "./axe";
import { collectFaults } from "./faults";
import { Server, expect, test as base } from "./server";
import { fillWorkspace } from "./workspace";

interface Peer {
  url: string;
  loaded: Map<string, string>;
  stop(): Promise<void>;
}

async function startPeer(): Promise<Peer> {
  const loaded = new Map<string, string>();
  const server: HttpServer = createServer((request: IncomingMessage, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const body = parts.length ? JSON.parse(Buffer.concat(parts).toString()) : {};
      const answer = (status: number, body: object | string) => {
        response.writeHead(status, { "content-type": typeof body === "string" ? "text/plain" : "application/json" });
        response.end(typeof body === "string" ? body : JSON.stringify(body));
      };
      if (request.url === "/v1/models") {
        const adapters = [...loaded].map(([id, root]) => ({ id, root, parent: "cerebros-tiny" }));
        return answer(200, { object: "list", data: [{ id: "cerebros-tiny", root: "cerebros-tiny", parent: null }, ...adapters] });
      }
      if (request.url === "/v1/load_lora_adapter") {
        loaded.set(body.lora_name, body.lora_path);
        return answer(200, `Success: LoRA adapter '${body.lora_name}' added successfully.`);
      }
      if (request.url === "/v1/unload_lora_adapter") {
        loaded.delete(body.lora_name);
        return answer(200, `Success: LoRA adapter '${body.lora_name}' removed successfully.`);
      }
      if (!loaded.has(body.model)) {
        return answer(404, { error: { message: `The model \`${body.model}\` does not exist.`, type: "NotFoundError", code: 404 } });
      }
      const chunk = (choices: object[], usage: object | null) => `data: ${JSON.stringify({ choices, usage })}\n\n`;
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const content of ["The gate ", "opens at nine."]) response.write(chunk([{ index: 0, delta: { content }, finish_reason: null }], null));
      response.write(chunk([{ index: 0, delta: {}, finish_reason: "stop" }], null));
      response.end(chunk([], { prompt_tokens: 12, completion_tokens: 6 }) + "data: [DONE]\n\n");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  return { url, loaded, stop };
}

const test = base.extend<{ peer: Peer; server: Server }>({
  peer: async ({}, use) => {
    const peer = await startPeer();
    await use(peer);
    await peer.stop();
  },
  server: async ({ peer }, use) => {
    const directory = mkdtempSync(join(tmpdir(), "adapters-"));
    const server = await Server.start({ VLLM_URL: peer.url, VLLM_ADAPTERS_DIR: directory });
    await use(server);
    await server.stop();
    rmSync(directory, { recursive: true });
  },
});

test("an assistant is hosted by vLLM, answers, and is taken back", async ({ page, context, server, peer }) => {
  test.slow();
  const faults = await collectFaults(context);
  const pages = await fillWorkspace(context.request, server.url);
  await page.goto(pages.get("assistant-models")!);
  const host = page.getByRole("combobox", { name: "Answers come from" });
  await expect(host).toHaveValue("embedded");
  await host.selectOption("vLLM");
  await expect(page.getByText("Answers now, on vLLM")).toBeVisible();
  expect(peer.loaded.size).toBe(1);
  await looked(page, "assistant-host");
  await page.goto(pages.get("model")!);
  await expect(page.getByText("Answers with it on vLLM")).toBeVisible();
  await looked(page, "model-host");

  await page.goto(pages.get("assistant-chat")!);
  const box = page.getByRole("textbox", { name: "Your message" });
  await box.fill("When does the gate open?");
  await box.press("Enter");
  await expect(page.getByText("The gate opens at nine.")).toBeVisible();

  // Unloaded once it is embedded again.
  await page.goto(pages.get("assistant-models")!);
  await host.selectOption("This server");
  await expect(page.getByText("Answers now", { exact: true })).toBeVisible();
  await expect.poll(() => peer.loaded.size).toBe(0);
  expect(faults).toEqual([]);

  // What vLLM does not do is said, and nothing changes.
  await peer.stop();
  await host.selectOption("vLLM");
  await expect(page.getByText("cannot be reached right now")).toBeVisible();
  await expect(host).toHaveValue("embedded");
});
