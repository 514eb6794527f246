// A workspace with real content, made over the API as a script makes it.

import type { APIRequestContext, APIResponse } from "@playwright/test";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, fixture } from "./server";

const DATASET = [
  '{"messages": [{"role": "user", "content": "Who approves travel?"}, {"role": "assistant", "content": "The head of your department."}]}',
  '{"messages": [{"role": "user", "content": "Who approves leave?"}, {"role": "assistant", "content": "Your direct manager."}]}',
  '{"messages": [{"role": "user", "content": "Nobody answered this."}]}',
].join("\n");

/** Signs up; the session's cookie stays in the context. */
export async function signUp(request: APIRequestContext, url: string, email = "ada@example.org"): Promise<void> {
  const data = { email, password: "correct horse battery", name: "Ada Lovelace" };
  expect((await request.post(`${url}/api/v1/auth/sign-up`, { data })).status()).toBe(201);
}

async function data(answer: APIResponse) {
  expect(answer.ok(), `${answer.url()}: ${answer.status()} ${await answer.text()}`).toBe(true);
  return (await answer.json()).data;
}

/** Addresses of all pages, by a name that a file can have. */
export async function fillWorkspace(request: APIRequestContext, url: string): Promise<Map<string, string>> {
  await signUp(request, url);
  const get = async (path: string) => data(await request.get(`${url}/api/v1${path}`));
  const post = async (path: string, body: object) => data(await request.post(`${url}/api/v1${path}`, { data: body }));
  const upload = async (path: string, name: string, buffer: Buffer) =>
    data(await request.post(`${url}/api/v1${path}`, { multipart: { file: { name, mimeType: "application/octet-stream", buffer } } }));

  const agent = await post("/agents", { name: "Policy guide", description: "Answers about remote work and how projects are run." });
  const draft = await post("/agents", { name: "Contract reviewer", description: "Finds unusual clauses in supply contracts." });
  for (const path of [fixture("remote-work-policy.pdf"), fixture("project-handbook.docx")]) {
    await upload(`/documents?agent_id=${agent.id}&kind=work_product`, basename(path), readFileSync(path));
  }
  const glossary = Buffer.from("# Glossary\n\nA core hour is an hour in which everyone can be reached.\n");
  await upload(`/documents?agent_id=${agent.id}&kind=reference`, "glossary.md", glossary);
  const uploaded = await upload("/datasets/upload?name=Travel%20questions", "travel.jsonl", Buffer.from(DATASET));
  const documents = async () => (await get(`/documents?agent_id=${agent.id}`)).items;
  const read = (document: { status: string; kind: string; examples: number }) =>
    document.status === "ready" && (document.kind !== "work_product" || document.examples > 0);
  await expect.poll(async () => (await documents()).filter(read).length, { timeout: 60_000 }).toBe(3);

  // All but two are reviewed.
  const examples = (await get(`/examples?agent_id=${agent.id}&limit=100`)).items;
  const ids = examples.map((example: { id: string }) => example.id);
  await post("/examples/review", { agent_id: agent.id, status: "approved", ids: ids.slice(2) });

  const dataset = await post("/datasets", { agent_id: agent.id, name: "Policy guide, first review" });
  await expect.poll(async () => (await get(`/datasets/${dataset.id}`)).status).toBe("ready");
  const bases = (await get("/bases")).items;
  const job = await post("/jobs", {
    agent_id: agent.id,
    dataset_id: dataset.id,
    base_id: bases.find((base: { source: string }) => base.source === "built_in").id,
    parameters: { epochs: 2, learning_rate: 0.002, max_seq_length: 256 },
  });
  const state = async () => get(`/jobs/${job.id}`);
  await expect.poll(async () => (await state()).status, { timeout: 150_000 }).toBe("succeeded");
  const { model_id } = await state();
  for (const content of ["How many days may I work remotely?", "Who approves it?"]) {
    const question = { model: `agent:${agent.id}`, max_tokens: 16, messages: [{ role: "user", content }] };
    expect((await request.post(`${url}/v1/chat/completions`, { data: question })).status()).toBe(200);
  }
  const diagram = await post("/diagrams", { title: "May I work at home?", source: "flowchart LR\n  A[Ask] --> B{Allowed?}\n", level: "beginner" });
  await post("/api-keys", { name: "Nightly report" });
  const document = (await documents()).find((document: { name: string }) => document.name.endsWith(".pdf"));
  const { start, end } = examples.find((example: { source: { document_id: string } }) => example.source.document_id === document.id).source;

  const assistant = `/assistants/${agent.id}`;
  return new Map([
    ["dashboard", "/dashboard"],
    ["assistant-chat", assistant],
    ["assistant-documents", `${assistant}?tab=documents`],
    ["assistant-examples", `${assistant}?tab=examples`],
    ["assistant-generate", `${assistant}?tab=generate`],
    ["assistant-models", `${assistant}?tab=models`],
    ["assistant-api", `${assistant}?tab=api`],
    ["wizard-1", `${assistant}/wizard/1`],
    ["wizard-1-empty", `/assistants/${draft.id}/wizard/1`],
    ["wizard-2", `${assistant}/wizard/2`],
    ["wizard-2-empty", `/assistants/${draft.id}/wizard/2`],
    ["wizard-3", `${assistant}/wizard/3`],
    ["wizard-4", `${assistant}/wizard/4`],
    ["wizard-5", `${assistant}/wizard/5`],
    ["wizard-5-empty", `/assistants/${draft.id}/wizard/5`],
    ["document", `/documents/${document.id}?at=${start}-${end}`],
    ["datasets", "/datasets"],
    ["dataset", `/datasets/${dataset.id}`],
    ["dataset-findings", `/datasets/${uploaded.id}?tab=findings`],
    ["dataset-versions", `/datasets/${uploaded.id}?tab=versions`],
    ["train", `/datasets/${dataset.id}/train`],
    ["training", "/training"],
    ["job", `/training/${job.id}`],
    ["models", "/models"],
    ["model", `/models/${model_id}`],
    ["settings-profile", "/settings/profile"],
    ["settings-notifications", "/settings/notifications"],
    ["settings-sessions", "/settings/sessions"],
    ["settings-workspace", "/settings/workspace"],
    ["settings-members", "/settings/members"],
    ["settings-api-keys", "/settings/api-keys"],
    ["settings-provider-keys", "/settings/provider-keys"],
    ["settings-templates", "/settings/templates"],
    ["settings-language-model", "/settings/language-model"],
    ["settings-usage", "/settings/usage"],
    ["settings-data", "/settings/data"],
    ["settings-audit", "/settings/audit"],
    ["studio", "/studio"],
    ["studio-diagram", `/studio?diagram=${diagram.id}`],
    ["outbox", "/outbox"],
    ["missing", "/no-such-page"],
  ]);
}

