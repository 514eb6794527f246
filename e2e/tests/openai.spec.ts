// The stock `openai` package, with only its base URL and key changed.

import OpenAI, { toFile } from "openai";
import type { FineTuningJob } from "openai/resources/fine-tuning/jobs/jobs";
import { expect, test } from "./server";

/** Chat rows of a small archive. */
const rows = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      messages: [
        { role: "user", content: `What is stored on shelf ${index}?` },
        { role: "assistant", content: `Shelf ${index} holds the binders of ${1990 + index}.` },
      ],
    }),
  ).join("\n");

/** Asks again and again, as OpenAI's own examples do. */
async function once(client: OpenAI, id: string, ready: (job: FineTuningJob) => boolean): Promise<FineTuningJob> {
  let job = await client.fineTuning.jobs.retrieve(id);
  await expect(async () => {
    job = await client.fineTuning.jobs.retrieve(id);
    expect(ready(job), job.status).toBe(true);
  }).toPass({ timeout: 90_000, intervals: [250] });
  return job;
}

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

test("the openai package gets several answers, their probabilities, and JSON by a schema", async ({ server }) => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: await server.apiKey(), maxRetries: 0 });
  const base = (await client.models.list()).data.find((model) => model.id.startsWith("base:"))!;
  const schema = {
    type: "object",
    properties: { open: { type: "boolean" }, hour: { enum: [8, 9, 10] } },
    required: ["open", "hour"],
    additionalProperties: false,
  };
  const question = {
    model: base.id,
    messages: [{ role: "user" as const, content: "When is it open?" }],
    max_completion_tokens: 120,
    n: 2,
    logprobs: true,
    top_logprobs: 3,
    response_format: { type: "json_schema" as const, json_schema: { name: "gate", strict: true, schema } },
  };
  const whole = await client.chat.completions.create(question);
  expect(whole.choices.map((choice) => choice.index)).toEqual([0, 1]);
  for (const choice of whole.choices) {
    const value = JSON.parse(choice.message.content!);
    expect([8, 9, 10]).toContain(value.hour);
    expect(choice.logprobs!.content!.map((token) => token.token).join("")).toBe(choice.message.content);
    expect(choice.logprobs!.content![0].top_logprobs).toHaveLength(3);
  }
  const stream = client.chat.completions.stream({ ...question, n: 1 });
  expect(typeof JSON.parse((await stream.finalContent())!).open).toBe("boolean");
  const tools = [{ type: "function" as const, function: { name: "open_gate", parameters: schema } }];
  const { response_format: _, logprobs: __, top_logprobs: ___, n: ____, ...plain } = question;
  const forced = await client.chat.completions.create({ ...plain, tools, tool_choice: "required" });
  const [{ finish_reason, message }] = forced.choices;
  expect([finish_reason, message.content, message.tool_calls?.length]).toEqual(["tool_calls", null, 1]);
  const named = { type: "function" as const, function: { name: "open_gate" } };
  const call = await client.chat.completions.stream({ ...plain, tools, tool_choice: named }).finalFunctionToolCall();
  expect(call!.name).toBe("open_gate");
  expect(typeof JSON.parse(call!.arguments).open).toBe("boolean");
  const told = { role: "tool" as const, tool_call_id: message.tool_calls![0].id, content: "It is open." };
  const after = await client.chat.completions.create({ ...plain, messages: [...plain.messages, message, told], tools, max_tokens: 4 });
  expect(after.usage!.prompt_tokens).toBeGreaterThan(forced.usage!.prompt_tokens);
});

test("the openai package gets vectors, packed and as numbers", async ({ server }) => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: await server.apiKey(), maxRetries: 0 });
  const model = (await client.models.list()).data.find((model) => model.id.startsWith("base:"))!.id;
  const input = ["The gate opens at nine.", "Grüße"];
  // Without a format the package asks for base64 and unpacks it.
  const packed = await client.embeddings.create({ model, input });
  const plain = await client.embeddings.create({ model, input, encoding_format: "float" });
  expect(packed).toMatchObject({ object: "list", model, usage: { prompt_tokens: 30, total_tokens: 30 } });
  expect(packed.data.map((found) => found.index)).toEqual([0, 1]);
  for (const [index, { embedding }] of packed.data.entries()) {
    expect(embedding.map(Math.fround)).toEqual(plain.data[index].embedding.map(Math.fround));
    expect(embedding.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 5);
  }
  const ids = [...Buffer.from(input[1])];
  const [alone, several] = [await client.embeddings.create({ model, input: ids }), await client.embeddings.create({ model, input: [ids] })];
  expect([alone.data[0].embedding, several.data[0].embedding]).toEqual([packed.data[1].embedding, packed.data[1].embedding]);
  await expect(client.embeddings.create({ model, input, dimensions: 3 })).rejects.toMatchObject({ status: 400, param: "dimensions" });
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

