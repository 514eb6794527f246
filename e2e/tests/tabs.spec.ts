// Many tabs of one browser share one stream of events.

import { type Page } from "@playwright/test";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const TABS = 8;

test("eight tabs stay live at once, and another one leads when the first is closed", async ({ context, server }) => {
  await signUp(context.request, server.url);
  const tabs: Page[] = [];
  for (let opened = 0; opened < TABS; opened += 1) {
    const tab = await context.newPage();
    await tab.goto("/dashboard");
    await expect(tab.getByText("Make your first assistant")).toBeVisible();
    tabs.push(tab);
  }
  const make = async (name: string) => {
    const made = await context.request.post("/api/v1/agents", { data: { name } });
    expect(made.status()).toBe(201);
  };
  const shown = (tab: Page, name: string) => expect(tab.getByRole("heading", { name })).toBeVisible();

  await make("Seen by all");
  await Promise.all(tabs.map((tab) => shown(tab, "Seen by all")));

  // The first tab asked for the lock first.
  await tabs.shift()!.close();
  await make("Seen by the rest");
  await Promise.all(tabs.map((tab) => shown(tab, "Seen by the rest")));

  const last = tabs.at(-1)!;
  await last.reload();
  await shown(last, "Seen by the rest");
});
