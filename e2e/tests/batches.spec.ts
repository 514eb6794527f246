// Ordering examples, following the batch, and changing what a model would be asked.

import type { Page } from "@playwright/test";
import { looked } from "./axe";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const shelf = (index: number) =>
  `Shelf ${index} of the northern archive holds the binders of the year ${1950 + index}, which nobody may take home without ` +
  `the consent of keeper number ${index * 7}.\n\n`;

/** An assistant with a long reference and a short work product, both read. */
async function prepare(page: Page, url: string): Promise<string> {
  await signUp(page.request, url);
  const agent = (await (await page.request.post(`${url}/api/v1/agents`, { data: { name: "Archivist" } })).json()).data;
  const upload = async (kind: string, name: string, shelves: number) => {
    const buffer = Buffer.from(Array.from({ length: shelves }, (_, index) => shelf(index)).join(""));
    const path = `${url}/api/v1/documents?agent_id=${agent.id}&kind=${kind}`;
    const answer = await page.request.post(path, { multipart: { file: { name, mimeType: "text/plain", buffer } } });
    expect(answer.status()).toBe(201);
  };
  await upload("work_product", "shelves.txt", 20);
  await upload("reference", "archive.txt", 400);
  const ready = async () =>
    (await (await page.request.get(`${url}/api/v1/documents?agent_id=${agent.id}&status=ready`)).json()).data.total;
  await expect.poll(ready).toBe(2);
  return `/assistants/${agent.id}`;
}

test("examples are ordered with the keyboard, and the batch is followed to its end", async ({ page, server }) => {
  const faults = await collectFaults(page.context());
  const assistant = await prepare(page, server.url);
  await page.goto(`${assistant}?tab=generate`);
  await expect(page.getByText("1 passage, at most 5 examples")).toBeVisible();
  await expect(page.getByText("No language model is used")).toBeVisible();
  const work = page.getByRole("checkbox", { name: /shelves\.txt/ });
  await expect(work).toBeChecked();
  await work.focus();
  await page.keyboard.press("Space");
  await expect(page.getByText("Choose at least one document.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Start" })).toBeDisabled();
  await page.getByRole("checkbox", { name: /archive\.txt/ }).focus();
  await page.keyboard.press("Space");
  const passages = page.getByText(/^\d+ passages, at most \d+ examples$/);
  await expect(passages).toBeVisible();
  const count = Number(/^\d+/.exec((await passages.textContent())!)![0]);
  await page.getByLabel("Examples from each passage").focus();
  await page.keyboard.type("99");
  await page.getByRole("button", { name: "Start" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByText("must be 1 to 20")).toBeVisible();
  await page.getByLabel("Examples from each passage").fill("2");
  await expect(page.getByText(`${count} passages, at most ${2 * count} examples`)).toBeVisible();
  await looked(page, "generate");
  await page.getByLabel("Examples from each passage").press("Enter");

  await expect(page).toHaveURL(/\/batches\//);
  await expect(page.getByText(`${count} of ${count} passages`)).toBeVisible();
  await expect(page.getByText("Done", { exact: true }).first()).toBeVisible();
  await expect(page.getByText("the text itself, no language model")).toBeVisible();
  await page.getByLabel("Status").selectOption("failed");
  await expect(page.getByText("No passage is in this state.")).toBeVisible();
  await expect(page).toHaveURL(/status=failed/);
  await page.getByLabel("Status").selectOption("");
  await expect(page.getByRole("link", { name: "archive.txt" }).first()).toBeVisible();
  await looked(page, "batch");
  await page.getByRole("link", { name: "Review the examples" }).click();
  await expect(page).toHaveURL(/tab=examples&batch=/);
  await page.goto(`${assistant}?tab=generate`);
  await page.getByRole("link", { name: `${count} of ${count} passages` }).click();
  await expect(page.getByRole("heading", { name: "Batch", level: 1 })).toBeVisible();
  expect(faults).toEqual([]);
});

test("a template is changed, and an earlier version comes back", async ({ page, server }) => {
  const faults = await collectFaults(page.context());
  await signUp(page.request, server.url);
  await page.goto("/settings/templates?kind=table");
  const text = page.getByLabel("Instructions");
  await expect(text).toHaveValue(/rows of a table/);
  await expect(page.getByText("Version 1, built in")).toBeVisible();
  await expect(page.getByRole("button", { name: "Save as a new version" })).toBeDisabled();
  await text.fill("Ask about single rows only.");
  await page.getByRole("button", { name: "Save as a new version" }).click();
  await expect(page.getByText("Version 2, saved")).toBeVisible();
  await page.locator("summary", { hasText: "Version 1, built in" }).click();
  await looked(page, "templates");
  await page.getByRole("button", { name: "Use this version again" }).click();
  await expect(text).toHaveValue(/rows of a table/);
  await expect(page.getByText("Version 3, saved")).toBeVisible();
  await page.getByRole("link", { name: "Conversations" }).click();
  await expect(text).toHaveValue(/The passage is a conversation/);
  await page.reload();
  await expect(text).toHaveValue(/The passage is a conversation/);
  expect(faults).toEqual([]);
});
