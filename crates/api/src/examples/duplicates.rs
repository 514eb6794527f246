//! The task that groups an agent's examples that say nearly the same.

use crate::{documents::extraction::scope_of, error::AppError, state::App};
use cerebros_common::ids::{AgentId, ExampleId};
use cerebros_datasets::near::{Groups, Signature, signature};
use cerebros_db::{
    self as db, Scope, Write,
    examples::{Signed, Unsigned},
};
use cerebros_queue::{Enqueue, Lease, QueueError, Task, TaskError, enqueue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Examples per transaction.
const AT_ONCE: usize = 200;
/// How often new examples may come in between before the task makes room for others.
const ROUNDS: usize = 10;

#[derive(Debug, Serialize, Deserialize)]
pub struct GroupExamples {
    pub agent_id: AgentId,
}

impl Task for GroupExamples {
    const NAME: &'static str = "group_examples";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u32 = 10;
}

/// Asks for an agent's examples to be grouped anew, in the transaction that adds, rewords or removes some: as its last
/// statement, so that the task sees what it did.
pub async fn enqueue_grouping(write: &Write, scope: &Scope, agent_id: AgentId) -> Result<(), QueueError> {
    let options = Enqueue {
        workspace_id: Some(scope.workspace_id.0),
        dedup_key: Some(agent_id.to_string()),
        ..Enqueue::default()
    };
    enqueue(write.connection(), &GroupExamples { agent_id }, options).await?;
    Ok(())
}

/// Signs what has no signature, groups all, and goes on as long as examples came meanwhile.
pub async fn run(app: Arc<App>, task: GroupExamples, lease: Lease) -> Result<(), TaskError> {
    let scope = scope_of(lease.workspace_id())?;
    for _ in 0..ROUNDS {
        sign(&app, &scope, task.agent_id, &lease).await?;
        let signed = db::examples::signed(&scope, &app.db, task.agent_id).await;
        let signed = signed.map_err(AppError::from)?;
        let changes = blocking(move || changes(signed)).await?;
        for some in changes.chunks(AT_ONCE) {
            let mut write = begin(&app, &scope, &lease).await?;
            let regrouped = db::examples::regroup(&mut write, task.agent_id, some).await;
            regrouped.map_err(AppError::from)?;
            commit(write, &lease).await?;
        }
        let write = begin(&app, &scope, &lease).await?;
        let all = db::examples::all_signed(&write, task.agent_id).await;
        if all.map_err(AppError::from)? {
            lease.complete(write.connection()).await?;
            write.commit().await.map_err(AppError::from)?;
            return Ok(());
        }
    }
    Err(TaskError::retry("Examples keep coming; they are grouped later"))
}

async fn begin(app: &App, scope: &Scope, lease: &Lease) -> Result<Write, TaskError> {
    if lease.cancellation().is_cancelled() {
        return Err(TaskError::Interrupted);
    }
    Ok(app.db.write(scope).await.map_err(AppError::from)?)
}

/// The task's own row comes last: whoever changes an example locks that first, and then asks for this task.
async fn commit(write: Write, lease: &Lease) -> Result<(), TaskError> {
    lease.fence(write.connection()).await?;
    Ok(write.commit().await.map_err(AppError::from)?)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TaskError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| TaskError::retry("Comparing examples failed"))
}

async fn sign(app: &App, scope: &Scope, agent_id: AgentId, lease: &Lease) -> Result<(), TaskError> {
    loop {
        let unsigned = db::examples::unsigned(scope, &app.db, agent_id, AT_ONCE as u64).await;
        let unsigned = unsigned.map_err(AppError::from)?;
        if unsigned.is_empty() {
            return Ok(());
        }
        let signatures = blocking(move || unsigned.iter().map(signed).collect()).await?;
        let write = begin(app, scope, lease).await?;
        db::examples::sign(&write, signatures).await.map_err(AppError::from)?;
        commit(write, lease).await?;
    }
}

fn signed(example: &Unsigned) -> (ExampleId, i64, Vec<u8>) {
    let text = format!("{}\n{}", example.prompt, example.response);
    (example.id, example.version, signature(&text).to_bytes())
}

/// Which examples belong to another group than they are in, or to none. A group has two examples or more.
fn changes(signed: Vec<Signed>) -> Vec<(ExampleId, Option<ExampleId>)> {
    let mut groups = Groups::default();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (at, example) in signed.iter().enumerate() {
        let Some(signature) = Signature::from_bytes(&example.signature) else {
            continue;
        };
        let group = groups.add(&signature);
        if group == members.len() {
            members.push(Vec::new());
        }
        members[group].push(at);
    }
    let mut changes = Vec::new();
    for members in members {
        let first = Some(signed[members[0]].id).filter(|_| members.len() > 1);
        let wrong = members.into_iter().filter(|&at| signed[at].duplicate_of != first);
        changes.extend(wrong.map(|at| (signed[at].id, first)));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn groups_are_known_by_their_oldest() {
        let id = |number: u128| ExampleId(Uuid::from_u128(number));
        let example = |number, text: &str, duplicate_of| Signed {
            id: id(number),
            duplicate_of,
            signature: signature(text).to_bytes(),
        };
        let boats = "Boats float because they displace as much water as they weigh, whatever they are made of.";
        let found = changes(vec![
            example(1, boats, None),
            example(2, "Stones sink.", Some(id(9))),
            example(3, &boats.to_uppercase(), None),
            example(4, boats, Some(id(1))),
        ]);
        assert_eq!(found, [(id(1), Some(id(1))), (id(3), Some(id(1))), (id(2), None)]);
    }
}
