//! Which columns of which tables an archive holds.

use cerebros_common::{
    agents::TrainingState,
    bases::{BaseSource, BaseStatus},
    batches::{BatchItemError, BatchItemStatus, BatchPause, BatchStatus},
    concepts::{ConceptOrigin, Level},
    datasets::{DatasetReport, DatasetSource, DatasetStatus, FindingSeverity},
    diagrams::{DiagramError, DiagramStatus},
    documents::{DocumentFormat, DocumentKind, DocumentPage, DocumentStatus, Scan},
    examples::{ExampleFinding, ExampleOrigin, ExampleStatus, Grounding},
    jobs::{JobFailure, JobParameters, JobPlan, JobStatus},
    templates::TemplateKind,
    uploads::UploadStatus,
    workspaces::Role,
};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// How a value is read, written and checked.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Id,
    Int,
    /// 32 bits.
    Small,
    Real,
    Bool,
    Text,
    Time,
    /// One of a closed set of words.
    Word(fn(&str) -> bool),
    /// JSON of a known shape.
    Shape(fn(&str) -> bool),
}

pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

const fn is(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        nullable: false,
    }
}

const fn may(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        nullable: true,
    }
}

/// A table in an archive.
pub struct Table {
    pub name: &'static str,
    /// Which rows, as a condition on `$1`.
    pub(super) rows: &'static str,
    pub(super) order: &'static str,
    pub(super) columns: &'static [Column],
}

fn word<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_value::<T>(Json::String(text.to_owned())).is_ok()
}

fn shape<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_str::<T>(text).is_ok()
}

use Kind::{Bool, Id, Int, Real, Shape, Small, Text, Time, Word};

const OF_WORKSPACE: &str = "workspace_id = $1";
const OF_USER: &str = "user_id = $1";
const OF_DOCUMENTS: &str = "document_id in (select id from documents where workspace_id = $1)";
const OF_DATASETS: &str = "dataset_id in (select id from datasets where workspace_id = $1)";
const OF_JOBS: &str = "job_id in (select id from jobs where workspace_id = $1)";