test("the openai package fine-tunes, from a file to a chat", async ({ server }) => {
  test.slow();
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: await server.apiKey(), maxRetries: 0 });
  const upload = async (count: number) =>
    client.files.create({ file: await toFile(Buffer.from(rows(count)), "shelves.jsonl"), purpose: "fine-tune" });
  const [file, measured] = [await upload(24), await upload(4)];
  expect(file).toMatchObject({ object: "file", purpose: "fine-tune", filename: "shelves.jsonl" });
  const base = (await client.models.list()).data.find((model) => model.id.startsWith("base:"))!;
  const job = await client.fineTuning.jobs.create({
    model: base.id,
    training_file: file.id,
    validation_file: measured.id,
    suffix: "archive",
    seed: 7,
    metadata: { team: "archive" },
    method: {
      type: "supervised",
      supervised: { hyperparameters: { n_epochs: 6, batch_size: 2, learning_rate_multiplier: "auto" } },
    },
  });
  expect(job).toMatchObject({ object: "fine_tuning.job", model: base.id, training_file: file.id, seed: 7 });
  expect((await client.files.waitForProcessing(file.id)).status).toBe("processed");

  // Paused at some step, it goes on from there.
  const steps = async () => (await client.fineTuning.jobs.listEvents(job.id)).data.filter((event) => event.type === "metrics").length;
  await expect.poll(steps, { timeout: 60_000 }).toBeGreaterThan(1);
  await client.fineTuning.jobs.pause(job.id);
  await once(client, job.id, (job) => job.status === "queued");
  await client.fineTuning.jobs.resume(job.id);
  const done = await once(client, job.id, (job) => job.finished_at !== null);
  expect(done.error).toBeNull();
  expect(done.status).toBe("succeeded");
  expect(done.trained_tokens).toBeGreaterThan(0);

  const seen = new Map<number, string>();
  for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 10 })) {
    const data = event.data as { step: number } | undefined;
    if (data) seen.set(data.step, event.message);
  }
  expect([...seen.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 72 }, (_, index) => index + 1));
  const checkpoints = await client.fineTuning.jobs.checkpoints.list(job.id);
  expect(checkpoints.data[0]).toMatchObject({ step_number: 72, fine_tuned_model_checkpoint: done.fine_tuned_model });
  expect(checkpoints.data[0].metrics.full_valid_loss).toBeGreaterThan(0);
  const results = await client.files.content(done.result_files[0]);
  expect((await results.text()).split("\n")[0]).toBe("step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy");

  const model = await client.models.retrieve(done.fine_tuned_model!);
  expect(model.id).toMatch(/^ft:cerebros-tiny:archive:/);
  const chat = await client.chat.completions.create({
    model: model.id,
    messages: [{ role: "user", content: "What is stored on shelf 3?" }],
    max_tokens: 8,
  });
  expect(chat.choices[0].message.role).toBe("assistant");

  const listed = [];
  for await (const found of client.fineTuning.jobs.list({ limit: 1, metadata: { team: "archive" } })) listed.push(found.id);
  expect(listed).toEqual([job.id]);
  expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: "file", deleted: true });
  await expect(client.files.retrieve(file.id)).rejects.toMatchObject({ status: 404 });
  expect((await client.models.delete(model.id)).deleted).toBe(true);
});

test("the openai package cancels, and understands why something is refused", async ({ server }) => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: await server.apiKey(), maxRetries: 0 });
  const file = await client.files.create({ file: await toFile(Buffer.from(rows(48)), "a.jsonl"), purpose: "fine-tune" });
  const order = { model: "cerebros-tiny", training_file: file.id };
  const job = await client.fineTuning.jobs.create({ ...order, hyperparameters: { n_epochs: 50 } });
  await client.fineTuning.jobs.cancel(job.id);
  const cancelled = await once(client, job.id, (job) => job.finished_at !== null);
  expect(cancelled).toMatchObject({ status: "cancelled", fine_tuned_model: null });
  await expect(client.fineTuning.jobs.create({ ...order, model: "gpt-4o-mini" })).rejects.toMatchObject({
    status: 404,
    code: "model_not_found",
    param: "model",
  });
  const batch = client.files.create({ file: await toFile(Buffer.from(rows(1)), "a.jsonl"), purpose: "batch" });
  await expect(batch).rejects.toMatchObject({ status: 400, param: "purpose" });
});
