//! Which rows are kept out of training to measure it.

use crate::{
    api::datasets::{part_address, split_dataset},
    components::{
        button::Button,
        error_view::Alert,
        field::Field,
        icon::Icon,
        may::May,
        page_head::{Fact, Panel},
    },
    format,
    forms::Sending,
};
use cerebros_common::{
    datasets::{Dataset, DatasetPart, DatasetSplit, NewDatasetSplit},
    ids::DatasetId,
    workspaces::Role,
};
use leptos::{ev::SubmitEvent, prelude::*};

#[component]
pub fn Split(dataset: Signal<Dataset>) -> impl IntoView {
    let id = dataset.with_untracked(|dataset| dataset.id);
    let split = Memo::new(move |_| dataset.with(|dataset| dataset.split));
    view! {
        <div class="mt-6">
            <Panel title="Measured on">
                {move || match split.get() {
                    Some(split) => view! { <Parts id split /> }.into_any(),
                    None => {
                        view! {
                            <p class="mb-4 max-w-prose text-sm text-muted">
                                "Some rows are kept out of training, so that it can be measured on what it has not seen. They are chosen \
                                once for this version; its first job takes 10 % unless you choose before."
                            </p>
                            <May role=Role::Editor>
                                <Choose id />
                            </May>
                        }
                            .into_any()
                    }
                }}
            </Panel>
        </div>
    }
}

#[component]
fn Parts(id: DatasetId, split: DatasetSplit) -> impl IntoView {
    let parts = [
        ("Rows to train on", DatasetPart::Train, split.train_rows),
        ("Rows to measure on", DatasetPart::Validation, split.validation_rows),
    ];
    view! {
        <dl class="grid grid-cols-2 gap-4 md:grid-cols-4">
            <Fact name="Kept out">{format::percent(split.validation_fraction)}</Fact>
            <Fact name="Seed">{split.seed}</Fact>
            {parts
                .map(|(name, _, rows)| {
                    view! { <Fact name=name>{rows.map_or_else(|| "–".to_owned(), format::count)}</Fact> }
                })}
        </dl>
        <ul class="mt-4 flex flex-wrap gap-3">
            {parts
                .map(|(name, part, rows)| {
                    rows.filter(|rows| *rows > 0)
                        .map(|_| {
                            view! {
                                <li>
                                    <a href=part_address(id, part) download class="btn">
                                        <Icon icon=icondata::LuDownload />
                                        {name}
                                    </a>
                                </li>
                            }
                        })
                })}
        </ul>
    }
}

#[component]
fn Choose(id: DatasetId) -> impl IntoView {
    let usual = NewDatasetSplit::default();
    let sending = Sending::new();
    let percent = RwSignal::new((usual.validation_fraction * 100.0).to_string());
    let seed = RwSignal::new(usual.seed.to_string());
    let choose = move |event: SubmitEvent| {
        event.prevent_default();
        // What is no number is out of bounds.
        let split = NewDatasetSplit {
            validation_fraction: percent
                .get_untracked()
                .trim()
                .parse()
                .map_or(-1.0, |percent: f64| percent / 100.0),
            seed: seed.get_untracked().trim().parse().unwrap_or(u64::MAX),
        };
        // The event tells the page.
        sending.submit(split, move |split| split_dataset(id, split), |_| {});
    };
    let wrong = move |path: &'static str, message: &'static str| {
        let error = sending.field(path);
        Signal::derive(move || error.get().map(|_| message.to_owned()))
    };
    view! {
        <form class="flex max-w-xl flex-wrap items-start gap-4" on:submit=choose novalidate>
            <Alert error=sending.general() />
            <div class="w-40">
                <Field
                    label="Kept out, in %"
                    name="validation_fraction"
                    value=percent
                    error=wrong("validation_fraction", "must be 0 to 50")
                />
            </div>
            <div class="w-48">
                <Field label="Seed" name="split_seed" value=seed error=wrong("seed", "must be a whole number") />
            </div>
            <div class="pt-6">
                <Button kind="submit" class="btn" busy=sending.busy>
                    "Choose for this version"
                </Button>
            </div>
        </form>
    }
}
