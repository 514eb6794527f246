//! Training jobs.

use super::{Answer, get, list, order, post};
use cerebros_common::{
    ids::JobId,
    jobs::{Checkpoint, Job, JobCursor, JobEstimate, JobLogLine, JobQuery, JobSamples, MetricPoint, NewJob},
    wire::{CursorPage, Page},
};

pub async fn list_jobs(query: JobQuery) -> Answer<Page<Job>> {
    list("/jobs", &query).await
}

pub async fn find_job(id: JobId) -> Answer<Job> {
    get(&format!("/jobs/{id}")).await
}

pub async fn create_job(body: NewJob) -> Answer<Job> {
    post("/jobs", &body).await
}

pub async fn estimate_job(body: NewJob) -> Answer<JobEstimate> {
    post("/jobs/estimate", &body).await
}

pub async fn cancel_job(id: JobId) -> Answer<Job> {
    order(&format!("/jobs/{id}/cancel")).await
}

pub async fn pause_job(id: JobId) -> Answer<Job> {
    order(&format!("/jobs/{id}/pause")).await
}

pub async fn resume_job(id: JobId) -> Answer<Job> {
    order(&format!("/jobs/{id}/resume")).await
}

pub async fn retry_job(id: JobId) -> Answer<Job> {
    order(&format!("/jobs/{id}/retry")).await
}

pub async fn list_checkpoints(id: JobId, query: JobCursor) -> Answer<CursorPage<Checkpoint>> {
    list(&format!("/jobs/{id}/checkpoints"), &query).await
}

pub fn checkpoint_address(id: JobId, step: u64) -> String {
    super::address(&format!("/jobs/{id}/checkpoints/{step}/adapter"))
}

pub async fn list_metrics(id: JobId, query: JobCursor) -> Answer<CursorPage<MetricPoint>> {
    list(&format!("/jobs/{id}/metrics"), &query).await
}

pub async fn list_log(id: JobId, query: JobCursor) -> Answer<CursorPage<JobLogLine>> {
    list(&format!("/jobs/{id}/log"), &query).await
}

pub async fn find_samples(id: JobId) -> Answer<JobSamples> {
    get(&format!("/jobs/{id}/samples")).await
}
