//! All training jobs.

use crate::{
    address::{Address, word},
    api::jobs::list_jobs,
    browser,
    components::{
        filters::Choice,
        loaded::{Empty, Loaded, no_items},
        page_head::PageHead,
        pager::Pager,
        status::{JobTag, job_status},
        time::Ago,
    },
    format,
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    jobs::{Job, JobQuery, JobStatus},
};
use leptos::prelude::*;

const STATUSES: [JobStatus; 6] = [
    JobStatus::Queued,
    JobStatus::Running,
    JobStatus::Paused,
    JobStatus::Succeeded,
    JobStatus::Failed,
    JobStatus::Cancelled,
];

#[component]
pub fn JobsPage() -> impl IntoView {
    browser::title("Training");
    let address = Address::of_page();
    let jobs = Remote::new(move || {
        list_jobs(JobQuery {
            status: address.word("status"),
            page: address.page(),
            ..JobQuery::default()
        })
    })
    .live(|event| event.kind == EventKind::JobChanged);
    let options = STATUSES
        .map(|status| (word(&status), job_status(status).1.to_owned()))
        .to_vec();
    let empty = move || {
        view! {
            <Empty icon=icondata::LuActivity title="No training job here" text="The last step of an assistant's wizard trains a model. A dataset can also be trained on directly.">
                <a href="/dashboard" class="btn btn-primary">"Go to the assistants"</a>
                <a href="/datasets" class="btn">"Go to the datasets"</a>
            </Empty>
        }
    };
    view! {
        <PageHead title="Training">
            <Choice address key="status" label="Status" all="All statuses" options=options />
        </PageHead>
        <Loaded remote=jobs is_empty=no_items empty=empty let:page>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Training jobs">
                <table class="grid-table">
                    <thead>
                        <tr>
                            <th scope="col">"Dataset"</th>
                            <th scope="col">"Base"</th>
                            <th scope="col">"Status"</th>
                            <th scope="col">"Progress"</th>
                            <th scope="col">"Loss"</th>
                            <th scope="col">"Started"</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || page.get().items key=|job| (job.id, job.status, job.step) let:job>
                            <Row job />
                        </For>
                    </tbody>
                </table>
            </div>
            <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="job" many="jobs" />
        </Loaded>
    }
}

#[component]
fn Row(job: Job) -> impl IntoView {
    let progress = job
        .plan
        .as_ref()
        .map(|plan| format!("{} of {}", format::count(job.step), format::count(plan.total_steps)));
    view! {
        <tr>
            <td class="max-w-72">
                <a href=format!("/training/{}", job.id) class="block truncate font-medium hover:underline">
                    {job.dataset_name}
                </a>
            </td>
            <td class="whitespace-nowrap">{job.base_name}</td>
            <td>
                <JobTag status=job.status />
            </td>
            <td class="whitespace-nowrap">{progress.unwrap_or_else(|| "–".to_owned())}</td>
            <td class="font-mono">{job.train_loss.map_or_else(|| "–".to_owned(), format::loss)}</td>
            <td>
                <Ago at=job.created_at />
            </td>
        </tr>
    }
}
