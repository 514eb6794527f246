// Accessibility, as axe sees it.

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "./server";

/** A directory for pictures. Without it none are made. */
const pictures = process.env.SCREENSHOTS;
if (pictures) mkdirSync(pictures, { recursive: true });

/** What axe says against a page that has come to rest: a dialog that still fades in has colours that nobody is meant to read. */
export async function violations(page: Page, except?: string): Promise<string[]> {
  await page.evaluate(async () => {
    const ending = document.getAnimations().filter(({ effect, playState }) => playState === "running" && Number.isFinite(effect?.getComputedTiming().endTime));
    await Promise.allSettled(ending.map(({ finished }) => finished));
  });
  const axe = new AxeBuilder({ page });
  if (except) axe.exclude(except);
  return (await axe.analyze()).violations.map(({ id, nodes }) => `${id} at ${nodes.map((node) => node.target).join("; ")}`);
}

export async function accessible(page: Page): Promise<void> {
  expect(await violations(page)).toEqual([]);
}

/** Light and dark, wide and narrow: axe finds nothing, nothing is wider than the screen, and a picture is taken of each. */
export async function looked(page: Page, name: string): Promise<void> {
  const before = page.viewportSize();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    // In the other colours indeed, or axe would look at the same page twice.
    await expect(page.locator("html")).toHaveAttribute("data-theme", colorScheme);
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 860 });
      expect(await violations(page), `${name}, ${colorScheme}, ${width} pixels`).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(width);
      if (pictures) await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  if (before) await page.setViewportSize(before);
}
