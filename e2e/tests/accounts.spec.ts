// Accounts and workspaces as people use them: links from mails, invitations, keys, sessions, export, deletion.

import type { Browser, BrowserContext, Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { accessible } from "./axe";
import { collectFaults } from "./faults";
import { expect, test } from "./server";

const PASSWORD = "correct horse battery";

interface Mail {
  to: string;
  subject: string;
  text: string;
}

/** The link in the newest mail to an address that leads to a page. Mails go out in the background. */
async function linkFrom(url: string, to: string, page: string): Promise<string> {
  let link = "";
  const look = async () => {
    const mails: Mail[] = (await (await fetch(`${url}/api/v1/outbox`)).json()).data.items;
    const found = mails.filter((mail) => mail.to.includes(to)).map((mail) => new RegExp(`\\S+/${page}#token=[0-9a-f]{64}`).exec(mail.text)?.[0]);
    link = found.find((address) => address && address !== used.get(page)) ?? "";
    return link;
  };
  await expect.poll(look, { message: `no mail to ${to} leads to ${page}` }).not.toBe("");
  used.set(page, link);
  return link;
}

/** Links that were followed before, by page. */
const used = new Map<string, string>();

async function signUp(page: Page, name: string, email: string): Promise<void> {
  await page.goto("/sign-up");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
}

async function another(browser: Browser, url: string, faults: string[]): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext({ baseURL: url });
  const found = await collectFaults(context);
  context.on("close", () => faults.push(...found));
  return { context, page: await context.newPage() };
}

test("links from mails verify, sign in and reset, each once and only on a click", async ({ context, page, server }) => {
  const faults = await collectFaults(context);
  const email = "ada@example.org";

  await test.step("sign up and verify the address", async () => {
    await signUp(page, "Ada Lovelace", email);
    await expect(page.getByText("Verify your e-mail address")).toBeVisible();
    const link = await linkFrom(server.url, email, "verify-email");
    // A scanner that opens the link uses nothing up.
    expect((await fetch(link, { headers: { accept: "text/html" } })).status).toBe(200);
    await page.goto(link);
    await expect(page).not.toHaveURL(/token/);
    await accessible(page);
    await page.getByRole("button", { name: "Verify my address" }).click();
    await expect(page.getByText("Your e-mail address is verified.")).toBeVisible();
    await page.getByRole("link", { name: "Go on" }).click();
    await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
    await expect(page.getByText("Verify your e-mail address")).toBeHidden();
  });

  await test.step("sign in by a link, and land where the way led", async () => {
    await signOut(page);
    await page.goto("/settings/sessions");
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await page.getByLabel("E-mail").fill(email);
    await page.getByRole("button", { name: "E-mail me a link" }).click();
    await expect(page.getByText("a link is on its way")).toBeVisible();
    const link = await linkFrom(server.url, email, "magic-link");
    await page.goto(link);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("button", { name: /^Account of/ })).toBeVisible();
    await signOut(page);
    await page.goto(link);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByText("This link does not work any more")).toBeVisible();
  });

  await test.step("choose a new password", async () => {
    await page.goto("/sign-in");
    await page.getByRole("link", { name: "Forgot password?" }).click();
    await page.getByLabel("E-mail").fill(email);
    await page.getByRole("button", { name: "E-mail me a link" }).click();
    await expect(page.getByText("a link is on its way")).toBeVisible();
    await page.goto(await linkFrom(server.url, email, "reset-password"));
    await page.getByLabel("New password").fill("an even better password");
    await page.getByRole("button", { name: "Show password" }).click();
    await expect(page.getByLabel("New password")).toHaveAttribute("type", "text");
    await page.getByRole("button", { name: "Set password and sign in" }).click();
    await expect(page.getByRole("button", { name: /^Account of/ })).toBeVisible();
    await signOut(page);
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByText("Check both and try again")).toBeVisible();
    await page.getByLabel("Password", { exact: true }).fill("an even better password");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
  });
  expect(faults).toEqual([]);
});

