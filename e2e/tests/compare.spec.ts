// A trained model as a person judges it: compared with its base without knowing which is which, judged by a language model,
// and taken elsewhere.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { looked } from "./axe";
import { collectFaults } from "./faults";
import { completion, startPeer } from "./peer";
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

/** What a judge is asked, read out of its marks. */
function material(body: string): { prompt: string; answer_a: string; answer_b: string } {
  const lines = JSON.parse(body).messages.at(-1).content.split("\n");
  return JSON.parse(lines.slice(1, -1).join("\n"));
}

test("a model is compared with its base, voted on, judged, exported, and trained further", async ({ page, context, server }) => {
  test.slow();
  const faults = await collectFaults(context);
  const { request } = context;
  await signUp(request, server.url);
  const api = async (path: string) => (await (await request.get(`${server.url}/api/v1${path}`)).json()).data;
  const file = { name: "shelves.jsonl", mimeType: "application/octet-stream", buffer: Buffer.from(rows) };
  const uploaded = await request.post(`${server.url}/api/v1/datasets/upload`, { multipart: { file } });
  const dataset = (await uploaded.json()).data;
  await expect.poll(async () => (await api(`/datasets/${dataset.id}`)).status).toBe("ready");
  const base = (await api("/bases")).items[0];
  const data = { dataset_id: dataset.id, base_id: base.id, parameters: { epochs: 2, max_seq_length: 128, learning_rate: 0.003 } };
  const job = (await (await request.post(`${server.url}/api/v1/jobs`, { data })).json()).data;
  await expect.poll(async () => (await api(`/jobs/${job.id}`)).status, { timeout: 90_000 }).toBe("succeeded");
  const { model_id } = await api(`/jobs/${job.id}`);

  // The comparison, by keys alone.
  await page.goto(`/models/${model_id}`);
  await page.getByRole("link", { name: "Compare" }).press("Enter");
  await expect(page).toHaveURL(/\/compare$/);
  await page.getByRole("button", { name: "Let both answer" }).press("Enter");
  await expect(page.getByText("Must be 1 to 20 prompts")).toBeVisible();
  await page.getByLabel("Prompts").fill(`Why?\n${"x".repeat(4001)}`);
  await page.getByRole("button", { name: "Let both answer" }).press("Enter");
  await expect(page.getByText("Must each have 1 to 4000 characters")).toBeVisible();
  await page.getByLabel("Prompts").fill("");
  await page.getByLabel("Prompts").pressSequentially("What is stored on shelf 3?\nWhat is stored on shelf 30?");
  await looked(page, "compare");
  await page.getByRole("button", { name: "Let both answer" }).press("Enter");
  await expect(page).toHaveURL(/\/comparisons\//);
  await expect(page.getByText("All answered")).toBeVisible({ timeout: 60_000 });
  const first = page.getByRole("region", { name: "Prompt 1" });
  const second = page.getByRole("region", { name: "Prompt 2" });
  await expect(first.getByRole("heading", { name: "Left", exact: true })).toBeVisible();

  // A judge is not there until there is a language model. It may fail; what it says waits for the vote.
  const panel = page.locator("section", { has: page.getByRole("heading", { name: "A language model's judgement" }) });
  await expect(panel.getByRole("link", { name: "choose one in the settings" })).toHaveAttribute("href", "/settings/language-model");
  await looked(page, "comparison-without-judge");
  let broken = true;
  const peer = await startPeer((_, body) => {
    const { prompt, answer_a, answer_b } = material(body);
    const moves = prompt.includes("30");
    if (moves && broken) return [400, { error: { message: "It is too warm in here." } }];
    const winner = moves || answer_a > answer_b ? "A" : answer_a < answer_b ? "B" : "tie";
    return completion(JSON.stringify({ reason: "It names the shelf.", score_a: winner === "A" ? 4 : 2, score_b: winner === "B" ? 4 : 2, winner }));
  });
  const settings = { provider: "openai", base_url: peer.url, model: "small-1" };
  const saved = await request.put(`${server.url}/api/v1/llm-settings`, { data: settings, headers: { "if-match": "*" } });
  expect(saved.status()).toBe(200);
  const price = { prompt_micros: 1_000_000, completion_micros: 10_000_000 };
  expect((await request.put(`${server.url}/api/v1/prices/openai/small-1`, { data: price })).ok()).toBe(true);
  await expect(panel.getByText("4 questions to small-1")).toBeVisible();
  await looked(page, "comparison-before-judge");
  await panel.getByRole("button", { name: "Let it judge" }).press("Enter");
  await expect(panel.getByText("1 of 2")).toBeVisible();
  await expect(panel.getByText("1 prompt was not judged: it says why below.")).toBeVisible();
  await expect(second.getByText("It is too warm in here.")).toBeVisible();
  await expect(first.getByText("Judged. The verdict shows after the vote.")).toBeVisible();
  await expect(page.getByText("It names the shelf.")).toHaveCount(0);
  await expect(panel.getByText("For the model")).toHaveCount(0);
  await looked(page, "comparison-half-judged");
  broken = false;
  await panel.getByRole("button", { name: "Judge the rest" }).press("Enter");
  await expect(panel.getByText("2 of 2")).toBeVisible();
  await expect(panel.getByRole("button")).toHaveCount(0);

  await first.getByRole("button", { name: "Left is better" }).press("Enter");
  await expect(first.getByText("Voted: left is better.")).toBeVisible();
  await expect(first.getByRole("heading", { name: /^Left .+ Better$/ })).toBeVisible();
  await expect(first.getByText(/^small-1-2026: .+ is better\.$/)).toBeVisible();
  await expect(first.getByText("Left as A, right as B")).toBeVisible();
  await expect(second.getByText("Judged. The verdict shows after the vote.")).toBeVisible();
  await expect(panel.getByText("1 verdict shows after the vote on its prompt.")).toBeVisible();
  await second.getByRole("button", { name: "Both bad" }).press("Enter");
  await expect(second.getByText(/^small-1-2026: undecided/)).toBeVisible();
  await expect(panel.getByText("0 equally good, 1 undecided")).toBeVisible();
  await expect(panel.getByText(/It agrees with the vote on [01] of 1 prompt\. It cost \$0\.0168\./)).toBeVisible();
  const votes = page.locator("section", { has: page.getByRole("heading", { name: "Votes" }) });
  await expect(votes.getByText("2 of 2")).toBeVisible();
  await looked(page, "comparison");
  await page.reload();
  await expect(first.getByText("Voted: left is better.")).toBeVisible();
  await expect(first.getByText("Left as A, right as B")).toBeVisible();
  peer.close();

  // The export, with what vouches for it.
  await page.goto(`/models/${model_id}`);
  const exports = page.locator("section", { has: page.getByRole("heading", { name: "For other programs" }) });
  await exports.getByRole("button", { name: "Export GGUF adapter" }).press("Enter");
  await expect(exports.getByText("160 of 160 words after 20 prompts are the same")).toBeVisible({ timeout: 60_000 });
  const downloading = page.waitForEvent("download");
  await exports.getByRole("link", { name: "Download GGUF adapter" }).press("Enter");
  const bytes = readFileSync(await (await downloading).path());
  const { sha256 } = (await api(`/models/${model_id}/exports`)).items[0];
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
  await exports.getByText("SHA-256 of the file").click();
  await expect(exports.getByText(sha256)).toBeVisible();
  await looked(page, "model");
  await exports.getByRole("button", { name: "Delete the file: GGUF adapter" }).press("Enter");
  await expect(exports.getByRole("button", { name: "Export GGUF adapter" })).toBeVisible();

  // Trained further, it keeps its shape and says what it came from.
  const { rank } = (await api(`/jobs/${model_id}`)).parameters;
  await page.getByRole("link", { name: "Train further" }).press("Enter");
  await expect(page.getByLabel("Adapter", { exact: true })).toHaveValue(model_id);
  await expect(page.getByLabel("LoRA rank")).toHaveValue(String(rank));
  await page.getByRole("button", { name: "Quality", exact: true }).press("Enter");
  await expect(page.getByLabel("Epochs", { exact: true })).toHaveValue("5");
  await expect(page.getByLabel("LoRA rank")).toHaveValue(String(rank));
  await expect(page.getByText(/^About \d/)).toBeVisible();
  await looked(page, "train-further");
  await page.getByLabel("Epochs", { exact: true }).fill("1");
  await page.getByRole("button", { name: "Train", exact: true }).press("Enter");
  await expect(page.getByRole("link", { name: "A model" })).toHaveAttribute("href", `/models/${model_id}`);
  await page.getByRole("link", { name: "See the model" }).press("Enter");
  await expect(page.getByRole("heading", { name: "Went on from" })).toBeVisible();
  expect(faults).toEqual([]);
});
