//! The checkpoints of a job, and which of their adapters are kept.

use super::{find_row, lock, progress::cut, progress::metric};
use crate::{Db, DbError, Scope, Way, Write, convert};
use cerebros_common::{
    ids::JobId,
    jobs::{Checkpoint, KEPT_ADAPTERS},
    wire::CursorPage,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};
use std::collections::HashMap;
use uuid::Uuid;

/// A checkpoint's adapter, as it was stored.
pub struct StoredAdapter {
    pub id: Uuid,
    pub blob_key: String,
    pub size_bytes: u64,
}

pub struct Noted {
    pub is_new: bool,
    /// The keys of adapters that are kept no longer.
    pub gone: Vec<String>,
}

/// Notes that training can go on from a step. A step that was noted before stays as it is; one that has no adapter yet is
/// given `adapter`, except in a job that is being cancelled, perhaps because what it learns from is deleted.
pub async fn put_checkpoint(
    write: &mut Write,
    id: JobId,
    step: u64,
    adapter: Option<StoredAdapter>,
) -> Result<Noted, DbError> {
    let current = lock(write, id).await?;
    let is_wanted = !current.cancel_requested;
    let step = convert::signed(step);
    // A run that is stopped while it measures leaves that to the next one: its last step is done and has no point yet.
    if current.step < step {
        let mut row = current.into_active_model();
        row.step = Set(step);
        row.update(write.connection()).await?;
    }
    let known = row::Entity::find_by_id((id.0, step)).one(write.connection()).await?;
    let is_new = known.is_none();
    let known = match known {
        Some(known) => known,
        None => {
            let new = row::ActiveModel {
                job_id: Set(id.0),
                step: Set(step),
                at: Set(convert::now()),
                ..Default::default()
            };
            new.insert(write.connection()).await?
        }
    };
    let gone = match adapter {
        None => Vec::new(),
        Some(adapter) if !is_wanted || known.id.is_some() => vec![adapter.blob_key],
        Some(adapter) => {
            let mut row = known.into_active_model();
            row.id = Set(Some(adapter.id));
            row.blob_key = Set(Some(adapter.blob_key));
            row.size_bytes = Set(Some(convert::signed(adapter.size_bytes)));
            row.update(write.connection()).await?;
            thin(write, id).await?
        }
    };
    Ok(Noted { is_new, gone })
}

/// Lets go of what is too much: always the adapter that leaves the smallest gap, and never the newest or the best one.
async fn thin(write: &Write, id: JobId) -> Result<Vec<String>, DbError> {
    let mut kept = row::Entity::find()
        .filter(row::Column::JobId.eq(id.0))
        .filter(row::Column::Id.is_not_null())
        .order_by_asc(row::Column::Step)
        .all(write.connection())
        .await?;
    let losses = metric::Entity::find()
        .filter(metric::Column::JobId.eq(id.0))
        .filter(metric::Column::Step.is_in(kept.iter().map(|row| row.step)))
        .filter(metric::Column::ValidationLoss.is_not_null())
        .order_by_asc(metric::Column::ValidationLoss)
        .limit(1);
    let best = losses.one(write.connection()).await?.map(|point| point.step);
    let mut gone = Vec::new();
    while kept.len() > KEPT_ADAPTERS {
        let steps: Vec<i64> = kept.iter().map(|row| row.step).collect();
        let Some(index) = dispensable(&steps, best) else { break };
        let row = kept.remove(index);
        gone.extend(row.blob_key.clone());
        let mut row = row.into_active_model();
        row.id = Set(None);
        row.blob_key = Set(None);
        row.size_bytes = Set(None);
        row.update(write.connection()).await?;
    }
    Ok(gone)
}

/// The index of the step whose neighbours lie closest together; the first of several.
fn dispensable(steps: &[i64], best: Option<i64>) -> Option<usize> {
    let gap = |index: usize| {
        let before = index.checked_sub(1).map_or(0, |before| steps[before]);
        steps[index + 1] - before
    };
    (0..steps.len().saturating_sub(1))
        .filter(|index| Some(steps[*index]) != best)
        .min_by_key(|index| gap(*index))
}

/// Whether the adapter of a step is stored.
pub async fn has_adapter(scope: &Scope, db: &Db, id: JobId, step: u64) -> Result<bool, DbError> {
    find_row(scope, db, id).await?;
    let row = row::Entity::find_by_id((id.0, convert::signed(step)))
        .one(db.read())
        .await?;
    Ok(row.is_some_and(|row| row.id.is_some()))
}

