// A training job as a person steers it: paused, resumed, cancelled, with its checkpoints in sight.

import AxeBuilder from "@axe-core/playwright";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const rows = Array.from({ length: 24 }, (_, index) =>
  JSON.stringify({
    messages: [
      { role: "user", content: `What is stored on shelf ${index}?` },
      { role: "assistant", content: `Shelf ${index} holds the binders of ${1990 + index}.` },
    ],
  }),
).join("\n");

test("a job is paused, resumed and cancelled, and shows its checkpoints", async ({ page, context, server }) => {
  test.slow();
  const faults = await collectFaults(context);
  const { request } = context;
  await signUp(request, server.url);
  const api = async (path: string) => (await (await request.get(`${server.url}/api/v1${path}`)).json()).data;
  const file = { name: "shelves.jsonl", mimeType: "application/octet-stream", buffer: Buffer.from(rows) };
  const uploaded = await request.post(`${server.url}/api/v1/datasets/upload`, { multipart: { file } });
  const dataset = (await uploaded.json()).data;
  await expect.poll(async () => (await api(`/datasets/${dataset.id}`)).status).toBe("ready");
  const data = {
    dataset_id: dataset.id,
    base_id: (await api("/bases")).items[0].id,
    parameters: { rank: 4, epochs: 100, batch_size: 2, max_seq_length: 128 },
  };
  const job = (await (await request.post(`${server.url}/api/v1/jobs`, { data })).json()).data;

  await page.goto(`/training/${job.id}`);
  const progress = page.getByRole("region", { name: "Progress" });
  const checkpoints = page.getByRole("region", { name: "Checkpoints" });
  await expect(checkpoints.getByRole("row")).not.toHaveCount(0, { timeout: 60_000 });
  await progress.getByRole("button", { name: "Pause" }).click();
  await expect(progress.getByText("Paused", { exact: true })).toBeVisible({ timeout: 30_000 });
  const { step } = await api(`/jobs/${job.id}`);
  await expect(checkpoints.getByRole("cell", { name: String(step), exact: true })).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id} at ${nodes.map((node) => node.target).join("; ")}`)).toEqual([]);

  await progress.getByRole("button", { name: "Resume" }).click();
  await expect.poll(async () => (await api(`/jobs/${job.id}`)).step, { timeout: 30_000 }).toBeGreaterThan(step);
  await progress.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel training" }).click();
  await expect(progress.getByText("Cancelled", { exact: true })).toBeVisible({ timeout: 30_000 });
  await expect(progress.getByRole("button", { name: "Resume" })).toBeVisible();
  expect(faults).toEqual([]);
});
