// Training as a person steers it: what it takes is told while one types; then it is paused, resumed and cancelled, with its
// checkpoints in sight.

import { join } from "node:path";
import { accessible, looked } from "./axe";
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

test("a job is estimated, started, paused, resumed and cancelled", async ({ page, context, server }) => {
  test.slow();
  const faults = await collectFaults(context);
  const { request } = context;
  await signUp(request, server.url);
  const api = async (path: string) => (await (await request.get(`${server.url}/api/v1${path}`)).json()).data;
  const file = { name: "shelves.jsonl", mimeType: "application/octet-stream", buffer: Buffer.from(rows) };
  const uploaded = await request.post(`${server.url}/api/v1/datasets/upload`, { multipart: { file } });
  const dataset = (await uploaded.json()).data;
  await expect.poll(async () => (await api(`/datasets/${dataset.id}`)).status).toBe("ready");

  await page.goto(`/datasets/${dataset.id}/train`);
  await expect(page.getByText(/over 22 rows, 2 kept/)).toBeVisible({ timeout: 30_000 });
  await page.getByRole("button", { name: "Fast" }).click();
  await expect(page.getByLabel("Epochs")).toHaveValue("1");
  await expect(page.getByText(/^6 steps over 22 rows, 2 kept for validation$/)).toBeVisible({ timeout: 30_000 });
  for (const [label, value] of [["Epochs", "100"], ["LoRA rank", "4"], ["Batch size", "2"]]) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
  await expect(page.getByText(/^1,100 steps over 22 rows/)).toBeVisible({ timeout: 30_000 });
  await accessible(page);
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await expect(page).toHaveURL(/\/training\//);
  const job = { id: page.url().split("/").pop() };
  const progress = page.getByRole("region", { name: "Progress" });
  const checkpoints = page.getByRole("region", { name: "Checkpoints" });
  await expect(checkpoints.getByRole("row")).not.toHaveCount(0, { timeout: 60_000 });
  await progress.getByRole("button", { name: "Pause" }).click();
  await expect(progress.getByText("Paused", { exact: true })).toBeVisible({ timeout: 30_000 });
  const { step } = await api(`/jobs/${job.id}`);
  await expect(checkpoints.getByRole("cell", { name: String(step), exact: true })).toBeVisible();
  const adapter = checkpoints.getByRole("link", { name: new RegExp(`adapter of step ${step}$`) });
  const [download] = await Promise.all([page.waitForEvent("download"), adapter.click()]);
  expect(download.suggestedFilename()).toBe(`adapter-${job.id}-step-${step}.zip`);
  await looked(page, "job-paused");

  await progress.getByRole("button", { name: "Resume" }).click();
  await expect.poll(async () => (await api(`/jobs/${job.id}`)).step, { timeout: 30_000 }).toBeGreaterThan(step);
  await progress.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel training" }).click();
  await expect(progress.getByText("Cancelled", { exact: true })).toBeVisible({ timeout: 30_000 });
  await expect(progress.getByRole("button", { name: "Resume" })).toBeVisible();
  expect(faults).toEqual([]);
});

test("pairs of answers are trained on by DPO, and the best and worst rows are shown", async ({ page, context, server }) => {
  test.slow();
  const faults = await collectFaults(context);
  const { request } = context;
  await signUp(request, server.url);
  const pairs = Array.from({ length: 12 }, (_, index) =>
    JSON.stringify({
      input: { messages: [{ role: "user", content: `What is stored on shelf ${index}?` }] },
      preferred_output: [{ role: "assistant", content: `Shelf ${index} holds binders.` }],
      non_preferred_output: [{ role: "assistant", content: `Who knows what is on shelf ${index}.` }],
    }),
  ).join("\n");
  const file = { name: "pairs.jsonl", mimeType: "application/octet-stream", buffer: Buffer.from(pairs) };
  const uploaded = await request.post(`${server.url}/api/v1/datasets/upload`, { multipart: { file } });
  const dataset = (await uploaded.json()).data;
  const status = async () => (await (await request.get(`${server.url}/api/v1/datasets/${dataset.id}`)).json()).data.status;
  await expect.poll(status).toBe("ready");
  const split = await request.post(`${server.url}/api/v1/datasets/${dataset.id}/split`, { data: { validation_fraction: 0.25 } });
  expect(split.status()).toBe(200);

  await page.goto(`/datasets/${dataset.id}`);
  await expect(page.getByText(/direct preference optimisation \(DPO\)/)).toBeVisible();
  await page.goto(`/datasets/${dataset.id}/train`);
  await expect(page.getByText(/the method is direct preference optimisation \(DPO\)/)).toBeVisible();
  await expect(page.getByText(/over 9 pairs, 3 kept/)).toBeVisible({ timeout: 30_000 });
  await page.getByLabel("Beta").fill("0.2");
  await page.getByLabel("Epochs").fill("6");
  await page.getByLabel("Learning rate").fill("0.003");
  await page.getByText("Advanced settings").click();
  await page.getByLabel("Base in memory").selectOption({ label: "Four bits: NF4 (QLoRA)" });
  await expect(page.getByText(/over 9 pairs, 3 kept/)).toBeVisible({ timeout: 30_000 });
  await looked(page, "dpo-form");
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await expect(page.getByText("The model is trained.")).toBeVisible({ timeout: 120_000 });
  await expect(page.getByText("DPO, beta 0.2")).toBeVisible();
  await expect(page.getByText("four bits (NF4)")).toBeVisible();
  await expect(page.getByRole("region", { name: "Said best" }).getByRole("listitem")).toHaveCount(2);
  const worst = page.getByRole("region", { name: "Said worst" });
  await expect(worst.getByRole("listitem")).toHaveCount(1);
  await expect(worst.getByText(/^Who knows what is on shelf/)).toBeVisible();
  await page.getByLabel("Measure").selectOption({ label: "Reward margin" });
  await looked(page, "dpo-job");
  expect(faults).toEqual([]);
});
