// A document's text: its structure, a passage that the address names, and words looked for by keys alone.

import { join } from "node:path";
import { accessible } from "./axe";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const pictures = process.env.SCREENSHOTS;

const filler = Array.from({ length: 500 }, (_, line) => `Line ${line} of a long part says nothing of note to anybody.`).join("\n\n");
const TEXT = `# Travel rules

## Booking

- Book early
  - at least ten days ahead
- Keep the receipt

| city | limit |
|------|-------|
| Bonn | 120 |
| Oslo | 180 |

\`\`\`sh
travel book --city bonn
\`\`\`

## The long part

${filler}

## The end

The last receipt is due in March.
`;

test("a text is read and searched by keys", async ({ page, context, server }) => {
  test.setTimeout(120_000);
  const faults = await collectFaults(context);
  await signUp(page.request, server.url);
  const data = async (answer: Promise<{ json(): Promise<{ data: never }> }>) => (await (await answer).json()).data as { id: string; status: string };
  const agent = await data(page.request.post(`${server.url}/api/v1/agents`, { data: { name: "Travel" } }));
  const buffer = Buffer.from(TEXT);
  const document = await data(
    page.request.post(`${server.url}/api/v1/documents?agent_id=${agent.id}&kind=reference`, {
      multipart: { file: { name: "travel.md", mimeType: "text/markdown", buffer } },
    }),
  );
  const status = async () => (await data(page.request.get(`${server.url}/api/v1/documents/${document.id}`))).status;
  await expect.poll(status, { timeout: 60_000 }).toBe("ready");

  await page.goto(`/documents/${document.id}`);
  await expect(page.getByRole("heading", { name: "Booking", exact: true })).toBeVisible();
  await expect(page.getByRole("cell", { name: "Oslo" })).toBeVisible();
  await expect(page.locator("pre")).toHaveText("travel book --city bonn");
  await accessible(page);
  if (pictures) await page.screenshot({ path: join(pictures, "reading.png") });

  // The second match lies in a part that is not shown yet.
  await page.keyboard.press("/");
  await page.keyboard.type("receipt");
  const state = page.getByRole("status").filter({ hasText: " of " });
  await expect(state).toHaveText("1 of 2");
  const marked = page.locator("mark.bg-warning");
  await expect(marked).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(state).toHaveText("2 of 2");
  await expect(page.getByText("The last receipt is due in March.")).toBeInViewport();
  await expect(page).toHaveURL(/q=receipt/);
  if (pictures) await page.screenshot({ path: join(pictures, "reading-search.png") });
  await accessible(page);

  const at = TEXT.indexOf("Keep the receipt");
  await page.setViewportSize({ width: 360, height: 780 });
  await page.goto(`/documents/${document.id}?at=${at}-${at + 16}`);
  await expect(page.locator("mark")).toHaveText("Keep the receipt");
  await expect(page.locator("mark")).toBeInViewport();
  const width = await page.evaluate(() => globalThis.document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(360);
  expect(faults).toEqual([]);
});
