//! What goes with a subject: counts, bytes, and what else it touches.

use super::{lines, one};
use crate::{Actor, DbError, Scope, convert};
use cerebros_common::{
    deletions::{Affected, DeletionCounts, DeletionPreview, DeletionSubject, DeletionTarget},
    ids::{UserId, WorkspaceId},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use uuid::Uuid;

/// Which datasets hold text of a subject, as a condition on `$1`.
fn derived_datasets(subject: DeletionSubject) -> &'static str {
    match subject {
        DeletionSubject::Document => "id in (select dataset_id from dataset_documents where document_id = $1)",
        DeletionSubject::Agent => {
            // What was made of its examples keeps it, whatever version.
            "agent_id = $1 or id in (select x.dataset_id from dataset_documents x \
             join documents d on d.id = x.document_id where d.agent_id = $1)"
        }
        DeletionSubject::Workspace | DeletionSubject::Account => "workspace_id = $1",
    }
}

pub(super) async fn extent(
    scope: &Scope,
    connection: &impl ConnectionTrait,
    target: DeletionTarget,
) -> Result<DeletionPreview, DbError> {
    let DeletionTarget { subject, id } = target;
    if subject == DeletionSubject::Account {
        return extent_of_account(scope, connection, id).await;
    }
    let (noun, sql) = match subject {
        DeletionSubject::Document => (
            "document",
            "select name from documents where id = $1 and workspace_id = $2",
        ),
        DeletionSubject::Agent => ("agent", "select name from agents where id = $1 and workspace_id = $2"),
        _ => ("workspace", "select name from workspaces where id = $1 and id = $2"),
    };
    let found = one(connection, sql, [id.into(), scope.workspace_id.0.into()]).await?;
    let confirmation: String = found.ok_or(DbError::NotFound(noun))?.try_get("", "name")?;
    let derived = derived_datasets(subject);
    let whole = subject == DeletionSubject::Workspace;
    let of = |column: &str| format!("{column} = $1");
    let (documents, examples, diagrams) = match subject {
        DeletionSubject::Document => (of("id"), of("document_id"), of("document_id")),
        DeletionSubject::Agent => (
            of("agent_id"),
            of("agent_id"),
            "document_id in (select id from documents where agent_id = $1)".to_owned(),
        ),
        _ => (of("workspace_id"), of("workspace_id"), of("workspace_id")),
    };
    let (documents, document_bytes) = total(connection, "documents", &documents, id).await?;
    let (datasets, dataset_bytes) = total(connection, "datasets", derived, id).await?;
    let mut counts = DeletionCounts {
        agents: u64::from(subject == DeletionSubject::Agent),
        documents,
        examples: count(connection, "examples", &examples, id).await?,
        concepts: count(connection, "concepts", &examples, id).await?,
        diagrams: count(connection, "diagrams", &diagrams, id).await?,
        datasets,
        ..DeletionCounts::default()
    };
    let mut bytes = document_bytes + dataset_bytes;
    if whole {
        let all = of("workspace_id");
        let (models, model_bytes) = total(connection, "models", &all, id).await?;
        let (_, export_bytes) = total(connection, "model_exports", &all, id).await?;
        bytes += model_bytes + export_bytes;
        counts = DeletionCounts {
            workspaces: 1,
            members: count(connection, "members", &all, id).await?,
            api_keys: count(connection, "api_keys", &all, id).await?,
            agents: count(connection, "agents", &all, id).await?,
            jobs: count(connection, "jobs", &all, id).await?,
            models,
            ..counts
        };
    }
    let datasets = format!("select id, name from datasets where {derived} order by id desc");
    let learned = lines(&format!("dataset_id in (select id from datasets where {derived})"));
    let models = format!("select id, name from models where job_id in ({learned}) order by id desc");
    Ok(DeletionPreview {
        subject,
        id,
        confirmation,
        counts,
        bytes,
        models: affected(connection, &models, id).await?,
        datasets: affected(connection, &datasets, id).await?,
        workspaces: Vec::new(),
        blocking: Vec::new(),
    })
}

