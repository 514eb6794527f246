// A first assistant without a mouse.

import type { Page } from "@playwright/test";
import { expect, test } from "./server";

/** Goes on with Tab until the focus is on the control of that name. */
async function tabTo(page: Page, name: string): Promise<void> {
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement as HTMLElement | null;
      const label = element instanceof HTMLInputElement ? element.labels?.[0]?.innerText : undefined;
      return (element?.getAttribute("aria-label") ?? label ?? element?.innerText ?? "").trim();
    });
  const passed: string[] = [];
  while ((await focused()) !== name) {
    passed.push(await focused());
    expect(passed.length, `no way to ${name} over ${passed.join(", ")}`).toBeLessThan(40);
    await page.keyboard.press("Tab");
  }
}

test("an account and an assistant are made with Tab and Enter alone", async ({ page }) => {
  const { keyboard } = page;
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await tabTo(page, "Sign up");
  await keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Create your account" })).toBeVisible();
  for (const [field, text] of [
    ["Name", "Grace Hopper"],
    ["E-mail", "grace@example.org"],
    ["Password", "a long enough password"],
  ]) {
    await tabTo(page, field);
    await keyboard.type(text);
  }
  await keyboard.press("Enter");
  await expect(page.getByText("Make your first assistant")).toBeVisible();
  await tabTo(page, "New assistant");
  await keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "New assistant" })).toBeVisible();
  await tabTo(page, "Name");
  await keyboard.type("Compiler notes");
  await keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Upload your work products" })).toBeVisible();
  await tabTo(page, "Continue");
  await keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Review the examples" })).toBeVisible();
  await expect(page.getByText("No examples yet")).toBeVisible();
  await tabTo(page, "Back");
  await keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Upload your work products" })).toBeVisible();
});
