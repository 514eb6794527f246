//! Five steps from documents to a model. The server remembers the step.

mod stages;
mod step_bar;
mod training_step;

use super::{documents::DocumentsPart, find::concerns_agent, review::Review};
use crate::{
    api::agents::{find_agent, update_agent},
    browser,
    components::{icon::Icon, loaded::Loaded, page_head::PageHead},
    pages::{by_id::by_id, missing::NotHere},
    remote::Remote,
    session::Session,
    toasts::Toasts,
};
use cerebros_common::{
    agents::{Agent, AgentPatch},
    documents::DocumentKind,
    errors::ErrorCode,
    ids::AgentId,
    workspaces::Role,
};
use leptos::{prelude::*, task::spawn_local};
use leptos_router::hooks::use_params_map;
use step_bar::{STEPS, StepBar};
use training_step::TrainingStep;

#[component]
pub fn WizardPage() -> impl IntoView {
    view! {
        {by_id(|id| view! { <Wizard id /> })}
    }
}

#[component]
fn Wizard(id: AgentId) -> impl IntoView {
    let params = use_params_map();
    let step = Memo::new(move |_| {
        let step = params
            .with(|params| params.get("step"))
            .and_then(|step| step.parse::<u8>().ok());
        step.filter(|step| (1..=5).contains(step))
    });
    let agent = Remote::new(move || find_agent(id)).live(concerns_agent(id));
    remember(agent, step);
    let parents = Signal::derive(move || {
        let name = agent.with(|agent| agent.name.clone()).unwrap_or_default();
        vec![
            ("Dashboard".to_owned(), "/dashboard".to_owned()),
            (name, format!("/assistants/{id}")),
        ]
    });
    move || match step.get() {
        None => view! { <NotHere /> }.into_any(),
        Some(step) => view! {
            <PageHead title=STEPS[usize::from(step) - 1].title parents />
            <StepBar id step />
            <Loaded remote=agent let:agent>
                <Content agent step />
            </Loaded>
            <Footer id step />
        }
        .into_any(),
    }
}

/// Tells the server where the person is, so that the wizard can be left and come back to.
fn remember(agent: Remote<Agent>, step: Memo<Option<u8>>) {
    let toasts = Toasts::of_app();
    let session = Session::of_app();
    let told = StoredValue::new(None::<(u8, i64)>);
    Effect::new(move |_| {
        let Some(step) = step.get() else { return };
        browser::title(STEPS[usize::from(step) - 1].title);
        let Some((id, version, known)) = agent.with(|agent| (agent.id, agent.version, agent.wizard_step)) else {
            return;
        };
        if known == step || !session.may(Role::Editor) || told.get_value() == Some((step, version)) {
            return;
        }
        told.set_value(Some((step, version)));
        let body = AgentPatch {
            wizard_step: Some(step),
            ..AgentPatch::default()
        };
        spawn_local(async move {
            match update_agent(id, version, body).await {
                Ok(changed) => agent.set(changed),
                Err(error) if error.code() == Some(ErrorCode::StaleVersion) => agent.refetch(),
                Err(error) => toasts.bad(&error),
            }
        });
    });
}

#[component]
fn Content(agent: Signal<Agent>, step: u8) -> impl IntoView {
    let id = agent.with_untracked(|agent| agent.id);
    match step {
        1 => view! { <DocumentsPart id kind=DocumentKind::WorkProduct title="Your files" /> }.into_any(),
        2 => view! { <Review agent /> }.into_any(),
        3 => view! {
            <Told text="These files are trained on in the first two stages, and searched: the chat quotes them. You can leave this step empty." />
            <DocumentsPart id kind=DocumentKind::Communication title="Your files" />
        }
        .into_any(),
        4 => view! {
            <Told text="These files are trained on in the first stage, and searched: the chat quotes them. You can leave this step empty." />
            <DocumentsPart id kind=DocumentKind::Reference title="Your files" />
        }
        .into_any(),
        _ => view! { <TrainingStep agent /> }.into_any(),
    }
}

#[component]
fn Told(text: &'static str) -> impl IntoView {
    view! {
        <div class="mb-6 flex gap-2 rounded-field bg-tint-blue px-4 py-2 text-sm text-ink-blue">
            <Icon icon=icondata::LuInfo class="mt-0.5 size-4" />
            <p>{text}</p>
        </div>
    }
}

#[component]
fn Footer(id: AgentId, step: u8) -> impl IntoView {
    view! {
        <div class="mt-8 flex flex-wrap items-center justify-between gap-2 border-t border-line pt-6">
            {if step > 1 {
                view! {
                    <a href=format!("/assistants/{id}/wizard/{}", step - 1) class="btn">
                        <Icon icon=icondata::LuArrowLeft />
                        "Back"
                    </a>
                }
                    .into_any()
            } else {
                view! { <a href="/dashboard" class="btn btn-ghost">"Leave, and come back later"</a> }.into_any()
            }}
            {(step < 5)
                .then(|| {
                    view! {
                        <a href=format!("/assistants/{id}/wizard/{}", step + 1) class="btn btn-primary">
                            "Continue"
                            <Icon icon=icondata::LuArrowRight />
                        </a>
                    }
                })}
        </div>
    }
}
