// Every page, with real content: accessible in light and dark, and no wider than a telephone.

import type { Page } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { violations } from "./axe";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { fillWorkspace, outside, shareWorkspace, shared } from "./workspace";

const NARROW = { width: 360, height: 780 };
const WIDE = { width: 1280, height: 860 };
const SCHEMES = ["light", "dark"] as const;

/** A directory for pictures of all pages. Without it none are made. */
const pictures = process.env.SCREENSHOTS;

/** Shows a page, and waits until nothing on it is waited for. */
async function show(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("[aria-label=Loading], .shimmer")).toHaveCount(0);
}

/** What opens over a page, looked at while it is open. */
async function inspectMenus(page: Page): Promise<string[]> {
  const found: string[] = [];
  await page.setViewportSize(WIDE);
  await page.goto("/dashboard");
  for (const name of [/^Notifications/, /^Account of/, /^Workspace /]) {
    const button = page.getByRole("button", { name });
    await button.press("Enter");
    await expect(button).toHaveAttribute("aria-expanded", "true");
    await expect(page.locator("[popover] [aria-label=Loading]")).toHaveCount(0);
    for (const violation of await violations(page)) found.push(`${name} menu: ${violation}`);
    await page.keyboard.press("Escape");
    await expect(button).toHaveAttribute("aria-expanded", "false");
    await expect(button).toBeFocused();
  }
  return found;
}

async function ask(page: Page): Promise<void> {
  await page.getByLabel("Your message").fill("How many days may I work remotely?");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("blockquote").first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Retry" })).toBeVisible({ timeout: 60_000 });
}

async function inspect(page: Page, pages: Map<string, string>): Promise<string[]> {
  const found: string[] = [];
  for (const [name, address] of pages) {
    for (const scheme of SCHEMES) {
      await page.setViewportSize(WIDE);
      await page.emulateMedia({ colorScheme: scheme });
      await show(page, address);
      // In the other colours indeed, or axe would look at the same page twice.
      await expect(page.locator("html")).toHaveAttribute("data-theme", scheme);
      const chat = name === "assistant-chat";
      if (chat) await ask(page);
      for (const violation of await violations(page)) found.push(`${name}, ${scheme}: ${violation}`);
      for (const size of [WIDE, NARROW]) {
        await page.setViewportSize(size);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        if (width > size.width) found.push(`${name}: ${width} pixels wide at ${size.width}`);
        if (pictures) await page.screenshot({ path: join(pictures, `${name}-${size.width}-${scheme}.png`), fullPage: !chat });
      }
    }
  }
  return found;
}

async function switchTo(page: Page, workspace: string): Promise<void> {
  await page.setViewportSize(WIDE);
  await page.goto("/dashboard");
  await page.getByRole("button", { name: /^Workspace / }).click();
  await page.getByRole("button", { name: workspace }).click();
  await expect(page.getByRole("button", { name: `Workspace ${workspace}` })).toBeVisible();
}

test("no page has a flaw that axe knows of, or is wider than a narrow screen", async ({ context, page, server }) => {
  test.setTimeout(900_000);
  if (pictures) mkdirSync(pictures, { recursive: true });
  const faults = await collectFaults(context);
  expect.soft(await inspect(page, outside)).toEqual([]);
  const inside = await fillWorkspace(context.request, server.url);
  expect.soft(await inspect(page, inside)).toEqual([]);
  expect.soft(await inspectMenus(page)).toEqual([]);
  await switchTo(page, await shareWorkspace(context.request, server.url));
  expect.soft(await inspect(page, shared)).toEqual([]);
  expect(faults).toEqual([]);
});