async fn extent_of_account(
    scope: &Scope,
    connection: &impl ConnectionTrait,
    id: Uuid,
) -> Result<DeletionPreview, DbError> {
    if scope.actor != Actor::User(UserId(id)) {
        return Err(DbError::NotFound("account"));
    }
    let found = one(connection, "select email from users where id = $1", [id.into()]).await?;
    let confirmation = found.ok_or(DbError::NotFound("account"))?.try_get("", "email")?;
    let owned = "select w.id, w.name from workspaces w join members m on m.workspace_id = w.id \
                 where m.user_id = $1 and m.role = 'owner' and ";
    let alone = "not exists (select 1 from members o where o.workspace_id = w.id and o.user_id <> $1) order by w.id";
    let needed = "exists (select 1 from members o where o.workspace_id = w.id and o.user_id <> $1) \
                  and not exists (select 1 from members o where o.workspace_id = w.id and o.user_id <> $1 \
                  and o.role = 'owner') order by w.id";
    let mut all = DeletionPreview {
        subject: DeletionSubject::Account,
        id,
        confirmation,
        counts: DeletionCounts::default(),
        bytes: 0,
        models: Vec::new(),
        datasets: Vec::new(),
        workspaces: affected(connection, &format!("{owned}{alone}"), id).await?,
        blocking: affected(connection, &format!("{owned}{needed}"), id).await?,
    };
    for workspace in &all.workspaces {
        let scope = Scope {
            workspace_id: WorkspaceId(workspace.id),
            ..*scope
        };
        let target = DeletionTarget {
            subject: DeletionSubject::Workspace,
            id: workspace.id,
        };
        let one = Box::pin(extent(&scope, connection, target)).await?;
        all.bytes += one.bytes;
        all.models.extend(one.models);
        all.datasets.extend(one.datasets);
        let sum = &mut all.counts;
        for (sum, more) in [
            (&mut sum.workspaces, one.counts.workspaces),
            (&mut sum.members, one.counts.members),
            (&mut sum.api_keys, one.counts.api_keys),
            (&mut sum.agents, one.counts.agents),
            (&mut sum.documents, one.counts.documents),
            (&mut sum.examples, one.counts.examples),
            (&mut sum.concepts, one.counts.concepts),
            (&mut sum.diagrams, one.counts.diagrams),
            (&mut sum.datasets, one.counts.datasets),
            (&mut sum.jobs, one.counts.jobs),
            (&mut sum.models, one.counts.models),
        ] {
            *sum += more;
        }
    }
    Ok(all)
}

async fn affected(connection: &impl ConnectionTrait, sql: &str, id: Uuid) -> Result<Vec<Affected>, DbError> {
    #[derive(FromQueryResult)]
    struct Found {
        id: Uuid,
        name: String,
    }
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [id.into()]);
    let rows = Found::find_by_statement(statement).all(connection).await?;
    let affected = rows.into_iter().map(|Found { id, name }| Affected { id, name });
    Ok(affected.collect())
}

async fn count(connection: &impl ConnectionTrait, table: &str, condition: &str, id: Uuid) -> Result<u64, DbError> {
    let sql = format!("select count(*) as total from {table} where {condition}");
    let found = one(connection, &sql, [id.into()]).await?;
    let found = found.ok_or(DbError::NotFound("count"))?;
    Ok(convert::unsigned(found.try_get("", "total")?))
}

/// How many, and the bytes of their files.
async fn total(
    connection: &impl ConnectionTrait,
    table: &str,
    condition: &str,
    id: Uuid,
) -> Result<(u64, u64), DbError> {
    let sql = format!(
        "select count(*) as total, cast(coalesce(sum(size_bytes), 0) as bigint) as bytes from {table} where {condition}"
    );
    let found = one(connection, &sql, [id.into()]).await?;
    let found = found.ok_or(DbError::NotFound("count"))?;
    let number = |column| Ok::<_, DbError>(convert::unsigned(found.try_get("", column)?));
    Ok((number("total")?, number("bytes")?))
}
