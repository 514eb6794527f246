// A language model as a person sets it up: provider, key, test, prices, and what was asked. The provider is a script.

import { accessible } from "./axe";
import { collectFaults } from "./faults";
import { completion, startPeer } from "./peer";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const KEY = "sk-canary-0123456789";

test("a language model is set up, tested, priced, and its calls are shown", async ({ page, context, server }, info) => {
  const faults = await collectFaults(context);
  // What questions get.
  const said = { asked: 0, status: 200 };
  const limits = {
    "x-ratelimit-limit-requests": "100",
    "x-ratelimit-remaining-requests": "20",
    "x-ratelimit-reset-requests": "10m",
  };
  const peer = await startPeer((request) => {
    if (request.headers.authorization !== `Bearer ${KEY}`) return [401, { error: { message: "Incorrect API key provided" } }];
    if (request.url === "/v1/models") return [200, { data: [{ id: "small-1" }, { id: "large-1" }] }];
    said.asked += 1;
    if (said.status !== 200) return [said.status, { error: { message: "No such model" } }];
    return completion('{"word": "ready"}');
  }, limits);
  await signUp(context.request, server.url);

  await page.goto("/settings/language-model");
  await expect(page.getByText("No language model is used.")).toBeVisible();
  await accessible(page);
  await page.getByLabel("Provider", { exact: true }).selectOption("openai");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("must name a model")).toBeVisible();
  await page.getByLabel("Model", { exact: true }).fill("medium-1");
  await page.getByLabel("Base URL").fill("http://10.0.0.1/v1");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("private network")).toBeVisible();
  await page.getByLabel("Base URL").fill(peer.url);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("The settings were saved.")).toBeVisible();

  const outcome = page.locator("section", { hasText: "Test connection" }).getByRole("status");
  await page.getByRole("button", { name: "Test connection" }).click();
  await expect(outcome).toContainText("The key was refused");
  await page.getByLabel("API key").fill(KEY);
  await page.getByRole("button", { name: "Store key" }).click();
  await expect(page.getByText("A key that ends in 6789")).toBeVisible();
  await page.getByRole("button", { name: "Test connection" }).click();
  await expect(outcome).toContainText("small-1-2026 answered");
  await expect(page.getByText("Less than a quarter left")).toBeVisible();
  await expect(page.getByText("20 of 100")).toBeVisible();

  await page.getByRole("button", { name: "List models" }).click();
  await page.getByLabel("The provider's models").selectOption("small-1");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.locator("dd", { hasText: /^small-1$/ })).toBeVisible();

  await page.getByLabel("Model's name").fill("small-1");
  await page.getByLabel("A million prompt tokens").fill("cheap");
  await page.getByRole("button", { name: "Set price" }).click();
  await expect(page.getByText("must be dollars, such as 0.15")).toBeVisible();
  await page.getByLabel("A million prompt tokens").fill("1");
  await page.getByLabel("A million answer tokens").fill("10.00");
  await page.getByRole("button", { name: "Set price" }).click();
  await expect(page.getByRole("button", { name: "Remove your price of small-1" })).toBeVisible();
  await page.getByRole("button", { name: "Test connection" }).click();
  await expect(outcome).toContainText("small-1-2026 answered");
  said.status = 404;
  await page.getByRole("button", { name: "Test connection" }).click();
  await expect(outcome).toContainText("The model or address was not found");
  await accessible(page);
  await page.screenshot({ path: info.outputPath("language-model.png"), fullPage: true });

  // Four questions came to the peer or were refused by it: each stands there, at its cost.
  await page.goto("/settings/usage");
  const cell = page.getByRole("cell", { name: "$0.0042" });
  await expect(cell).toBeVisible();
  await page.getByLabel("How it ended").selectOption("failed");
  await expect(page).toHaveURL(/outcome=failed/);
  const lines = page.getByRole("listitem").filter({ hasText: "attempt" });
  await expect(lines).toHaveCount(2);
  await lines.first().getByText("1 attempt").click();
  await expect(lines.first().getByText("status 404")).toBeVisible();
  await accessible(page);
  await page.screenshot({ path: info.outputPath("usage.png"), fullPage: true });
  await page.setViewportSize({ width: 360, height: 740 });
  await page.screenshot({ path: info.outputPath("usage-narrow.png"), fullPage: true });
  await page.goto("/settings/language-model");
  await expect(page.getByText("20 of 100")).toBeVisible();
  const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
  expect(await page.evaluate(overflow)).toBeLessThanOrEqual(0);
  await page.screenshot({ path: info.outputPath("language-model-narrow.png"), fullPage: true });
  expect(said.asked).toBe(3);
  expect(faults).toEqual([]);
  peer.close();
});
