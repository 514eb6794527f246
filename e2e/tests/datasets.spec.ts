// A dataset through its versions: what training is measured on is chosen, the next version is made of chosen rows and compared,
// and one is deleted and restored.

import { join } from "node:path";
import { looked } from "./axe";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const row = (question: string) =>
  JSON.stringify({ messages: [{ role: "user", content: question }, { role: "assistant", content: "Your direct manager." }] });
const rows = Array.from({ length: 18 }, (_, index) => row(`Who approves request ${index} of this year?`));
const file = [...rows, rows[3], rows[4], '{"messages": [{"role": "user", "content": "Nobody answered this."}]}'].join("\n");

test("a dataset is split, filtered into a next version, compared, deleted and restored", async ({ page, context, server }) => {
  test.slow();
  const faults = await collectFaults(context);
  const { request } = context;
  await signUp(request, server.url);
  const api = async (path: string) => (await (await request.get(`${server.url}/api/v1${path}`)).json()).data;
  const sent = { name: "requests.jsonl", mimeType: "application/octet-stream", buffer: Buffer.from(file) };
  const uploaded = await request.post(`${server.url}/api/v1/datasets/upload`, { multipart: { file: sent } });
  const first = (await uploaded.json()).data;
  await expect.poll(async () => (await api(`/datasets/${first.id}`)).status).toBe("ready");

  await page.goto(`/datasets/${first.id}`);
  await page.getByLabel("Kept out, in %").fill("80");
  await page.getByRole("button", { name: "Choose for this version" }).press("Enter");
  await expect(page.getByText("must be 0 to 50")).toBeVisible();
  await page.getByLabel("Kept out, in %").fill("25");
  await looked(page, "dataset-choose");
  await page.getByRole("button", { name: "Choose for this version" }).press("Enter");
  await expect(page.getByRole("link", { name: "Rows to measure on" })).toBeVisible();
  expect((await api(`/datasets/${first.id}`)).split).toEqual({ validation_fraction: 0.25, seed: 42, train_rows: 15, validation_rows: 5 });

  await page.getByRole("button", { name: "Measure lengths" }).press("Enter");
  await expect(page.getByText("Rows cut")).toBeVisible();
  await page.getByLabel("Cut rows at").fill("9000");
  await expect(page.getByText("must be 16 to 8192")).toBeVisible();
  await page.getByLabel("Cut rows at").fill("40");
  await expect(page.getByText("20 of 20")).toBeVisible();
  await looked(page, "dataset-lengths");

  await page.getByRole("button", { name: "Versions" }).press("Enter");
  await page.getByRole("button", { name: "Make the version" }).press("Enter");
  await expect(page.getByText(/Must be chosen, or another filter/)).toBeVisible();
  await page.getByLabel("Without exact copies of earlier rows").check();
  await looked(page, "dataset-versions");
  await page.getByRole("button", { name: "Make the version" }).press("Enter");
  await expect(page).not.toHaveURL(new RegExp(first.id));
  const second = page.url().split("/").pop()!.split("?")[0];
  await expect(page.getByText("Chosen rows", { exact: true }).first()).toBeVisible();
  await page.getByRole("button", { name: "Versions" }).press("Enter");
  await page.getByRole("button", { name: "Compare with version 1" }).press("Enter");
  const comparison = page.getByRole("region", { name: "Comparison" });
  await expect(comparison.getByText("Compared with version 1")).toBeVisible();
  await expect(comparison.getByText("No such row")).toBeVisible();
  await comparison.getByRole("button", { name: "Rows that are gone" }).press("Enter");
  await expect(comparison.getByText("Line 19")).toBeVisible();
  await expect(comparison.getByRole("listitem")).toHaveCount(2);
  await looked(page, "dataset-compared");

  await page.getByRole("button", { name: "Delete" }).press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "Delete dataset" }).press("Enter");
  await expect(page).toHaveURL(/\/datasets$/);
  // The version before it is the newest now.
  await expect(page.getByRole("link", { name: "requests.jsonl" })).toHaveAttribute("href", `/datasets/${first.id}`);
  await page.getByLabel("Which datasets").selectOption({ label: "Deleted" });
  await expect(page.getByRole("columnheader", { name: "Kept until" })).toBeVisible();
  await expect(page.getByRole("link", { name: "requests.jsonl" })).toHaveAttribute("href", `/datasets/${second}`);
  await looked(page, "datasets-deleted");
  await page.getByRole("link", { name: "requests.jsonl" }).press("Enter");
  await expect(page.getByText(/This version is deleted/)).toBeVisible();
  await looked(page, "dataset-deleted");
  await page.getByRole("button", { name: "Restore" }).press("Enter");
  await expect(page.getByText(/This version is deleted/)).toHaveCount(0);
  expect((await api("/datasets")).items.map((dataset: { id: string }) => dataset.id)).toEqual([second]);
  expect(faults).toEqual([]);
});
