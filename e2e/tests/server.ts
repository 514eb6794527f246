// A server of its own for each test, on a free port with an empty data directory. It dies with the test.

import { test as base } from "@playwright/test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const repository = join(__dirname, "../..");

/** A document to upload. */
export const fixture = (name: string) => join(repository, "crates/ingest/tests/fixtures", name);

export class Server {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly data: string,
  ) {}

  /** `more` are settings beside the usual ones. */
  static async start(more: Record<string, string> = {}): Promise<Server> {
    const binary = process.env.CEREBROS_BIN;
    if (!binary) throw new Error("CEREBROS_BIN is not set: run the tests through `just test`");
    const data = mkdtempSync(join(tmpdir(), "cerebros-e2e-"));
    const child = spawn(binary, ["serve"], {
      env: {
        ...process.env,
        DATA_DIR: data,
        BIND: "127.0.0.1:0",
        LOG: "warn",
        OUTBOX: "1",
        RATE_LIMIT_SIGN_IN: "1000000",
        ALLOWED_NETWORKS: "127.0.0.0/8",
        ...more,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout! }).on("line", (line) => {
        const found = /ready at (\S+)/.exec(line);
        if (found) resolve(found[1]);
      });
      child.once("exit", (code) => reject(new Error(`the server left with ${code}`)));
    });
    return new Server(url, child, data);
  }

  async stop(): Promise<void> {
    const left = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await left;
    rmSync(this.data, { recursive: true, force: true });
  }

  /** An account with an API key, made as a script makes them. */
  async apiKey(email = "script@example.org"): Promise<string> {
    const headers = { "content-type": "application/json" };
    const person = { email, password: "correct horse battery", name: "Script" };
    const signedUp = await fetch(`${this.url}/api/v1/auth/sign-up`, {
      method: "POST",
      headers,
      body: JSON.stringify(person),
    });
    const cookie = signedUp.headers.get("set-cookie")!.split(";")[0];
    const made = await fetch(`${this.url}/api/v1/api-keys`, {
      method: "POST",
      headers: { ...headers, cookie },
      body: JSON.stringify({ name: "e2e" }),
    });
    return (await made.json()).data.secret;
  }
}

export const test = base.extend<{ server: Server }>({
  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.stop();
  },
  baseURL: async ({ server }, use) => use(server.url),
});

export { expect } from "@playwright/test";

/** The shell script of the README. */
export function walkthrough(): string {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const found = /<!-- walkthrough -->\s*```sh\n([\s\S]*?)```/.exec(readme);
  if (!found) throw new Error("the README has no walkthrough");
  return found[1];
}
