//! How programs call an assistant.

use crate::{browser, components::copy_button::Snippet};
use cerebros_common::ids::AgentId;
use leptos::prelude::*;

#[component]
pub fn Connect(id: AgentId) -> impl IntoView {
    let origin = browser::origin();
    let model = format!("agent:{id}");
    let curl = format!(
        r#"curl {origin}/v1/chat/completions \
  -H "Authorization: Bearer $CEREBROS_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{{
    "model": "{model}",
    "messages": [{{"role": "user", "content": "What did we recommend?"}}]
  }}'"#
    );
    let python = format!(
        r#"import os
from openai import OpenAI

client = OpenAI(base_url="{origin}/v1", api_key=os.environ["CEREBROS_API_KEY"])
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "What did we recommend?"}}],
)
print(answer.choices[0].message.content)"#
    );
    let javascript = format!(
        r#"import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{origin}/v1", apiKey: process.env.CEREBROS_API_KEY }});
const stream = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "What did we recommend?" }}],
  stream: true,
}});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");"#
    );
    view! {
        <div class="space-y-4">
            <p class="max-w-prose text-muted">
                "The server speaks OpenAI's chat format. Make a key under " <a class="link-plain" href="/api-keys">"API keys"</a>
                " and put it into the environment variable " <code class="font-mono text-sm">"CEREBROS_API_KEY"</code> "."
            </p>
            <Snippet title="curl" code=curl />
            <Snippet title="Python" code=python />
            <Snippet title="JavaScript" code=javascript />
        </div>
    }
}
