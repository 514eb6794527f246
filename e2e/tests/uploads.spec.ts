// Documents on their way through steps 1 to 4 of the wizard: left, reloaded, paused, cut off, and by the keyboard.

import type { BrowserContext, Page } from "@playwright/test";
import { accessible } from "./axe";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const MIB = 1024 * 1024;
const PART = /\/api\/v1\/uploads\/[^/]+\/parts\/(\d+)/;

/** A PDF of several parts whose text cannot be read. */
function large(name: string, seed: number) {
  const buffer = Buffer.alloc(17 * MIB, seed);
  buffer.write("%PDF-1.7\n");
  return { name, mimeType: "application/pdf", buffer };
}

async function assistant(page: Page, url: string): Promise<string> {
  await signUp(page.request, url);
  const made = await page.request.post(`${url}/api/v1/agents`, { data: { name: "Policy guide" } });
  return (await made.json()).data.id;
}

/** Holds parts back from the given number on; counts those that were sent, and those that reached the server. */
async function hold(context: BrowserContext, from: number) {
  const state = { from, offline: false, sent: 0, arrived: new Array<number>() };
  await context.route(PART, async (route) => {
    const number = Number(PART.exec(route.request().url())![1]);
    state.sent += 1;
    if (state.offline) return route.abort("internetdisconnected");
    if (number >= state.from) return; // never answered: it stays on its way
    await route.continue();
    state.arrived.push(number);
  });
  return state;
}

const item = (page: Page, name: string) => page.getByRole("list", { name: "Uploads" }).getByRole("listitem").filter({ hasText: name });
const row = (page: Page, name: string) =>
  page.getByRole("main").getByRole("listitem").filter({ has: page.getByRole("link", { name, exact: true }) });

test("files go on when the step is left, and after a reload in the middle", async ({ context, page, server }) => {
  const faults = await collectFaults(context);
  const id = await assistant(page, server.url);
  const held = await hold(context, 3);
  await page.goto(`/assistants/${id}/wizard/1`);
  await page.getByLabel("Files", { exact: true }).setInputFiles(large("plan.pdf", 1));
  const upload = item(page, "plan.pdf");
  await expect.poll(() => held.arrived.length).toBe(2);
  await expect(upload.getByRole("progressbar")).not.toHaveAttribute("aria-valuenow", "0");
  await accessible(page);

  // Another step, and back: it is the same upload.
  await page.getByRole("link", { name: "Continue" }).click();
  await expect(page.getByRole("heading", { name: "Review the examples" })).toBeVisible();
  await page.goBack();
  await expect(upload).toHaveCount(1);

  // The browser has kept the file, so it goes on by itself, and what arrived is not sent again.
  held.from = Number.MAX_SAFE_INTEGER;
  await page.reload();
  await expect(row(page, "plan.pdf")).toBeVisible();
  await expect(upload).toHaveCount(0);
  expect([...held.arrived].sort()).toEqual([1, 2, 3, 4]);
  expect(faults).toEqual([]);
});

test("a file that the browser did not keep is asked for again", async ({ context, page, server }) => {
  const id = await assistant(page, server.url);
  const held = await hold(context, 2);
  await page.goto(`/assistants/${id}/wizard/3`);
  const file = large("mail.pdf", 2);
  await page.getByLabel("Files", { exact: true }).setInputFiles(file);
  await expect.poll(() => held.arrived.length).toBe(1);
  await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("cerebros-uploads");
        opening.onsuccess = () => {
          const clearing = opening.result.transaction("files", "readwrite").objectStore("files").clear();
          clearing.onsuccess = resolve;
          clearing.onerror = reject;
        };
        opening.onerror = reject;
      }),
  );
  await page.reload();
  const upload = item(page, "mail.pdf");
  await expect(upload.getByRole("status")).toContainText("Choose the same file again");
  held.from = Number.MAX_SAFE_INTEGER;
  const again = upload.getByLabel("The same file", { exact: true });
  await again.setInputFiles({ ...file, buffer: Buffer.from("%PDF-1.7\nanother") });
  await expect(upload.getByRole("alert")).toHaveText("This is another file.");
  await again.setInputFiles(file);
  await expect(row(page, "mail.pdf")).toBeVisible();
  expect([...held.arrived].sort()).toEqual([1, 2, 3, 4]);
});

test("pausing, resuming and cancelling by the keyboard", async ({ context, page, server }) => {
  const id = await assistant(page, server.url);
  const held = await hold(context, 1);
  await page.goto(`/assistants/${id}/wizard/4`);
  await page.getByLabel("Files", { exact: true }).setInputFiles([large("first.pdf", 3), large("second.pdf", 4)]);
  // No part is sent before the browser has kept the file.
  await expect.poll(() => held.sent).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Pause first.pdf" }).focus();
  await page.keyboard.press("Enter");
  await expect(item(page, "first.pdf")).toContainText("Paused");

  // Paused stays paused.
  await page.reload();
  await expect(item(page, "first.pdf")).toContainText("Paused");
  await page.getByRole("button", { name: "Cancel second.pdf" }).focus();
  await page.keyboard.press("Enter");
  await expect(item(page, "second.pdf")).toHaveCount(0);
  const left = async () => (await (await page.request.get(`${server.url}/api/v1/uploads?agent_id=${id}`)).json()).data.total;
  await expect.poll(left).toBe(1);

  held.from = Number.MAX_SAFE_INTEGER;
  await page.getByRole("button", { name: "Resume first.pdf" }).focus();
  await page.keyboard.press("Enter");
  await expect(row(page, "first.pdf")).toBeVisible();
  await expect.poll(left).toBe(0);
});

test("a lost network is waited for, and what is refused says why", async ({ context, page, server }) => {
  const id = await assistant(page, server.url);
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`/assistants/${id}?tab=documents`);
  const files = page.getByLabel("Files", { exact: true }).first();
  const held = await hold(context, Number.MAX_SAFE_INTEGER);
  held.offline = true;
  await files.setInputFiles(large("plan.pdf", 5));
  await expect(item(page, "plan.pdf")).toContainText("The connection is lost");
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  held.offline = false;
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await expect(row(page, "plan.pdf")).toBeVisible();

  await files.setInputFiles({ ...large("copy.pdf", 5), name: "copy.pdf" });
  const copy = item(page, "copy.pdf");
  await expect(copy.getByRole("alert")).toContainText("plan.pdf");
  await copy.getByRole("button", { name: "Dismiss copy.pdf" }).click();
  await expect(copy).toHaveCount(0);
});
