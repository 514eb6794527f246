//! What Cerebros does, for people who are not signed in.

use super::welcome::skip_if_signed_in;
use crate::{
    components::{brand::Brand, icon::Icon, theme_switch::ThemeSwitch},
    session::HOME,
};
use leptos::prelude::*;

struct Step {
    icon: icondata::Icon,
    title: &'static str,
    text: &'static str,
}

static STEPS: [Step; 4] = [
    Step {
        icon: icondata::LuFileUp,
        title: "Upload your work",
        text: "Reports, notes and manuals as PDF, Word, text, Markdown, CSV, JSON or XML. Their text is extracted on this server.",
    },
    Step {
        icon: icondata::LuQuote,
        title: "Review the examples",
        text: "Questions and answers are built from your text. Each one quotes the passage it comes from; you approve, edit or reject.",
    },
    Step {
        icon: icondata::LuActivity,
        title: "Train your model",
        text: "Approved examples train a small adapter on a base model you choose. Watch the loss fall, stop and resume at will.",
    },
    Step {
        icon: icondata::LuMessageSquare,
        title: "Chat, call, download",
        text: "Chat beside the matching passages of your documents, call it with the OpenAI SDKs, or take the adapter with you.",
    },
];

static PROMISES: [(&str, &str); 3] = [
    (
        "Yours",
        "Documents, examples and adapters stay on the server that runs Cerebros. No other account is needed.",
    ),
    (
        "Traceable",
        "Every model names its dataset, job, base and seed; every generated example names its passage.",
    ),
    (
        "Portable",
        "Adapters are plain PEFT directories, and the API speaks OpenAI's chat format.",
    ),
];

#[component]
pub fn Landing() -> impl IntoView {
    document().set_title("Cerebros");
    skip_if_signed_in(Memo::new(|_| HOME.to_owned()));
    view! {
        <header class="mx-auto flex max-w-6xl items-center justify-between gap-2 p-4 sm:px-8">
            <Brand />
            <div class="flex items-center gap-2">
                <span class="hidden sm:inline-flex">
                    <ThemeSwitch />
                </span>
                <a href="/sign-in" class="btn btn-ghost">
                    "Sign in"
                </a>
            </div>
        </header>
        <main>
            <section class="mx-auto max-w-4xl px-4 pt-12 pb-12 text-center sm:pt-24 sm:pb-24">
                <h1 class="text-balance">"Turn your documents into a language model that you own"</h1>
                <p class="mx-auto mt-4 max-w-2xl text-balance text-muted">
                    "Cerebros makes training examples from your work, lets you review every one, trains a model on those you approve, and gives you a chat with it. All of it runs on your own server."
                </p>
                <div class="mt-8 flex flex-wrap justify-center gap-4">
                    <a href="/sign-up" class="btn btn-primary">
                        "Sign up"
                        <Icon icon=icondata::LuArrowRight />
                    </a>
                    <a href="/sign-in" class="btn">
                        "Sign in"
                    </a>
                </div>
            </section>
            <section class="border-y border-line bg-base-200 px-4 py-12">
                <div class="mx-auto max-w-6xl sm:px-8">
                    <h2 class="text-center text-2xl">"How it works"</h2>
                    <ol class="mt-8 grid gap-4 sm:grid-cols-2 lg:grid-cols-4">
                        {STEPS.iter().enumerate().map(|(index, step)| step.card(index + 1)).collect_view()}
                    </ol>
                </div>
            </section>
            <section class="mx-auto grid max-w-6xl gap-8 px-4 py-12 sm:grid-cols-3 sm:px-8">
                {PROMISES
                    .iter()
                    .map(|(title, text)| {
                        view! {
                            <div>
                                <h2>{*title}</h2>
                                <p class="mt-2 text-muted">{*text}</p>
                            </div>
                        }
                    })
                    .collect_view()}
            </section>
        </main>
    }
}

impl Step {
    fn card(&'static self, number: usize) -> impl IntoView {
        view! {
            <li class="panel p-6">
                <div class="flex items-center justify-between">
                    <span class="rounded-field bg-tint-blue p-2 text-ink-blue">
                        <Icon icon=self.icon class="size-5" />
                    </span>
                    <span class="text-sm text-muted">{number}</span>
                </div>
                <h3 class="mt-4">{self.title}</h3>
                <p class="mt-2 text-sm text-muted">{self.text}</p>
            </li>
        }
    }
}
