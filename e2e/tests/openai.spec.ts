// The stock `openai` package, with only its base URL and key changed.

import OpenAI from "openai";
import { expect, test } from "./server";

test("the openai package lists models and chats, streaming and not", async ({ server }) => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: await server.apiKey() });
  const models = await client.models.list();
  const base = models.data.find((model) => model.id.startsWith("base:"));
  expect(base).toBeTruthy();
  const question = {
    model: base!.id,
    messages: [{ role: "user" as const, content: "Who are you?" }],
    max_tokens: 16,
    temperature: 0,
  };
  const whole = await client.chat.completions.create(question);
  expect(whole.object).toBe("chat.completion");
  expect(whole.usage!.completion_tokens).toBeGreaterThan(0);
  let text = "";
  let finish: string | null = null;
  for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
  }
  expect(text).toBe(whole.choices[0].message.content);
  expect(finish).toBe(whole.choices[0].finish_reason);
});

test("the openai package understands the errors", async ({ server }) => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: await server.apiKey(), maxRetries: 0 });
  const messages = [{ role: "user" as const, content: "Hi" }];
  await expect(client.chat.completions.create({ model: "gpt-4", messages })).rejects.toMatchObject({
    status: 404,
    code: "model_not_found",
    param: "model",
  });
  const stranger = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "wrong", maxRetries: 0 });
  await expect(stranger.models.list()).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
});
