//! The training of agents in stages.

use super::{Answer, get, order, post};
use cerebros_common::{
    ids::AgentId,
    trainings::{NewTraining, Training},
};

pub async fn create_training(id: AgentId, body: NewTraining) -> Answer<Training> {
    post(&format!("/agents/{id}/training"), &body).await
}

pub async fn find_training(id: AgentId) -> Answer<Training> {
    get(&format!("/agents/{id}/training")).await
}

pub async fn cancel_training(id: AgentId) -> Answer<Training> {
    order(&format!("/agents/{id}/training/cancel")).await
}
