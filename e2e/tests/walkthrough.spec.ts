// The README's shell script, as it stands there.

import { execFile } from "node:child_process";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, repository, test, walkthrough } from "./server";

test("curl and jq alone go from an account to a streamed answer", async ({ server }) => {
  const directory = mkdtempSync(join(tmpdir(), "cerebros-walkthrough-"));
  const files = join(repository, "crates/ingest/tests/fixtures");
  const { stdout } = await promisify(execFile)("bash", ["-c", walkthrough()], {
    cwd: directory,
    env: { ...process.env, URL: server.url, FILES: files },
  });
  expect(stdout).toMatch(/remote-work-policy\.pdf: ready, \d+ examples/);
  expect(stdout).toContain("data: [DONE]");
  expect(statSync(join(directory, "adapter.zip")).size).toBeGreaterThan(10_000);
  const losses = /"initial_validation_loss": ([\d.]+),\s+"validation_loss": ([\d.]+)/.exec(stdout)!;
  expect(Number(losses[2])).toBeLessThan(Number(losses[1]));
  expect(stdout).toMatch(/remote-work-policy\.pdf, page \d/);
});