test("a workspace is shared: invitation, role, and what the role hides", async ({ browser, context, page, server }) => {
  const faults = await collectFaults(context);
  await signUp(page, "Ada Lovelace", "ada@example.org");
  await page.getByRole("button", { name: /^Workspace / }).click();
  await page.getByRole("button", { name: "New workspace" }).click();
  await page.getByRole("dialog", { name: "New workspace" }).getByLabel("Name").fill("Analysts");
  await page.getByRole("button", { name: "Create workspace" }).click();
  await expect(page.getByRole("button", { name: "Workspace Analysts" })).toBeVisible();

  await page.goto("/settings/members");
  await page.getByRole("button", { name: /^Invite/ }).first().click();
  const dialog = page.getByRole("dialog", { name: "Invite somebody" });
  await dialog.getByLabel("E-mail").fill("grace@example.org");
  await dialog.getByLabel("Role").selectOption({ label: "Viewer" });
  await dialog.getByRole("button", { name: "Invite" }).click();
  await expect(page.getByText("grace@example.org", { exact: true })).toBeVisible();
  await accessible(page);

  const other = await another(browser, server.url, faults);
  await other.page.goto(await linkFrom(server.url, "grace@example.org", "invitation"));
  await expect(other.page.getByText("Analysts")).toBeVisible();
  await other.page.getByRole("link", { name: "Sign up to join" }).click();
  await other.page.getByLabel("Name").fill("Grace Hopper");
  await expect(other.page.getByLabel("E-mail")).toHaveValue("grace@example.org");
  await other.page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await other.page.getByRole("button", { name: "Sign up" }).click();
  await other.page.getByRole("button", { name: "Join Analysts" }).click();
  await expect(other.page.getByRole("button", { name: "Workspace Analysts" })).toBeVisible();
  await expect(other.page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
  await expect(other.page.getByRole("button", { name: "New assistant" })).toHaveCount(0);

  await test.step("the owner hears of it and gives another role", async () => {
    await page.getByRole("button", { name: /^Notifications, \d+ unread/ }).click();
    await expect(page.getByText(/joined/).first()).toBeVisible();
    await page.getByRole("button", { name: "Mark all read" }).click();
    await expect(page.getByRole("button", { name: "Notifications", exact: true })).toBeVisible();
    await page.keyboard.press("Escape");
    await page.getByLabel("Role of Grace Hopper").selectOption({ label: "Editor" });
    await expect(page.getByText("Grace Hopper is Editor now.")).toBeVisible();
  });
  await other.page.reload();
  await expect(other.page.getByRole("button", { name: "New assistant" }).first()).toBeVisible();

  await test.step("a removed member loses access at once", async () => {
    await page.getByRole("button", { name: "Remove Grace Hopper" }).click();
    await page.getByRole("button", { name: "Remove member" }).click();
    await expect(page.getByText("Grace Hopper is no longer a member.")).toBeVisible();
    // Her page leaves it by itself.
    await expect(other.page.getByText("That workspace is no longer open to you.")).toBeVisible();
    await expect(other.page.getByRole("button", { name: "Workspace Analysts" })).toHaveCount(0);
  });
  await other.context.close();
  expect(faults).toEqual([]);
});

test("keys are rotated and other browsers are signed out", async ({ browser, context, page, server }) => {
  const faults = await collectFaults(context);
  await signUp(page, "Ada Lovelace", "ada@example.org");
  await page.goto("/settings/api-keys");
  await page.getByRole("button", { name: "New key" }).first().click();
  await page.getByRole("dialog", { name: "New API key" }).getByLabel("Name").fill("nightly");
  await page.getByRole("button", { name: "Create key" }).click();
  const shown = page.getByRole("dialog", { name: "Your key" });
  const secret = await shown.locator("code").innerText();
  await shown.getByRole("button", { name: "Done" }).click();
  const models = async (key: string) => (await fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;
  expect(await models(secret)).toBe(200);
  await page.getByRole("button", { name: "Rotate nightly" }).click();
  await page.getByRole("button", { name: "Rotate key" }).click();
  const rotated = await shown.locator("code").innerText();
  expect(rotated).not.toBe(secret);
  expect([await models(secret), await models(rotated)]).toEqual([401, 200]);
  await shown.getByRole("button", { name: "Done" }).click();

  const other = await another(browser, server.url, faults);
  await other.page.goto("/sign-in");
  await other.page.getByLabel("E-mail").fill("ada@example.org");
  await other.page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await other.page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(other.page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
  await page.goto("/settings/sessions");
  await page.getByRole("button", { name: "Sign out everywhere else" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByText("All other sessions have ended.")).toBeVisible();
  await other.page.reload();
  await expect(other.page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await other.context.close();
  expect(faults).toEqual([]);
});

test("an account is exported, then deleted with the keyboard alone, and the receipt stays", async ({ context, page, server }) => {
  const faults = await collectFaults(context);
  const { keyboard } = page;
  await signUp(page, "Ada Lovelace", "ada@example.org");
  await page.goto("/settings/data");
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export my account" }).press("Enter");
  const archive = readFileSync(await (await download).path());
  expect(archive.subarray(0, 2).toString()).toBe("PK");
  expect(archive.includes("manifest.json")).toBe(true);

  await page.getByRole("button", { name: "Delete account" }).press("Enter");
  await expect(page.getByLabel("Confirmation")).toBeVisible();
  await accessible(page);
  await page.getByLabel("Confirmation").press("Control+a");
  await keyboard.type("ada@example.org");
  await page.getByLabel("Your password").focus();
  await keyboard.type(PASSWORD);
  await keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Download the receipt" }).or(page.getByRole("link", { name: "Download the receipt" }))).toBeVisible({ timeout: 60_000 });
  await accessible(page);
  const again = await fetch(`${server.url}/api/v1/auth/sign-in`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "ada@example.org", password: PASSWORD }),
  });
  expect(again.status).toBe(401);
  expect(faults).toEqual([]);
});
