// A webhook as a person sets it up, and as the stock `openai` package verifies what it gets.

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { accessible } from "./axe";
import { collectFaults } from "./faults";
import { expect, test } from "./server";
import { signUp } from "./workspace";

type Message = { body: string; headers: IncomingHttpHeaders };

test("a webhook is made, tested, and its messages verified", async ({ page, context, server }) => {
  const faults = await collectFaults(context);
  const received: Message[] = [];
  const receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      received.push({ body, headers: request.headers });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((listening) => receiver.listen(0, "127.0.0.1", listening));
  const address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  try {
    await signUp(context.request, server.url);
    await page.goto("/settings/webhooks");
    await page.getByRole("button", { name: "New webhook" }).first().click();
    const dialog = page.getByRole("dialog", { name: "New webhook" });
    await dialog.getByLabel("Address").fill("nowhere");
    await dialog.getByRole("button", { name: "Create webhook" }).click();
    await expect(dialog.getByText("must be an https address")).toBeVisible();
    await dialog.getByLabel("Address").fill(address);
    await dialog.getByLabel("A training was cancelled").uncheck();
    await dialog.getByRole("button", { name: "Create webhook" }).click();
    const told = page.getByRole("dialog", { name: "The webhook's secret" });
    const secret = (await told.locator("code").textContent())!;
    expect(secret).toMatch(/^whsec_/);
    await told.getByRole("button", { name: "Done" }).click();

    await page.getByRole("button", { name: "Send a test" }).click();
    const row = page.getByRole("row", { name: /webhook\.test/ });
    await expect(row.getByText("Delivered")).toBeVisible();
    await accessible(page);

    const client = new OpenAI({ apiKey: "unused" });
    const [{ body, headers }] = received;
    const event = await client.webhooks.unwrap(body, headers as Record<string, string>, secret);
    expect(event.type as string).toBe("webhook.test");
    const other = `whsec_${Buffer.alloc(32).toString("base64")}`;
    await expect(client.webhooks.unwrap(body, headers as Record<string, string>, other)).rejects.toThrow();

    await row.getByRole("button", { name: "Send again" }).click();
    await expect.poll(() => received.length).toBe(2);
    expect(received[1].headers["webhook-id"]).toBe(headers["webhook-id"]);
    await page.getByRole("button", { name: "Switch off" }).click();
    await expect(page.getByText("Off", { exact: true })).toBeVisible();
    await page.getByRole("button", { name: /^Delete/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete webhook" }).click();
    await expect(page.getByText("No webhook yet")).toBeVisible();
    expect(faults).toEqual([]);
  } finally {
    receiver.close();
  }
});
