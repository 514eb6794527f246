//! How programs call an assistant.

use crate::{browser, components::copy_button::Snippet, session::Session};
use cerebros_common::{ids::AgentId, workspaces::Role};
use leptos::prelude::*;

#[component]
pub fn Connect(id: AgentId) -> impl IntoView {
    let session = Session::of_app();
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
                "The server speaks OpenAI's chat format. "
                <Show when=move || session.may(Role::Admin) fallback=|| "Ask an admin of this workspace for a key">
                    "Make a key under "
                    <a class="link-plain" href="/settings/api-keys">
                        "API keys"
                    </a>
                </Show> " and put it into the environment variable " <code class="font-mono text-sm">"CEREBROS_API_KEY"</code> ". With "
                <code class="font-mono text-sm">"documents: true"</code>
                " in the request, the assistant reads passages of its documents first, and the answer names them in "
                <code class="font-mono text-sm">"citations"</code> "."
            </p>
            <Snippet title="curl" code=curl />
            <Snippet title="Python" code=python />
            <Snippet title="JavaScript" code=javascript />
        </div>
    }
}
