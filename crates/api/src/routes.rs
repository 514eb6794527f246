//! Every operation, by noun. `configure` is the one list: the router and the OpenAPI document are made from it.

mod agents;
mod api_keys;
mod auth;
mod documents;
mod events;
mod examples;
pub mod health;
mod workspaces;

use utoipa_actix_web::{scope, service_config::ServiceConfig};

pub fn configure(config: &mut ServiceConfig) {
    config.service(
        scope::scope("/api/v1")
            .configure(auth::configure)
            .configure(workspaces::configure)
            .configure(api_keys::configure)
            .configure(agents::configure)
            .configure(documents::configure)
            .configure(examples::configure)
            .configure(events::configure),
    );
}
