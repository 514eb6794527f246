//! What Cerebros does, for people who are not signed in.

use super::welcome::skip_if_signed_in;
use crate::{
    browser,
    components::{brand::Brand, footer::Footer, icon::Icon, theme_switch::ThemeSwitch},
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

static PROMISES: [(&str, &str); 4] = [
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
    (
        "Shared with care",
        "Workspaces have members with roles, each change stands in an audit log, and API keys may do only what you allow.",
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
            <section class="mx-auto max-w-4xl px-4 pt-12 text-center sm:pt-20">
                <h1 class="text-balance sm:text-4xl">"Turn your documents into a language model that you own"</h1>
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
            <Picture />
            <section class="border-y border-line bg-base-200 px-4 py-12">
                <div class="mx-auto max-w-6xl sm:px-8">
                    <h2 class="text-center text-2xl">"How it works"</h2>
                    <ol class="mt-8 grid gap-4 sm:grid-cols-2 lg:grid-cols-4">
                        {STEPS.iter().enumerate().map(|(index, step)| step.card(index + 1)).collect_view()}
                    </ol>
                </div>
            </section>
            <section class="mx-auto grid max-w-6xl gap-8 px-4 py-12 sm:grid-cols-2 sm:px-8 lg:grid-cols-4">
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
        <Footer />
    }
}

/// The review, in the colours of the page. Which file it is stands in the page's head: the build names it.
#[component]
fn Picture() -> impl IntoView {
    let picture = |theme: &'static str, class: &'static str| {
        let name = format!("picture-{theme}");
        let files = browser::meta(&name).unwrap_or_default();
        view! {
            <img
                class=format!("h-auto w-full {class}")
                srcset=files
                sizes="(min-width: 1088px) 1024px, calc(100vw - 2rem)"
                width="1280"
                height="800"
                loading="lazy"
                alt="Reviewing examples in Cerebros: the list, the chosen example, and the passage that it quotes"
            />
        }
    };
    view! {
        <div class="mx-auto max-w-[66rem] px-4 py-12 sm:py-16">
            <div class="overflow-hidden rounded-box border border-line shadow-xl">
                {picture("light", "on-light")} {picture("dark", "on-dark")}
            </div>
        </div>
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
