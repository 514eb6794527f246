// The studio, from an uploaded document to saved and shared pictures.

import type { Page } from "@playwright/test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { violations } from "./axe";
import { collectFaults } from "./faults";
import { expect, fixture, test } from "./server";
import { signUp } from "./workspace";

const pictures = process.env.SCREENSHOTS;

async function look(page: Page, name: string): Promise<void> {
  expect(await violations(page, "iframe"), name).toEqual([]);
  if (pictures) {
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: join(pictures, `studio-${name}.png`), fullPage: true });
  }
}

async function narrow(page: Page, name: string): Promise<void> {
  await page.setViewportSize({ width: 360, height: 780 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide, `${name} is wider than a telephone`).toBeLessThanOrEqual(360);
  await look(page, `${name}-360`);
  await page.setViewportSize({ width: 1440, height: 900 });
}

async function agentWith(page: Page, url: string): Promise<string> {
  await signUp(page.request, url);
  const answer = await page.request.post(`${url}/api/v1/agents`, { data: { name: "Policy guide" } });
  return (await answer.json()).data.id;
}

async function saved(page: Page, press: () => Promise<void>): Promise<{ name: string; bytes: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent("download"), press()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

test("an uploaded document becomes concepts, diagrams, files and a link", async ({ page, context, server, browser }) => {
  const faults = await collectFaults(context);
  await page.setViewportSize({ width: 1440, height: 900 });
  const agent = await agentWith(page, server.url);
  await page.goto(`/assistants/${agent}?tab=documents`);
  await page.locator("input[type=file]").first().setInputFiles(fixture("remote-work-policy.pdf"));
  await expect(page.getByText("Ready", { exact: true }).first()).toBeVisible({ timeout: 60_000 });

  await page.getByRole("link", { name: "Studio" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Studio" })).toBeVisible();
  await page.getByRole("button", { name: /remote-work-policy/ }).click();
  await page.getByRole("button", { name: "Find concepts" }).click();
  const concepts = page.getByRole("region", { name: "Concepts" });
  await expect(concepts.getByRole("listitem").first()).toBeVisible({ timeout: 60_000 });
  await concepts.getByRole("listitem").first().getByRole("button").first().press("Enter");
  await expect(concepts.getByRole("blockquote")).toBeVisible();
  await look(page, "concepts");

  await page.getByRole("button", { name: "Draw all concepts" }).click();
  await expect(page.getByText(/diagrams are being drawn/)).toBeVisible();
  const diagrams = page.getByRole("region", { name: "Diagrams" });
  await expect(diagrams.locator("img").first()).toBeVisible({ timeout: 60_000 });
  await expect(diagrams.locator("span", { hasText: /^Drawing$/ })).toHaveCount(0, { timeout: 120_000 });
  await look(page, "diagrams");
  await narrow(page, "diagrams");

  await page.getByRole("button", { name: "Draw outline" }).click();
  const picture = page.getByRole("img", { name: /^Diagram: Outline/ });
  await expect(picture).toBeVisible({ timeout: 60_000 });
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(100);
  await look(page, "diagram");
  await narrow(page, "diagram");

  const svg = await saved(page, () => page.getByRole("link", { name: "SVG" }).click());
  expect(svg.name).toMatch(/^outline-of-.*\.svg$/);
  expect(svg.bytes.toString()).toMatch(/^<svg[^>]* xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  const png = await saved(page, () => page.getByRole("button", { name: "PNG" }).click());
  expect([...png.bytes.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
  const source = await saved(page, () => page.getByRole("button", { name: "Source" }).click());
  expect(source.bytes.toString()).toMatch(/^mindmap/);

  await page.getByRole("button", { name: "Share" }).click();
  const link = await page.getByRole("dialog", { name: "Share link" }).locator("code").innerText();
  await page.getByRole("button", { name: "Done" }).click();
  const stranger = await browser.newContext();
  const visitor = await stranger.newPage();
  await visitor.goto(link);
  await expect(visitor.getByRole("heading", { level: 1, name: /^Outline of/ })).toBeVisible();
  const shown = visitor.getByRole("img", { name: /^Diagram/ });
  await expect.poll(() => shown.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(100);
  await look(visitor, "shared");
  await page.getByRole("button", { name: "Take the link away" }).click();
  await expect(page.getByText("The link does not work any more.")).toBeVisible();
  await visitor.reload();
  await expect(visitor.getByRole("alert")).toBeVisible();
  await stranger.close();
  expect(faults).toEqual([]);
});

test("a diagram is written by keyboard, with its faults told by line", async ({ page, context, server }) => {
  const faults = await collectFaults(context);
  await page.setViewportSize({ width: 1440, height: 900 });
  await agentWith(page, server.url);
  await page.goto("/studio");
  await page.getByRole("button", { name: "Write one" }).press("Enter");
  const frame = page.frameLocator("iframe[title='Preview of the diagram']");
  await expect(frame.locator("svg")).toBeVisible({ timeout: 30_000 });
  await expect(page.getByText(/^Valid: flowchart/)).toBeVisible();

  const source = page.getByLabel("Source (Mermaid)");
  await source.fill("flowchart LR\n  A --> B\n  B --> C[open\n");
  await expect(page.getByRole("button", { name: /^Line 3/ })).toBeVisible();
  await expect(page.getByText("The preview shows what was last valid.")).toBeVisible();
  await page.getByLabel("Title").fill("May I work at home?");
  await page.getByRole("button", { name: "Save" }).press("Enter");
  await expect(page.getByRole("button", { name: /^Line 3/ })).toBeVisible();
  await look(page, "editor-fault");
  await page.getByRole("button", { name: /^Line 3/ }).press("Enter");
  await expect(source).toBeFocused();
  await page.keyboard.type("  B --> C[done]");
  await expect(page.getByText(/^Valid: flowchart/)).toBeVisible();
  await expect(frame.getByText("done")).toBeVisible();
  await page.getByLabel("Tags").fill("home, policy");
  await page.getByLabel("Title").press("Enter");
  const picture = page.getByRole("img", { name: "Diagram: May I work at home?" });
  await expect(picture).toBeVisible();
  await page.getByRole("button", { name: "Edit" }).press("Enter");
  await expect(frame.getByText("done")).toBeVisible();
  await look(page, "editor");
  await narrow(page, "editor");
  await page.getByRole("button", { name: "Cancel" }).press("Enter");
  await page.getByRole("button", { name: "Light studio" }).press("Enter");
  await look(page, "light");
  await page.getByRole("button", { name: "All diagrams" }).press("Enter");
  await page.getByLabel("Tag", { exact: true }).selectOption("policy");
  await expect(page.getByRole("button", { name: /May I work at home/ })).toBeVisible();
  await page.getByLabel("Search diagrams").fill("nowhere");
  await expect(page.getByText("No diagrams here")).toBeVisible();
  expect(faults).toEqual([]);
});

/** What tries to run a script or to load something, wherever a diagram takes words. */
const PAYLOADS = [
  "<script>window.top.pwned=1</script>",
  "<img src=x onerror=window.top.pwned=1>",
  "<svg onload=window.top.pwned=1>",
  "<iframe src=https://evil.example/x></iframe>",
  "<a href=javascript:window.top.pwned=1>x</a>",
  "<style>@import url(https://evil.example/x.css)</style>",
  "<img src=https://evil.example/x.png>",
  "<foreignObject><body onload=window.top.pwned=1></foreignObject>",
  "\u0022><script>window.top.pwned=1</script>",
  "#lt;script#gt;window.top.pwned=1#lt;/script#gt;",
];
const HOLDERS = [
  (payload: string) => `flowchart LR\n  A["${payload}"] --> B\n`,
  (payload: string) => `flowchart LR\n  A -->|"${payload}"| B\n`,
  (payload: string) => `flowchart LR\n  A --> B\n  click A href "javascript:window.top.pwned=1" "${payload}"\n`,
  (payload: string) => `sequenceDiagram\n  Alice->>Bob: ${payload}\n`,
  (payload: string) => `mindmap\n  root["${payload}"]\n`,
  (payload: string) => `pie title ${payload}\n  "a" : 1\n`,
  (payload: string) => `%%{init: {"securityLevel": "loose", "themeCSS": "${payload.replaceAll('"', "'")}"}}%%\nflowchart LR\n  A["${payload}"] --> B\n`,
  (payload: string) => `---\ntitle: ${payload}\nconfig:\n  securityLevel: loose\n---\nflowchart LR\n  A --> B\n`,
  (payload: string) => `classDiagram\n  class A\n  A : ${payload}\n  link A "https://evil.example" "${payload}"\n`,
  (payload: string) => `timeline\n  2001 : ${payload}\n`,
];

test("no payload in a diagram runs or loads anything", async ({ page, context, server }) => {
  const away: string[] = [];
  context.on("request", (request) => {
    const address = new URL(request.url());
    if (address.protocol.startsWith("http") && address.origin !== server.url) away.push(request.url());
  });
  context.on("dialog", () => away.push("a dialog"));
  await agentWith(page, server.url);
  let stored = 0;
  for (const hold of HOLDERS) {
    for (const payload of PAYLOADS) {
      const source = hold(payload);
      const data = { title: payload.slice(0, 200), source, level: "beginner", summary: payload, notes: payload, domain: payload.slice(0, 80), tags: [payload.slice(0, 40)] };
      const answer = await page.request.post(`${server.url}/api/v1/diagrams`, { data });
      expect([201, 400]).toContain(answer.status());
      if (answer.status() === 201) stored += 1;
    }
  }
  expect(stored).toBeGreaterThan(20);
  const list = async (at: number) => (await (await page.request.get(`${server.url}/api/v1/diagrams?limit=100&page=${at}`)).json()).data;
  const { items } = await list(1);
  await page.goto("/studio");
  await expect(page.locator("img").first()).toBeVisible();
  for (const { id } of items.filter((_: unknown, at: number) => at % 8 === 0)) {
    // Alone, as a page of its own, too.
    await page.goto(`/api/v1/diagrams/${id}/svg`);
    expect(await page.evaluate(() => (window as { pwned?: number }).pwned)).toBeUndefined();
    await page.goto(`/studio?diagram=${id}`);
    await expect(page.getByRole("img", { name: /^Diagram/ })).toBeVisible();
    expect(await page.evaluate(() => (window as { pwned?: number }).pwned)).toBeUndefined();
  }
  // In the frame in which Mermaid draws, each of them, whether the server would take it or not.
  await page.goto("/studio?edit=new");
  await expect(page.frameLocator("iframe").locator("svg")).toBeVisible({ timeout: 30_000 });
  for (const hold of HOLDERS) {
    for (const payload of PAYLOADS) {
      await page.evaluate(
        ([source]) =>
          new Promise<void>((resolve) => {
            const frame = document.querySelector("iframe")!.contentWindow!;
            let id = 0;
            const send = () => {
              id = Math.floor(Math.random() * 1e9);
              frame.postMessage({ id, source }, location.origin);
            };
            const hear = (event: MessageEvent) => {
              if (event.data?.id !== id) return;
              // The editor sends its own source too, and then that one is drawn instead.
              if (event.data.kind === "superseded") return send();
              window.removeEventListener("message", hear);
              resolve();
            };
            window.addEventListener("message", hear);
            send();
          }),
        [hold(payload)],
      );
    }
  }
  expect(await page.evaluate(() => (window as { pwned?: number }).pwned)).toBeUndefined();
  expect(away).toEqual([]);
});
