// The training of an assistant in its five stages: begun, halted, gone on with, cancelled, and once to its end.

import { join } from "node:path";
import { accessible, looked } from "./axe";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const report = Array.from({ length: 12 }, (_, index) => `Shelf ${index} holds the binders of the year ${1990 + index}.`).join("\n\n");

test("an assistant is trained in five stages, each in sight", async ({ page, context, server }) => {
  test.slow();
  const faults = await collectFaults(context);
  const { request } = context;
  await signUp(request, server.url);
  const post = async (path: string, data: object) => (await (await request.post(`${server.url}/api/v1${path}`, { data })).json()).data;
  const agent = await post("/agents", { name: "Archivist" });
  const file = { name: "report.txt", mimeType: "text/plain", buffer: Buffer.from(report) };
  await request.post(`${server.url}/api/v1/documents?agent_id=${agent.id}&kind=work_product`, { multipart: { file } });
  const read = async () => (await (await request.get(`${server.url}/api/v1/documents?agent_id=${agent.id}`)).json()).data.items[0];
  await expect.poll(async () => (await read()).examples, { timeout: 60_000 }).toBeGreaterThan(0);
  await post("/examples/review", { agent_id: agent.id, status: "approved" });

  await page.goto(`/assistants/${agent.id}/wizard/5`);
  const stage = (name: string) => page.getByRole("region", { name, exact: true });
  const training = page.getByRole("region", { name: "Training", exact: true });
  await test.step("what each stage would learn from", async () => {
    const coming = page.getByRole("main").locator("ol").getByRole("listitem");
    await expect(coming.filter({ hasText: "Foundation" })).toContainText("1 document");
    await expect(coming.filter({ hasText: "how you talk to people" })).toContainText("0 files");
    await expect(coming.filter({ hasText: "Personalization" })).toContainText(/\d+ approved examples?/);
    await expect(page.getByRole("radio").first()).toBeChecked();
    await looked(page, "stages-form");
  });

  await test.step("it begins, is paused, and waits", async () => {
    await page.getByLabel("Epochs").fill("100");
    await page.getByLabel("LoRA rank").fill("4");
    await page.getByRole("button", { name: "Train", exact: true }).click();
    await expect(page.getByRole("img", { name: "Loss by step of stage I" })).toBeVisible({ timeout: 60_000 });
    await expect(training.getByText("In training")).toBeVisible();
    await expect(training).toContainText("0 of 4 stages done");
    await expect(stage("Stage II: communications")).toContainText("The assistant had no communication with text.");
    await expect(stage("Stage III: work products")).toContainText("Starts once stage I has ended.");
    await expect(stage("Stage I: foundation").getByText(/^Step \d+ of \d+.* left$/)).toBeVisible({ timeout: 30_000 });
    await accessible(page);
    await stage("Stage I: foundation").getByRole("button", { name: "Pause" }).click();
    await expect(training.getByText("Halted")).toBeVisible({ timeout: 30_000 });
    await expect(stage("Stage V: personalization")).toContainText("Waits: stage I is paused. Resume that, and this goes on by itself.");
    await page.reload();
    await expect(stage("Stage I: foundation").getByText("Paused", { exact: true })).toBeVisible();
    await expect(page.getByRole("img", { name: "Loss by step of stage I" })).toBeVisible();
    await stage("Stage I: foundation").getByRole("button", { name: "Resume" }).click();
    await expect(training.getByText("In training")).toBeVisible();
  });

  await test.step("it is cancelled as a whole", async () => {
    await training.getByRole("button", { name: "Cancel the training" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel all stages" }).click();
    await expect(training.getByText("Given up")).toBeVisible();
    await expect(stage("Stage I: foundation").getByText("Cancelled", { exact: true })).toBeVisible({ timeout: 30_000 });
    await expect(stage("Stage III: work products")).toContainText("The training was cancelled before this stage.");
    await accessible(page);
  });

  await test.step("another one comes to its end, by keyboard and on a small screen", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByRole("button", { name: "Train again with other settings" }).focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("radio").first()).toBeChecked();
    await page.getByLabel("Epochs").fill("2");
    await page.getByLabel("LoRA rank").fill("4");
    await page.getByLabel("LoRA rank").press("Enter");
    await expect(page.getByText("The model is trained, and the assistant answers with it.")).toBeVisible({ timeout: 180_000 });
    await expect(training).toContainText("4 of 4 stages done.");
    for (const name of ["Stage I: foundation", "Stage III: work products", "Stage IV: instructions", "Stage V: personalization"]) {
      await expect(stage(name).getByText("Succeeded", { exact: true })).toBeVisible();
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    await looked(page, "stages-done");
    await stage("Stage V: personalization").getByRole("link", { name: "Log, checkpoints and all measurements" }).click();
    await expect(page.getByRole("link", { name: "V: personalization" })).toBeVisible();
    await page.goBack();
    await page.getByRole("link", { name: "Chat with it" }).click();
    await expect(page.getByLabel("Your message")).toBeVisible();
  });
  expect(faults).toEqual([]);
});
