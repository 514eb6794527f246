//! The states of each noun, as a coloured word.

use super::tag::{Colour, Tag};
use cerebros_common::{
    agents::AgentStatus,
    bases::BaseStatus,
    batches::{BatchItemStatus, BatchStatus},
    comparisons::ComparisonStatus,
    datasets::DatasetStatus,
    documents::DocumentStatus,
    examples::ExampleStatus,
    jobs::JobStatus,
    model_exports::ModelExportStatus,
    trainings::{StageStatus, TrainingStatus},
};
use leptos::prelude::*;

type Look = (Colour, &'static str, bool);

pub fn agent_status(status: AgentStatus) -> Look {
    match status {
        AgentStatus::Draft => (Colour::Grey, "Draft", false),
        AgentStatus::Step1WorkProducts => (Colour::Blue, "Step 1: work products", false),
        AgentStatus::Step2Qa => (Colour::Blue, "Step 2: review", false),
        AgentStatus::Step3Communications => (Colour::Blue, "Step 3: communications", false),
        AgentStatus::Step4References => (Colour::Blue, "Step 4: references", false),
        AgentStatus::Step5Training => (Colour::Blue, "Step 5: training", false),
        AgentStatus::Stage1Training => (Colour::Purple, "Training stage I", true),
        AgentStatus::Stage2Training => (Colour::Purple, "Training stage II", true),
        AgentStatus::Stage3Training => (Colour::Purple, "Training stage III", true),
        AgentStatus::Stage4Training => (Colour::Purple, "Training stage IV", true),
        AgentStatus::Stage5Personalization => (Colour::Purple, "Training stage V", true),
        AgentStatus::Deploying => (Colour::Purple, "Deploying", true),
        AgentStatus::Ready => (Colour::Green, "Ready", false),
        AgentStatus::Failed => (Colour::Red, "Failed", false),
    }
}

fn document_status(status: DocumentStatus) -> Look {
    match status {
        DocumentStatus::Uploaded => (Colour::Grey, "Uploaded", true),
        DocumentStatus::Processing => (Colour::Blue, "Processing", true),
        DocumentStatus::Ready => (Colour::Green, "Ready", false),
        DocumentStatus::Error => (Colour::Red, "Error", false),
        DocumentStatus::Quarantined => (Colour::Red, "Quarantined", false),
    }
}

pub fn example_status(status: ExampleStatus) -> Look {
    match status {
        ExampleStatus::Pending => (Colour::Grey, "Pending", false),
        ExampleStatus::Approved => (Colour::Green, "Approved", false),
        ExampleStatus::Rejected => (Colour::Red, "Rejected", false),
    }
}

pub fn dataset_status(status: DatasetStatus) -> Look {
    match status {
        DatasetStatus::Uploading => (Colour::Grey, "Uploading", true),
        DatasetStatus::Validating => (Colour::Blue, "Validating", true),
        DatasetStatus::Ready => (Colour::Green, "Ready", false),
        DatasetStatus::Error => (Colour::Red, "Error", false),
        DatasetStatus::Erased => (Colour::Grey, "Erased", false),
    }
}

pub fn job_status(status: JobStatus) -> Look {
    match status {
        JobStatus::Queued => (Colour::Grey, "Queued", true),
        JobStatus::Running => (Colour::Purple, "Running", true),
        JobStatus::Paused => (Colour::Amber, "Paused", false),
        JobStatus::Succeeded => (Colour::Green, "Succeeded", false),
        JobStatus::Failed => (Colour::Red, "Failed", false),
        JobStatus::Cancelled => (Colour::Grey, "Cancelled", false),
    }
}

fn stage_status(status: StageStatus) -> Look {
    match status {
        StageStatus::Skipped => (Colour::Grey, "Skipped", false),
        StageStatus::Waiting => (Colour::Grey, "Waiting", false),
        StageStatus::Queued => job_status(JobStatus::Queued),
        StageStatus::Running => job_status(JobStatus::Running),
        StageStatus::Paused => job_status(JobStatus::Paused),
        StageStatus::Succeeded => job_status(JobStatus::Succeeded),
        StageStatus::Failed => job_status(JobStatus::Failed),
        StageStatus::Cancelled => job_status(JobStatus::Cancelled),
    }
}

fn training_status(status: TrainingStatus) -> Look {
    match status {
        TrainingStatus::Running => (Colour::Purple, "In training", true),
        TrainingStatus::Halted => (Colour::Amber, "Halted", false),
        TrainingStatus::Succeeded => (Colour::Green, "Trained", false),
        TrainingStatus::Cancelled => (Colour::Grey, "Given up", false),
    }
}

fn base_status(status: BaseStatus) -> Look {
    match status {
        BaseStatus::Downloading => (Colour::Blue, "Downloading", true),
        BaseStatus::Ready => (Colour::Green, "Ready", false),
        BaseStatus::Error => (Colour::Red, "Error", false),
    }
}

fn comparison_status(status: ComparisonStatus) -> Look {
    match status {
        ComparisonStatus::Running => (Colour::Purple, "Answering", true),
        ComparisonStatus::Ready => (Colour::Green, "All answered", false),
        ComparisonStatus::Failed => (Colour::Red, "Failed", false),
    }
}

fn model_export_status(status: ModelExportStatus) -> Look {
    match status {
        ModelExportStatus::Queued => (Colour::Grey, "Waiting", true),
        ModelExportStatus::Running => (Colour::Purple, "Writing and comparing", true),
        ModelExportStatus::Ready => (Colour::Green, "Ready", false),
        ModelExportStatus::Failed => (Colour::Red, "Failed", false),
    }
}

fn batch_status(status: BatchStatus) -> Look {
    match status {
        BatchStatus::Running => (Colour::Purple, "Running", true),
        BatchStatus::Paused => (Colour::Amber, "Paused", false),
        BatchStatus::Done => (Colour::Green, "Done", false),
        BatchStatus::Cancelled => (Colour::Grey, "Cancelled", false),
    }
}

pub fn batch_item_status(status: BatchItemStatus) -> Look {
    match status {
        BatchItemStatus::Waiting => (Colour::Grey, "Waiting", false),
        BatchItemStatus::Running => (Colour::Purple, "Running", true),
        BatchItemStatus::Done => (Colour::Green, "Done", false),
        BatchItemStatus::Failed => (Colour::Red, "Failed", false),
        BatchItemStatus::Skipped => (Colour::Grey, "Left out", false),
    }
}

#[component]
pub fn ComparisonTag(status: ComparisonStatus) -> impl IntoView {
    look(comparison_status(status))
}

#[component]
pub fn ModelExportTag(status: ModelExportStatus) -> impl IntoView {
    look(model_export_status(status))
}

#[component]
pub fn BatchTag(status: BatchStatus) -> impl IntoView {
    look(batch_status(status))
}

#[component]
pub fn BatchItemTag(status: BatchItemStatus) -> impl IntoView {
    look(batch_item_status(status))
}

#[component]
pub fn AgentTag(status: AgentStatus) -> impl IntoView {
    look(agent_status(status))
}

#[component]
pub fn DocumentTag(status: DocumentStatus) -> impl IntoView {
    look(document_status(status))
}

#[component]
pub fn ExampleTag(status: ExampleStatus) -> impl IntoView {
    look(example_status(status))
}

#[component]
pub fn DatasetTag(status: DatasetStatus) -> impl IntoView {
    look(dataset_status(status))
}

#[component]
pub fn JobTag(status: JobStatus) -> impl IntoView {
    look(job_status(status))
}

#[component]
pub fn StageTag(status: StageStatus) -> impl IntoView {
    look(stage_status(status))
}

#[component]
pub fn TrainingTag(status: TrainingStatus) -> impl IntoView {
    look(training_status(status))
}

#[component]
pub fn BaseTag(status: BaseStatus) -> impl IntoView {
    look(base_status(status))
}

fn look((colour, text, moving): Look) -> impl IntoView {
    view! { <Tag colour text moving /> }
}
