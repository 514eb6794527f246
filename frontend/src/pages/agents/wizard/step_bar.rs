//! The five steps, and which of them is open.

use cerebros_common::ids::AgentId;
use leptos::prelude::*;

pub struct Step {
    pub name: &'static str,
    pub title: &'static str,
    pub text: &'static str,
}

pub static STEPS: [Step; 5] = [
    Step {
        name: "Work products",
        title: "Upload your work products",
        text: "What you wrote yourself: reports, memos, manuals. Training examples are made from these.",
    },
    Step {
        name: "Review",
        title: "Review the examples",
        text: "Built from the text itself, without a language model. Only approved examples are trained on.",
    },
    Step {
        name: "Communications",
        title: "Add communications",
        text: "Mail, chats and minutes that show how you talk to people.",
    },
    Step {
        name: "References",
        title: "Add reference materials",
        text: "Background to look things up in: standards, handbooks, price lists.",
    },
    Step {
        name: "Training",
        title: "Train the model",
        text: "In five stages on one adapter: your documents, then your approved examples.",
    },
];

#[component]
pub fn StepBar(id: AgentId, step: u8) -> impl IntoView {
    view! {
        <p class="-mt-4 mb-6 max-w-prose text-muted">{STEPS[usize::from(step) - 1].text}</p>
        <nav aria-label="Steps" class="mb-8">
            <ol class="grid grid-cols-5 gap-2">
                {(1..)
                    .zip(&STEPS)
                    .map(|(number, other)| {
                        let here = number == step;
                        let reached = number <= step;
                        view! {
                            <li>
                                <a
                                    href=format!("/assistants/{id}/wizard/{number}")
                                    aria-current=here.then_some("step")
                                    aria-label=format!("Step {number}: {}", other.name)
                                    class="group block rounded-sm pt-2"
                                >
                                    <span
                                        class="block h-1 rounded-full"
                                        class:bg-primary=reached
                                        class:bg-tint-grey=!reached
                                    ></span>
                                    <span
                                        class="mt-2 block truncate text-sm group-hover:underline"
                                        class:font-medium=here
                                        class:text-muted=!here
                                    >
                                        {number}
                                        <span class="hidden sm:inline">" " {other.name}</span>
                                    </span>
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ol>
        </nav>
    }
}
