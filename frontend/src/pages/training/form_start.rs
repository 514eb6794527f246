//! Choosing what the adapter starts as: fresh, or a model's.

use super::form_parameters::Typed;
use crate::{
    api::{
        ApiError,
        jobs::find_job,
        models::{find_model, list_models},
    },
    components::{field::Select, page_head::Panel},
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    ids::{BaseId, ModelId},
    models::{Model, ModelQuery},
};
use leptos::{prelude::*, task::spawn_local};

/// `start` is a model's id, or empty for a fresh adapter. Choosing a model chooses its base and the shape of its adapter.
#[component]
pub fn Start(
    chosen: RwSignal<Option<BaseId>>,
    start: RwSignal<String>,
    typed: Typed,
    error: RwSignal<Option<ApiError>>,
) -> impl IntoView {
    let models = Remote::new(|| {
        list_models(ModelQuery {
            limit: Some(100),
            ..ModelQuery::default()
        })
    })
    .live(|event| matches!(event.kind, EventKind::ModelChanged | EventKind::ModelDeleted));
    let of_base = RwSignal::new(None::<BaseId>);
    Effect::new(move |_| {
        let Ok(id) = start.with(|start| start.parse::<ModelId>()) else {
            of_base.set(None);
            return;
        };
        spawn_local(async move {
            let found = async {
                let model = find_model(id).await?;
                Ok((model.base_id, find_job(model.job_id).await?.parameters))
            };
            match found.await {
                Ok((base, before)) => {
                    chosen.try_set(Some(base));
                    of_base.try_set(Some(base));
                    let now = untrack(|| typed.read()).unwrap_or_default();
                    typed.set(&now.on_adapter_of(&before));
                }
                Err(fault) => {
                    start.try_set(String::new());
                    error.try_set(Some(fault));
                }
            }
        });
    });
    // An adapter fits its base alone.
    Effect::new(move |_| {
        let base = chosen.get();
        if of_base.get_untracked().is_some_and(|of_base| base != Some(of_base)) {
            start.set(String::new());
        }
    });
    let fitting = Memo::new(move |_| {
        let base = chosen.get();
        let fits = |model: &Model| Some(model.base_id) == base && model.source_deleted_at.is_none();
        models
            .with(|page| {
                page.items
                    .iter()
                    .filter(|model| fits(model))
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default()
    });
    let options = Signal::derive(move || {
        let models = fitting.get().into_iter().map(|model| {
            let day = model.created_at.format("%-d %b %Y, %H:%M");
            (model.id.to_string(), format!("{}, trained {day}", model.name))
        });
        let fresh = (String::new(), "A fresh adapter".to_owned());
        std::iter::once(fresh).chain(models).collect::<Vec<_>>()
    });
    view! {
        <Show when=move || fitting.with(|models| !models.is_empty())>
            <Panel title="Where it starts">
                <div class="max-w-xl">
                    <Select
                        label="Adapter"
                        name="initial_model_id"
                        value=start
                        options
                        hint="A model's adapter is trained further: it keeps its rank, alpha, scale and adapted maps. The model itself stays as it is."
                    />
                </div>
            </Panel>
        </Show>
    }
}
