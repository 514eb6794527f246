//! Training jobs: the list, one of them, and starting one.

mod estimate;
pub mod find;
pub mod form;
mod form_bases;
mod form_parameters;
mod form_start;
pub mod list;
pub mod new;
pub mod watch;
pub mod watch_charts;
mod watch_checkpoints;
mod watch_log;
pub mod watch_metrics;
mod watch_samples;