/** A workspace with somebody who is invited to it. */
export async function shareWorkspace(request: APIRequestContext, url: string): Promise<string> {
  const made = await data(await request.post(`${url}/api/v1/workspaces`, { data: { name: "Port analysts" } }));
  const headers = { "x-workspace-id": made.id };
  const invitation = { email: "grace@example.org", role: "reviewer" };
  await data(await request.post(`${url}/api/v1/invitations`, { data: invitation, headers }));
  return made.name;
}

/** Pages of the settings that look different in a workspace with members. */
export const shared = new Map([
  ["shared-workspace", "/settings/workspace"],
  ["shared-members", "/settings/members"],
  ["shared-data", "/settings/data"],
]);

/** As long as a token of a link, and of no use. */
const token = "0".repeat(64);

/** Pages of people who are not signed in. */
export const outside = new Map([
  ["landing", "/"],
  ["sign-in", "/sign-in"],
  ["sign-up", "/sign-up"],
  ["forgot-password", "/forgot-password"],
  ["magic-link", `/magic-link#token=${token}`],
  ["magic-link-used", "/magic-link"],
  ["reset-password", `/reset-password#token=${token}`],
  ["verify-email", `/verify-email#token=${token}`],
  ["confirm-email", `/confirm-email#token=${token}`],
  ["invitation-used", "/invitation"],
  ["shared-used", `/shared/${token}`],
  ["outbox-empty", "/outbox"],
  ["privacy", "/privacy"],
  ["terms", "/terms"],
]);