/// The adapter of a checkpoint, and when that was written.
pub async fn checkpoint_adapter(
    scope: &Scope,
    db: &Db,
    id: JobId,
    step: u64,
) -> Result<(StoredAdapter, chrono::DateTime<chrono::Utc>), DbError> {
    find_row(scope, db, id).await?;
    let missing = DbError::NotFound("checkpoint's adapter");
    let Ok(step) = i64::try_from(step) else {
        return Err(missing);
    };
    let row = row::Entity::find_by_id((id.0, step)).one(db.read()).await?;
    let Some(row) = row else {
        return Err(missing);
    };
    match (row.id, row.blob_key, row.size_bytes) {
        (Some(id), Some(blob_key), Some(size_bytes)) => {
            let size_bytes = convert::unsigned(size_bytes);
            Ok((
                StoredAdapter {
                    id,
                    blob_key,
                    size_bytes,
                },
                row.at,
            ))
        }
        _ => Err(missing),
    }
}

/// Lets go of all adapters of a job's checkpoints; gives their keys.
pub(crate) async fn forget_adapters(write: &Write, id: Uuid) -> Result<Vec<String>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::JobId.eq(id))
        .filter(row::Column::Id.is_not_null())
        .all(write.connection())
        .await?;
    row::Entity::update_many()
        .col_expr(row::Column::Id, Expr::value(None::<Uuid>))
        .col_expr(row::Column::BlobKey, Expr::value(None::<String>))
        .col_expr(row::Column::SizeBytes, Expr::value(None::<i64>))
        .filter(row::Column::JobId.eq(id))
        .exec(write.connection())
        .await?;
    Ok(rows.into_iter().filter_map(|row| row.blob_key).collect())
}

/// Checkpoints beyond step `after`, with what was measured there; with `kept`, those alone whose adapter is stored.
pub async fn checkpoints(
    scope: &Scope,
    db: &Db,
    id: JobId,
    way: Way,
    after: Option<i64>,
    kept: bool,
    limit: u32,
) -> Result<CursorPage<Checkpoint>, DbError> {
    find_row(scope, db, id).await?;
    let mut found = row::Entity::find().filter(row::Column::JobId.eq(id.0));
    if let Some(after) = after {
        found = found.filter(way.beyond(row::Column::Step, after));
    }
    if kept {
        found = found.filter(row::Column::Id.is_not_null());
    }
    let mut rows = found
        .order_by(row::Column::Step, way.order())
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let next_cursor = cut(&mut rows, limit).map(|row| row.step.to_string());
    let steps = rows.iter().map(|row| row.step);
    let points = metric::Entity::find()
        .filter(metric::Column::JobId.eq(id.0))
        .filter(metric::Column::Step.is_in(steps))
        .all(db.read())
        .await?;
    let mut points: HashMap<i64, metric::Model> = points.into_iter().map(|point| (point.step, point)).collect();
    let items = rows.into_iter().map(|row| {
        let point = points.remove(&row.step);
        let measured = point.as_ref();
        Checkpoint {
            step: convert::unsigned(row.step),
            train_loss: measured.and_then(|point| point.loss),
            token_accuracy: measured.and_then(|point| point.token_accuracy),
            validation_loss: measured.and_then(|point| point.validation_loss),
            validation_token_accuracy: measured.and_then(|point| point.validation_token_accuracy),
            adapter_bytes: row.size_bytes.map(convert::unsigned),
            created_at: row.at,
        }
    });
    Ok(CursorPage {
        items: items.collect(),
        next_cursor,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "checkpoints")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub job_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub step: i64,
        pub at: DateTimeUtc,
        /// Of the stored adapter.
        pub id: Option<Uuid>,
        pub blob_key: Option<String>,
        pub size_bytes: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_lies_spread_over_the_training() {
        let best = Some(60);
        let mut kept = Vec::new();
        for step in (20..=2000).step_by(20) {
            kept.push(step);
            if kept.len() > KEPT_ADAPTERS
                && let Some(index) = dispensable(&kept, best)
            {
                kept.remove(index);
            }
        }
        assert_eq!(kept.len(), KEPT_ADAPTERS);
        assert_eq!(kept.last(), Some(&2000));
        assert!(kept.contains(&60));
        let others: Vec<i64> = kept.into_iter().filter(|step| *step != 60).collect();
        let widest = others.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(others[0] <= 520 && widest <= Some(520), "{others:?}");
    }
}
