// The whole path of a person in the browser: from an account to a chat with a model of their own.

import { readFileSync } from "node:fs";
import { collectFaults } from "./faults";
import { expect, fixture, test } from "./server";

// A picture under a document's name.
const picture = {
  name: "scan.pdf",
  mimeType: "application/pdf",
  buffer: Buffer.from("89504e470d0a1a0a0000000d4948445200000001000000010806000000", "hex"),
};

test("a newcomer goes from the landing page to a chat with their own model", async ({ context, page, server }) => {
  const faults = await collectFaults(context);
  const main = page.getByRole("main");

  await test.step("sign up", async () => {
    await page.goto("/");
    await page.getByRole("link", { name: "Sign up" }).click();
    await page.getByLabel("Name").fill("Ada Lovelace");
    await page.getByLabel("E-mail").fill("ada@example.org");
    await page.getByLabel("Password", { exact: true }).fill("short");
    await page.getByRole("button", { name: "Sign up" }).click();
    await expect(page.getByLabel("Password", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
    await page.getByRole("button", { name: "Sign up" }).click();
    await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
  });

  await test.step("make an assistant", async () => {
    await page.getByRole("button", { name: "New assistant" }).first().click();
    const dialog = page.getByRole("dialog", { name: "New assistant" });
    await dialog.getByLabel("Name").fill("Policy guide");
    await dialog.getByLabel("Description").fill("Answers about remote work and projects.");
    await dialog.getByRole("button", { name: "Create assistant" }).click();
    await expect(page.getByRole("heading", { name: "Upload your work products" })).toBeVisible();
  });

  await test.step("upload: a broken file is named, the others go on", async () => {
    await page.getByLabel("Files", { exact: true }).setInputFiles([fixture("remote-work-policy.pdf"), fixture("project-handbook.docx")]);
    await page.getByLabel("Files", { exact: true }).setInputFiles(picture);
    const refusal = page.getByRole("list", { name: "Uploads" }).getByRole("listitem").filter({ hasText: "scan.pdf" });
    await expect(refusal.getByRole("alert")).toContainText(/PDF|type|kind|format/i);
    for (const name of ["remote-work-policy.pdf", "project-handbook.docx"]) {
      const row = main.getByRole("listitem").filter({ has: page.getByRole("link", { name }) });
      await expect(row).toContainText("Ready");
      await expect(row).toContainText(/\d+ examples?/);
    }
    await refusal.getByRole("button", { name: "Dismiss" }).click();
    await expect(refusal).toHaveCount(0);
    await page.getByRole("link", { name: "Continue" }).click();
  });

  const examples = page.getByRole("list", { name: "Examples" }).getByRole("listitem");
  await test.step("review by keyboard", async () => {
    await expect(page.getByRole("heading", { name: "Review the examples" })).toBeVisible();
    await expect(examples.first()).toBeVisible();
    const source = page.getByRole("complementary", { name: "Source" });
    await expect(source.locator("mark")).not.toBeEmpty();
    await expect(source.getByRole("link")).toHaveAttribute("href", /\/documents\/.+\?at=\d+-\d+/);

    await page.keyboard.press("?");
    await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog", { name: "Keys" })).toBeHidden();

    const chosen = (index: number) => expect(examples.nth(index).getByRole("button")).toHaveAttribute("aria-current", "true");
    await chosen(0);
    await page.keyboard.press("j");
    await chosen(1);
    await page.keyboard.press("k");
    await chosen(0);
    await page.keyboard.press("a");
    await expect(examples.nth(0)).toContainText("Approved");
    await chosen(1);
    await page.keyboard.press("r");
    await expect(examples.nth(1)).toContainText("Rejected");
    await chosen(2);
    await page.keyboard.press("e");
    await page.getByLabel("Prompt").fill("What does the policy say about working from home?");
    await page.keyboard.press("Control+Enter");
    await expect(examples.nth(2)).toContainText("What does the policy say about working from home?");
    await expect(examples.nth(2)).toContainText("Edited");
  });

  await test.step("reload in the middle of the review", async () => {
    await page.reload();
    await expect(page.getByRole("heading", { name: "Review the examples" })).toBeVisible();
    await expect(main.getByText(/1 approved · \d+ pending · 1 rejected/)).toBeVisible();
    await expect(examples.nth(2)).toContainText("What does the policy say about working from home?");
    await page.goto("/dashboard");
    await page.getByRole("link", { name: "Continue Policy guide" }).click();
    await expect(page).toHaveURL(/\/wizard\/2$/);
    await page.getByRole("button", { name: "Judge all listed" }).click();
    await expect(page.getByRole("dialog").getByText(/\d+ examples will be approved/)).toBeVisible();
    await page.getByRole("dialog").getByRole("button", { name: "Approve all" }).click();
    await expect(main.getByText(/\d+ approved · 0 pending · 1 rejected/)).toBeVisible();
    await page.getByRole("link", { name: "Continue" }).click();
  });

  await test.step("communications and references", async () => {
    await expect(page.getByRole("heading", { name: "Add communications" })).toBeVisible();
    await page.getByRole("link", { name: "Continue" }).click();
    await expect(page.getByRole("heading", { name: "Add reference materials" })).toBeVisible();
    await page.getByLabel("Files", { exact: true }).setInputFiles({
      name: "glossary.md",
      mimeType: "text/markdown",
      buffer: Buffer.from("# Glossary\n\nA core hour is an hour in which everyone can be reached.\n"),
    });
    await expect(main.getByRole("listitem").filter({ has: page.getByRole("link", { name: "glossary.md" }) })).toContainText("Ready");
    await page.getByRole("link", { name: "Continue" }).click();
  });

  const chart = page.getByRole("img", { name: "Loss by step of stage I", exact: true });
  await test.step("train, reload during it, and watch it end", async () => {
    await expect(page.getByRole("radio").first()).toBeChecked();
    await page.getByLabel("Epochs").fill("3");
    await page.getByLabel("Learning rate").fill("0.002");
    await page.getByRole("button", { name: "Train", exact: true }).click();
    await expect(chart).toBeVisible({ timeout: 60_000 });
    await expect(main.getByText("In training")).toBeVisible();
    await page.reload();
    await expect(chart).toBeVisible();
    await expect(page.getByRole("region", { name: "Stage II: communications" })).toContainText("Skipped");
    await expect(main.getByText("The model is trained, and the assistant answers with it.")).toBeVisible({ timeout: 180_000 });
    await expect(page.getByRole("region", { name: "Stage V: personalization" }).getByText("Succeeded")).toBeVisible();
  });

  await test.step("chat beside the passages of the documents", async () => {
    await page.getByRole("link", { name: "Chat with it" }).click();
    await expect(main.getByText("its answers are noise")).toBeVisible();
    await page.getByLabel("Your message").fill("How many days may I work remotely?");
    await page.keyboard.press("Enter");
    const turn = page.getByRole("log", { name: "Chat" }).getByRole("article");
    const passages = turn.getByRole("complementary", { name: "Passages read" });
    await expect(passages.getByRole("blockquote").first()).not.toBeEmpty();
    await expect(turn.getByRole("button", { name: "Retry" })).toBeVisible({ timeout: 60_000 });
    await expect(turn.getByRole("alert")).toHaveCount(0);
    await expect(turn.locator("[aria-busy]")).not.toHaveText(/^(Copy|Retry|\s)*$/);

    // It is kept, and can be named, put in other words, and found again.
    await expect(page).toHaveURL(/conversation=/);
    await page.reload();
    await expect(turn.getByText("How many days may I work remotely?")).toBeVisible();
    await page.getByRole("button", { name: "Earlier chats" }).click();
    const chats = page.getByRole("dialog", { name: "Earlier chats" });
    await chats.getByRole("button", { name: /^Rename/ }).click();
    await chats.getByLabel("Title").fill("Days at home");
    await chats.getByRole("button", { name: "Save" }).click();
    await expect(chats.getByRole("button", { name: /^Days at home/ })).toBeVisible();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Edit the question" }).click();
    await page.getByLabel("The question in other words").fill("How many days of remote work are allowed?");
    await page.getByRole("button", { name: "Ask again" }).click();
    await expect(turn.getByRole("button", { name: "Retry" })).toBeVisible({ timeout: 60_000 });
    await expect(turn).toHaveCount(1);
    await page.getByRole("button", { name: "New chat" }).click();
    await expect(turn).toHaveCount(0);
    await page.getByRole("button", { name: "Earlier chats" }).click();
    await chats.getByRole("button", { name: /^Days at home/ }).click();
    await expect(turn.getByText("How many days of remote work are allowed?")).toBeVisible();
    const plain = (text: string) => text.replace(/\s+/g, " ");
    const quote = plain(await passages.getByRole("blockquote").first().innerText()).slice(0, 40);
    await passages.getByRole("link").first().click();
    // A passage over several blocks has a mark in each.
    const marked = page.locator("mark");
    await expect(marked.first()).toBeInViewport();
    expect(plain((await marked.allInnerTexts()).join(" "))).toContain(quote);
  });

  await test.step("download the adapter", async () => {
    await page.getByRole("link", { name: "Models" }).click();
    await main.getByRole("link", { name: /Policy guide/ }).first().click();
    await expect(main.getByText("Validation loss after")).toBeVisible();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download adapter" }).click(),
    ]);
    const bytes = readFileSync(await download.path());
    expect(download.suggestedFilename()).toMatch(/\.zip$/);
    expect(bytes.subarray(0, 4).toString("latin1")).toBe("PK\u0003\u0004");
    expect(bytes.includes("adapter_model.safetensors")).toBe(true);
  });

  await test.step("datasets and training", async () => {
    await page.getByRole("link", { name: "Datasets" }).click();
    await expect(main.getByRole("row").filter({ hasText: "Policy guide, personalization" })).toContainText("Ready");
    await page.getByRole("link", { name: "Training", exact: true }).click();
    await expect(main.getByRole("row").filter({ hasText: "Policy guide, personalization" })).toContainText("Succeeded");
  });

  await test.step("an API key is shown once and can be revoked", async () => {
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("link", { name: "API keys" }).click();
    await page.getByRole("button", { name: "New key" }).first().click();
    const form = page.getByRole("dialog", { name: "New API key" });
    await form.getByLabel("Name").fill("nightly report");
    await form.getByRole("button", { name: "Create key" }).click();
    const dialog = page.getByRole("dialog", { name: "Your key" });
    const secret = await dialog.locator("code").innerText();
    const models = () => fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
    expect((await models()).status).toBe(200);
    await dialog.getByRole("button", { name: "Done" }).click();
    await page.reload();
    await expect(main.getByText("nightly report")).toBeVisible();
    await expect(page.getByText(secret)).toHaveCount(0);
    await page.getByRole("button", { name: "Revoke nightly report" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke key" }).click();
    await expect(main.getByText("No key yet")).toBeVisible();
    expect((await models()).status).toBe(401);
  });

  await test.step("sign out", async () => {
    await page.getByRole("button", { name: "Account of" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await page.goto("/dashboard");
    await expect(page).toHaveURL(/\/sign-in/);
  });

  expect(faults).toEqual([]);
});
