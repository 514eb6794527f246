//! Every operation, by noun. `configure` is the one list: the router and the OpenAPI document are made from it.

mod account;
mod agents;
mod api_keys;
mod audit;
mod auth;
mod bases;
mod batches;
mod comparisons;
mod concepts;
mod conversations;
mod credentials;
mod dashboard;
mod datasets;
pub mod deletions;
mod diagrams;
mod documents;
mod embeddings;
mod events;
mod examples;
mod exports;
mod files;
mod fine_tuning;
pub mod health;
mod invitations;
mod jobs;
mod legal;
mod links;
mod llm_calls;
mod llm_settings;
mod members;
mod model_exports;
mod models;
mod notifications;
mod openai;
mod prices;
mod provider_keys;
mod search;
mod server;
mod sessions;
mod studies;
mod templates;
mod trainings;
mod uploads;
mod webhooks;
mod workspaces;

use utoipa_actix_web::{scope, service_config::ServiceConfig};

pub fn configure(config: &mut ServiceConfig) {
    config.service(
        scope::scope("/api/v1")
            .configure(server::configure)
            .configure(auth::configure)
            .configure(links::configure)
            .configure(credentials::configure)
            .configure(sessions::configure)
            .configure(account::configure)
            .configure(notifications::configure)
            .configure(webhooks::configure)
            .configure(workspaces::configure)
            .configure(members::configure)
            .configure(invitations::configure)
            .configure(api_keys::configure)
            .configure(audit::configure)
            .configure(provider_keys::configure)
            .configure(llm_settings::configure)
            .configure(prices::configure)
            .configure(llm_calls::configure)
            .configure(deletions::configure)
            .configure(exports::configure)
            .configure(agents::configure)
            .configure(trainings::configure)
            .configure(documents::configure)
            .configure(uploads::configure)
            .configure(examples::configure)
            .configure(concepts::configure)
            .configure(diagrams::configure)
            .configure(studies::configure)
            .configure(templates::configure)
            .configure(batches::configure)
            .configure(search::configure)
            .configure(conversations::configure)
            .configure(datasets::configure)
            .configure(bases::configure)
            .configure(jobs::configure)
            .configure(models::configure)
            .configure(model_exports::configure)
            .configure(comparisons::configure)
            .configure(dashboard::configure)
            .configure(events::configure)
            .configure(legal::configure),
    );
    config.service(
        scope::scope("/v1")
            .configure(openai::configure)
            .configure(embeddings::configure)
            .configure(files::configure)
            .configure(fine_tuning::configure),
    );
}
