// Accessibility, as axe sees it.

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect } from "./server";

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