/// What a workspace is made of, in the order in which it can be put together again.
pub const CONTENT: &[Table] = &[
    Table {
        name: "agents",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("name", Text),
            is("description", Text),
            is("wizard_step", Small),
            is("training", Word(word::<TrainingState>)),
            may("model_id", Id),
            may("job_id", Id),
            is("created_at", Time),
            is("updated_at", Time),
            is("version", Int),
        ],
    },
    Table {
        name: "documents",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("agent_id", Id),
            is("kind", Word(word::<DocumentKind>)),
            is("name", Text),
            is("format", Word(word::<DocumentFormat>)),
            is("blob_key", Text),
            is("size_bytes", Int),
            is("sha256", Text),
            is("status", Word(word::<DocumentStatus>)),
            may("error_code", Text),
            may("error_message", Text),
            may("scan", Word(word::<Scan>)),
            may("characters", Int),
            may("tokens", Int),
            may("pages", Small),
            is("created_at", Time),
            is("updated_at", Time),
        ],
    },
    Table {
        name: "document_texts",
        rows: OF_DOCUMENTS,
        order: "document_id",
        columns: &[
            is("document_id", Id),
            is("body", Text),
            is("pages", Shape(shape::<Vec<DocumentPage>>)),
            is("code", Shape(shape::<Vec<(u64, u64)>>)),
        ],
    },
    Table {
        name: "chunks",
        rows: OF_DOCUMENTS,
        order: "document_id, idx",
        columns: &[
            is("id", Id),
            is("document_id", Id),
            is("idx", Small),
            is("start_at", Int),
            is("end_at", Int),
            may("page", Small),
            may("heading", Text),
            is("headings", Shape(shape::<Vec<String>>)),
            is("tokens", Small),
            is("body", Text),
        ],
    },
    Table {
        name: "template_versions",
        rows: OF_WORKSPACE,
        order: "kind, version",
        columns: &[
            is("workspace_id", Id),
            is("kind", Word(word::<TemplateKind>)),
            is("version", Int),
            is("instructions", Text),
            is("created_at", Time),
        ],
    },
    Table {
        name: "batches",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("agent_id", Id),
            is("status", Word(word::<BatchStatus>)),
            may("pause", Shape(shape::<BatchPause>)),
            is("judge", Bool),
            is("per_chunk", Small),
            may("target_count", Int),
            may("model", Text),
            is("created_at", Time),
            is("updated_at", Time),
            may("finished_at", Time),
        ],
    },
    Table {
        name: "batch_items",
        rows: OF_WORKSPACE,
        order: "batch_id, idx",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("batch_id", Id),
            is("document_id", Id),
            is("chunk_id", Id),
            is("idx", Small),
            is("template", Word(word::<TemplateKind>)),
            is("template_version", Int),
            is("status", Word(word::<BatchItemStatus>)),
            is("round", Small),
            may("error", Shape(shape::<BatchItemError>)),
            is("examples", Small),
            is("prompt_tokens", Int),
            is("completion_tokens", Int),
            may("cost_micros", Int),
            is("updated_at", Time),
        ],
    },
    Table {
        name: "examples",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("agent_id", Id),
            may("document_id", Id),
            may("chunk_id", Id),
            is("prompt", Text),
            is("reasoning", Text),
            is("response", Text),
            is("status", Word(word::<ExampleStatus>)),
            is("origin", Word(word::<ExampleOrigin>)),
            may("start_at", Int),
            may("end_at", Int),
            may("page", Small),
            may("heading", Text),
            may("quote", Text),
            is("edited", Bool),
            is("score", Small),
            is("findings", Shape(shape::<Vec<ExampleFinding>>)),
            is("grounding", Word(word::<Grounding>)),
            may("duplicate_of", Id),
            may("model", Text),
            may("batch_id", Id),
            is("created_at", Time),
            is("updated_at", Time),
            is("version", Int),
        ],
    },
    Table {
        name: "example_revisions",
        rows: OF_WORKSPACE,
        order: "example_id, version",
        columns: &[
            is("example_id", Id),
            is("version", Int),
            is("workspace_id", Id),
            is("status", Word(word::<ExampleStatus>)),
            is("edited", Bool),
            may("prompt", Text),
            may("reasoning", Text),
            may("response", Text),
        ],
    },
    Table {
        name: "concepts",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("agent_id", Id),
            is("document_id", Id),
            is("name", Text),
            is("name_key", Text),
            is("description", Text),
            is("category", Text),
            is("level", Word(word::<Level>)),
            is("importance", Small),
            is("origin", Word(word::<ConceptOrigin>)),
            may("quote", Text),
            may("start_at", Int),
            may("end_at", Int),
            may("page", Small),
            is("grounding", Word(word::<Grounding>)),
            may("model", Text),
            is("edited", Bool),
            is("created_at", Time),
            is("updated_at", Time),
            is("version", Int),
        ],
    },
    // What is still being drawn has nothing to take along. Pictures are made again.
    Table {
        name: "diagrams",
        rows: "workspace_id = $1 and status <> 'drawing'",
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("document_id", Id),
            may("concept_id", Id),
            is("slug", Text),
            is("title", Text),
            is("domain", Text),
            is("level", Word(word::<Level>)),
            is("tags", Shape(shape::<Vec<String>>)),
            is("source", Text),
            is("summary", Text),
            is("notes", Text),
            is("status", Word(word::<DiagramStatus>)),
            may("error", Shape(shape::<DiagramError>)),
            is("origin", Word(word::<ConceptOrigin>)),
            may("model", Text),
            may("input", Text),
            is("created_at", Time),
            is("updated_at", Time),
            is("version", Int),
        ],
    },
    Table {
        name: "datasets",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("agent_id", Id),
            is("name", Text),
            is("source", Word(word::<DatasetSource>)),
            is("blob_key", Text),
            is("status", Word(word::<DatasetStatus>)),
            may("error", Text),
            is("size_bytes", Int),
            may("sha256", Text),
            may("report", Shape(shape::<DatasetReport>)),
            is("created_at", Time),
            is("updated_at", Time),
        ],
    },
    Table {
        name: "dataset_findings",
        rows: OF_DATASETS,
        order: "seq",
        columns: &[
            is("dataset_id", Id),
            is("line", Int),
            is("field", Text),
            is("code", Text),
            is("severity", Word(word::<FindingSeverity>)),
            is("message", Text),
            is("fix", Text),
        ],
    },
    Table {
        name: "dataset_documents",
        rows: OF_DATASETS,
        order: "dataset_id, document_id",
        columns: &[is("dataset_id", Id), is("document_id", Id)],
    },
    Table {
        name: "bases",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("name", Text),
            is("source", Word(word::<BaseSource>)),
            is("location", Text),
            is("status", Word(word::<BaseStatus>)),
            may("error", Text),
            may("architecture", Text),
            may("parameters", Int),
            may("size_bytes", Int),
            may("license", Text),
            may("context_length", Int),
            is("created_at", Time),
        ],
    },
    Table {
        name: "jobs",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("agent_id", Id),
            is("dataset_id", Id),
            is("base_id", Id),
            is("parameters", Shape(shape::<JobParameters>)),
            is("status", Word(word::<JobStatus>)),
            is("cancel_requested", Bool),
            may("plan", Shape(shape::<JobPlan>)),
            is("step", Int),
            may("train_loss", Real),
            may("validation_loss", Real),
            may("failure", Shape(shape::<JobFailure>)),
            is("created_at", Time),
            may("started_at", Time),
            may("finished_at", Time),
        ],
    },
    Table {
        name: "metric_points",
        rows: OF_JOBS,
        order: "job_id, step",
        columns: &[
            is("job_id", Id),
            is("step", Int),
            is("epoch", Real),
            may("loss", Real),
            may("learning_rate", Real),
            may("grad_norm", Real),
            may("tokens_per_second", Real),
            may("memory_bytes", Int),
            may("validation_loss", Real),
            may("validation_token_accuracy", Real),
        ],
    },
    Table {
        name: "job_log",
        rows: OF_JOBS,
        order: "seq",
        columns: &[is("job_id", Id), is("at", Time), is("level", Text), is("message", Text)],
    },
    Table {
        name: "models",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("agent_id", Id),
            is("job_id", Id),
            is("dataset_id", Id),
            is("base_id", Id),
            is("name", Text),
            is("blob_key", Text),
            is("seed", Int),
            is("steps", Int),
            is("train_loss", Real),
            may("initial_validation_loss", Real),
            may("validation_loss", Real),
            is("size_bytes", Int),
            is("sha256", Text),
            is("created_at", Time),
            may("source_deleted_at", Time),
        ],
    },
    Table {
        name: "calls",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("agent_id", Id),
            may("model_id", Id),
            is("outcome", Text),
            is("prompt_tokens", Int),
            is("completion_tokens", Int),
            is("duration_ms", Int),
            is("at", Time),
        ],
    },
];

