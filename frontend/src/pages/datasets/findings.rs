//! What validation found, line by line.

use crate::{
    api::datasets::list_findings,
    components::{
        loaded::{Empty, Loaded},
        tag::{Colour, Tag},
    },
    remote::{Remote, read_on},
};
use cerebros_common::{
    datasets::{DatasetCursor, DatasetFinding, FindingRepair, FindingSeverity},
    ids::DatasetId,
};
use leptos::prelude::*;

const STRETCH: u32 = 100;

#[component]
pub fn Findings(id: DatasetId) -> impl IntoView {
    let wanted = RwSignal::new(STRETCH as usize);
    let more = RwSignal::new(false);
    let findings = Remote::new(move || {
        read_on(wanted.get(), more, move |cursor| {
            let query = DatasetCursor {
                cursor,
                limit: Some(STRETCH),
            };
            list_findings(id, query)
        })
    });
    let empty = || view! { <Empty icon=icondata::LuCircleCheck title="Nothing to complain about" text="Every row can be used as it is." /> };
    view! {
        <Loaded remote=findings is_empty=Vec::is_empty empty=empty let:findings>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Findings">
                <table class="grid-table">
                    <thead>
                        <tr>
                            <th scope="col">"Line"</th>
                            <th scope="col">"Weight"</th>
                            <th scope="col">"Field"</th>
                            <th scope="col">"What is wrong"</th>
                            <th scope="col">"What to do"</th>
                            <th scope="col">"In the repaired file"</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || findings.get().into_iter().enumerate() key=|(index, _)| *index let((_, finding))>
                            <Row finding />
                        </For>
                    </tbody>
                </table>
            </div>
            <Show when=move || more.get()>
                <button type="button" class="btn mt-4" on:click=move |_| wanted.update(|wanted| *wanted += STRETCH as usize)>
                    "Load more findings"
                </button>
            </Show>
        </Loaded>
    }
}

#[component]
fn Row(finding: DatasetFinding) -> impl IntoView {
    let (colour, weight) = match finding.severity {
        FindingSeverity::Rejected => (Colour::Red, "Rejected"),
        FindingSeverity::Warning => (Colour::Amber, "Warning"),
    };
    let repair = match finding.repair {
        FindingRepair::Kept => "As it is",
        FindingRepair::Mended => "Mended",
        FindingRepair::LeftOut => "Left out",
    };
    let field = if finding.field.is_empty() {
        "whole row".to_owned()
    } else {
        finding.field
    };
    view! {
        <tr>
            <td>{finding.line}</td>
            <td>
                <Tag colour text=weight />
            </td>
            <td class="font-mono whitespace-nowrap">{field}</td>
            <td class="min-w-48">{finding.message}</td>
            <td class="min-w-48">{finding.fix}</td>
            <td class="whitespace-nowrap">{repair}</td>
        </tr>
    }
}
