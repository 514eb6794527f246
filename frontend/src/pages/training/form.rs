//! Choosing a base and parameters, and pressing Train.

use super::{
    form_bases::Bases,
    form_parameters::{Parameters, Typed},
};
use crate::{
    api::{ApiError, bases::list_bases},
    components::{button::Button, error_view::Alert, icon::Icon, loaded::Loaded},
    forms::check,
    remote::Remote,
};
use cerebros_common::{
    bases::{BaseQuery, BaseSource, BaseStatus},
    events::EventKind,
    ids::BaseId,
    jobs::JobParameters,
};
use leptos::prelude::*;

#[component]
pub fn TrainForm(
    #[prop(into)] busy: Signal<bool>,
    error: RwSignal<Option<ApiError>>,
    /// Why training cannot start.
    blocked: Signal<Option<&'static str>>,
    train: Callback<(BaseId, JobParameters)>,
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
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(base) = chosen.get_untracked() else { return };
        match typed
            .read()
            .and_then(|parameters| check(&parameters).map(|()| parameters))
        {
            Ok(parameters) => {
                error.set(None);
                train.run((base, parameters));
            }
            Err(fault) => error.set(Some(fault)),
        }
    };
    view! {
        <form class="space-y-6" novalidate on:submit=submit>
            <Loaded remote=bases let:page>
                <Bases bases=Signal::derive(move || page.get().items) chosen added=Callback::new(move |()| bases.refetch()) />
            </Loaded>
            <Parameters typed error />
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
