//! `/models/{id}/compare`: against whom and on which prompts, and the comparisons that there are.

use crate::{
    address::Address,
    api::{
        comparisons::{create_comparison, list_comparisons},
        models::{find_model, list_models},
    },
    browser,
    components::{
        button::Button,
        error_view::Alert,
        field::{Select, TextArea},
        loaded::Loaded,
        may::May,
        page_head::{PageHead, Panel},
        status::ComparisonTag,
        time::Ago,
    },
    format,
    forms::Sending,
    pages::by_id::by_id,
    remote::Remote,
};
use cerebros_common::{
    comparisons::{Comparison, ComparisonQuery, NewComparison},
    events::EventKind,
    ids::ModelId,
    models::{Model, ModelQuery},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn ComparePage() -> impl IntoView {
    browser::title("Compare a model");
    view! {
        {by_id(|id| view! { <OfModel id /> })}
    }
}

#[component]
fn OfModel(id: ModelId) -> impl IntoView {
    let model = Remote::new(move || find_model(id));
    let parents = Signal::derive(move || {
        let name = model.with(|model| model.name.clone()).unwrap_or_default();
        vec![
            ("Models".to_owned(), "/models".to_owned()),
            (name, format!("/models/{id}")),
        ]
    });
    view! {
        <PageHead
            title="Compare"
            parents
            text="Both models answer the same prompts. You vote without knowing which is which; the names show after each vote."
        />
        <div class="space-y-6">
            <Loaded remote=model let:model>
                <May role=Role::Editor>
                    <NewForm model />
                </May>
            </Loaded>
            <Earlier id />
        </div>
    }
}

#[component]
fn NewForm(model: Signal<Model>) -> impl IntoView {
    let address = Address::of_page();
    let (sending, against, prompts) = (
        Sending::new(),
        RwSignal::new(String::new()),
        RwSignal::new(String::new()),
    );
    let id = model.with_untracked(|model| model.id);
    let others = Remote::new(|| {
        list_models(ModelQuery {
            limit: Some(100),
            ..ModelQuery::default()
        })
    });
    let options = Signal::derive(move || {
        let base = model.with(|model| model.base_name.clone());
        let mut options = vec![(String::new(), format!("The base as it was: {base}"))];
        for other in others.get().map(|page| page.items).unwrap_or_default() {
            if other.id != id && other.source_deleted_at.is_none() {
                options.push((
                    other.id.to_string(),
                    format!("{}, {}", other.name, other.created_at.format("%-d %b %Y %H:%M")),
                ));
            }
        }
        options
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let body = NewComparison {
            model_id: id,
            against_id: against.with_untracked(|against| against.parse().ok()),
            prompts: prompts.with_untracked(|text| {
                text.lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect()
            }),
        };
        sending.submit(body, create_comparison, move |made: Comparison| {
            address.leave_for(&format!("/comparisons/{}", made.id));
        });
    };
    view! {
        <Panel title="New comparison">
            <form class="max-w-2xl space-y-4" on:submit=submit novalidate>
                <Select label="Compare with" name="against" value=against options />
                <TextArea
                    label="Prompts"
                    name="prompts"
                    value=prompts
                    error=sending.field("prompts")
                    hint="One a line, up to 20. Ask what the model should know now."
                    rows=6
                />
                <Alert error=sending.general() />
                <Button kind="submit" busy=sending.busy>
                    "Let both answer"
                </Button>
            </form>
        </Panel>
    }
}

#[component]
fn Earlier(id: ModelId) -> impl IntoView {
    let comparisons = Remote::new(move || {
        list_comparisons(ComparisonQuery {
            model_id: Some(id),
            ..ComparisonQuery::default()
        })
    })
    .live(|event| event.kind == EventKind::ComparisonChanged);
    let none = || view! { <p class="text-muted">"This model was not compared yet."</p> };
    view! {
        <Panel title="Comparisons">
            <Loaded remote=comparisons is_empty=crate::components::loaded::no_items empty=none let:page>
                <ul class="divide-y divide-line">
                    <For each=move || page.get().items key=|one| (one.id, one.status, one.votes.total()) let:one>
                        <li class="flex flex-wrap items-center gap-x-4 gap-y-1 py-3 first:pt-0 last:pb-0">
                            <a href=format!("/comparisons/{}", one.id) class="min-w-0 grow basis-64 truncate font-medium hover:underline">
                                {format!("{} and {}", one.model_name, one.against_name)}
                            </a>
                            <span class="text-sm text-muted">
                                {format!("{} of {}", one.votes.total(), format::counted(u64::from(one.rounds), "vote", "votes"))}
                            </span>
                            <ComparisonTag status=one.status />
                            <span class="text-sm text-muted">
                                <Ago at=one.created_at />
                            </span>
                        </li>
                    </For>
                </ul>
            </Loaded>
        </Panel>
    }
}
