//! Choosing a base and parameters, and pressing Train.

use super::{
    estimate::Estimate,
    form_bases::Bases,
    form_parameters::{Parameters, Typed},
    form_start::Start,
};
use crate::{
    address::Address,
    api::{ApiError, bases::list_bases, jobs::estimate_job},
    browser,
    components::{button::Button, error_view::Alert, icon::Icon, loaded::Loaded},
    forms::check,
    remote::Remote,
};
use cerebros_common::{
    bases::{BaseQuery, BaseSource, BaseStatus},
    events::EventKind,
    ids::{BaseId, DatasetId, ModelId},
    jobs::{FittingParameters, JobEstimate, JobParameters, NewJob},
};
use leptos::prelude::*;
use std::time::Duration;

/// How long one has typed no more before it is counted anew.
const QUIET: Duration = Duration::from_millis(500);

/// What a person wants trained, whatever it is trained on.
#[derive(Debug, Clone)]
pub struct Choice {
    pub base_id: BaseId,
    pub initial_model_id: Option<ModelId>,
    pub parameters: JobParameters,
}

#[component]
pub fn TrainForm(
    #[prop(into)] busy: Signal<bool>,
    error: RwSignal<Option<ApiError>>,
    /// Why training cannot start.
    blocked: Signal<Option<&'static str>>,
    /// What it would be trained on, once that is known.
    #[prop(optional, into)]
    dataset: Option<DatasetId>,
    /// Whether its rows are pairs of answers.
    #[prop(optional, into)]
    pairs: Signal<bool>,
    /// It starts from a fresh adapter, and no other is offered.
    #[prop(optional)]
    fresh: bool,
    train: Callback<Choice>,
) -> impl IntoView {
    let bases = Remote::new(|| {
        list_bases(BaseQuery {
            limit: Some(100),
            ..BaseQuery::default()
        })
    })
    .live(|event| event.kind == EventKind::BaseChanged);
    let chosen = RwSignal::new(None::<BaseId>);
    // Until the person chooses: a real base if there is one, else the built-in one.
    Effect::new(move |_| {
        let best = bases.with(|page| {
            let ready = || page.items.iter().filter(|base| base.status == BaseStatus::Ready);
            ready()
                .find(|base| base.source != BaseSource::BuiltIn)
                .or_else(|| ready().next())
                .map(|base| base.id)
        });
        if chosen.get_untracked().is_none() {
            chosen.set(best.flatten());
        }
    });
    let typed = Typed::new(&JobParameters::default());
    let start = RwSignal::new(Address::of_page().untracked("from").unwrap_or_default());
    let estimate = dataset.map(|dataset| estimated(dataset, chosen, start, typed, blocked));
    let apply = Callback::new(move |fitting: FittingParameters| {
        if let Ok(parameters) = untrack(|| typed.read()) {
            typed.set(&JobParameters {
                batch_size: fitting.batch_size,
                gradient_accumulation_steps: fitting.gradient_accumulation_steps,
                max_seq_length: fitting.max_seq_length,
                ..parameters
            });
        }
    });
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(base_id) = chosen.get_untracked() else { return };
        match untrack(|| typed.read()).and_then(|parameters| check(&parameters).map(|()| parameters)) {
            Ok(parameters) => {
                error.set(None);
                train.run(Choice {
                    base_id,
                    initial_model_id: start.with_untracked(|start| start.parse().ok()),
                    parameters,
                });
            }
            Err(fault) => error.set(Some(fault)),
        }
    };
    view! {
        <form class="space-y-6" novalidate on:submit=submit>
            <Loaded remote=bases let:page>
                <Bases bases=Signal::derive(move || page.get().items) chosen added=Callback::new(move |()| bases.refetch()) />
            </Loaded>
            {(!fresh).then(|| view! { <Start chosen start typed error /> })}
            <Parameters typed error pairs further=Signal::derive(move || start.with(|start| !start.is_empty())) />
            {estimate.map(|estimate| view! { <Estimate estimate apply /> })}
            <Alert error=Signal::derive(move || error.get().filter(|error| error.fields().is_empty())) />
            <div class="flex flex-wrap items-center justify-end gap-4">
                {move || {
                    blocked
                        .get()
                        .map(|why| {
                            view! {
                                <p class="flex items-center gap-2 text-sm text-muted">
                                    <Icon icon=icondata::LuInfo />
                                    {why}
                                </p>
                            }
                        })
                }}
                <Button busy kind="submit" disabled=Signal::derive(move || blocked.get().is_some() || chosen.get().is_none())>
                    <Icon icon=icondata::LuPlay />
                    "Train"
                </Button>
            </div>
        </form>
    }
}

/// What training would take with what stands in the form; nothing while it is not complete.
fn estimated(
    dataset_id: DatasetId,
    chosen: RwSignal<Option<BaseId>>,
    start: RwSignal<String>,
    typed: Typed,
    blocked: Signal<Option<&'static str>>,
) -> Remote<Option<JobEstimate>> {
    let whole = move || {
        let parameters = typed.read().ok().filter(|parameters| check(parameters).is_ok())?;
        let base_id = chosen.get().filter(|_| blocked.get().is_none())?;
        Some(NewJob {
            dataset_id,
            base_id,
            validation_dataset_id: None,
            initial_model_id: start.with(|start| start.parse().ok()),
            agent_id: None,
            parameters,
        })
    };
    let asked = RwSignal::new(None::<NewJob>);
    let ask = browser::settled(QUIET, move || asked.set(untrack(whole)));
    Effect::new(move |_| {
        whole();
        ask();
    });
    Remote::new(move || {
        let asked = asked.get();
        async move {
            match asked {
                Some(body) => estimate_job(body).await.map(Some),
                None => Ok(None),
            }
        }
    })
}
