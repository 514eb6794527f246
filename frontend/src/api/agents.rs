//! Agents.

use super::{Answer, get, list, patch, post};
use cerebros_common::{
    agents::{Agent, AgentPatch, AgentQuery, NewAgent},
    ids::AgentId,
    wire::Page,
};

pub async fn list_agents(query: AgentQuery) -> Answer<Page<Agent>> {
    list("/agents", &query).await
}

pub async fn find_agent(id: AgentId) -> Answer<Agent> {
    get(&format!("/agents/{id}")).await
}

pub async fn create_agent(body: NewAgent) -> Answer<Agent> {
    post("/agents", &body).await
}

pub async fn update_agent(id: AgentId, version: i64, body: AgentPatch) -> Answer<Agent> {
    patch(&format!("/agents/{id}"), version, &body).await
}