/// What is told of a workspace besides, for people to read.
pub const AROUND: &[Table] = &[
    Table {
        name: "members",
        rows: OF_WORKSPACE,
        order: "user_id",
        columns: &[is("user_id", Id), is("role", Word(word::<Role>))],
    },
    Table {
        name: "uploads",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("agent_id", Id),
            is("user_id", Id),
            is("kind", Word(word::<DocumentKind>)),
            is("name", Text),
            is("size_bytes", Int),
            is("part_bytes", Int),
            may("sha256", Text),
            is("status", Word(word::<UploadStatus>)),
            may("error_code", Text),
            may("error_message", Text),
            is("created_at", Time),
            is("expires_at", Time),
        ],
    },
    Table {
        name: "api_keys",
        rows: OF_WORKSPACE,
        order: "id",
        columns: API_KEY,
    },
    Table {
        name: "provider_keys",
        rows: OF_WORKSPACE,
        order: "provider",
        columns: &[is("provider", Text), is("hint", Text), is("created_at", Time)],
    },
    Table {
        name: "audit",
        rows: OF_WORKSPACE,
        order: "seq",
        columns: &[
            is("seq", Int),
            is("at", Int),
            is("actor_kind", Text),
            may("actor_id", Id),
            is("action", Text),
            is("noun", Text),
            is("subject_id", Id),
            is("fields", Text),
        ],
    },
];

const API_KEY: &[Column] = &[
    is("id", Id),
    is("workspace_id", Id),
    is("user_id", Id),
    is("name", Text),
    is("prefix", Text),
    is("scopes", Text),
    is("created_at", Time),
    may("last_used_at", Time),
    may("expires_at", Time),
];

/// What belongs to a person rather than a workspace.
pub const PERSON: &[Table] = &[
    Table {
        name: "users",
        rows: "id = $1",
        order: "id",
        columns: &[
            is("id", Id),
            is("email", Text),
            is("name", Text),
            may("email_verified_at", Time),
            is("created_at", Time),
        ],
    },
    Table {
        name: "members",
        rows: OF_USER,
        order: "workspace_id",
        columns: &[is("workspace_id", Id), is("role", Word(word::<Role>))],
    },
    Table {
        name: "sessions",
        rows: OF_USER,
        order: "id",
        columns: &[
            is("id", Id),
            is("user_agent", Text),
            is("address", Text),
            is("created_at", Time),
            is("last_used_at", Time),
            is("expires_at", Time),
        ],
    },
    Table {
        name: "api_keys",
        rows: OF_USER,
        order: "id",
        columns: API_KEY,
    },
    Table {
        name: "notifications",
        rows: OF_USER,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("kind", Text),
            is("title", Text),
            is("subject", Text),
            is("subject_id", Id),
            is("created_at", Time),
            may("read_at", Time),
        ],
    },
    Table {
        name: "notification_preferences",
        rows: OF_USER,
        order: "kind",
        columns: &[is("kind", Text), is("enabled", Bool)],
    },
];
