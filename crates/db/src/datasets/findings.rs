//! What the validation of a dataset found.

use super::find;
use crate::{Db, DbError, Scope, Write, convert};
use cerebros_common::{
    datasets::{DatasetFinding, FindingRepair, FindingSeverity},
    ids::DatasetId,
    wire::CursorPage,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

/// Per insert: 8 values each stay well below the databases' limits on parameters.
const AT_ONCE: usize = 200;

/// Findings after the number `after`, in the order of the file, with the next cursor.
pub async fn list(
    scope: &Scope,
    db: &Db,
    id: DatasetId,
    after: Option<i64>,
    limit: u32,
) -> Result<CursorPage<DatasetFinding>, DbError> {
    find(scope, db, id).await?;
    let mut rows = row::Entity::find()
        .filter(row::Column::DatasetId.eq(id.0))
        .filter(row::Column::Seq.gt(after.unwrap_or(0)))
        .order_by_asc(row::Column::Seq)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.seq.to_string());
    let items = rows.into_iter().map(wire_finding).collect::<Result<_, _>>()?;
    Ok(CursorPage { items, next_cursor })
}

pub(super) async fn insert(write: &Write, id: DatasetId, found: Vec<DatasetFinding>) -> Result<(), DbError> {
    let findings: Vec<row::ActiveModel> = found
        .into_iter()
        .map(|found| {
            Ok(row::ActiveModel {
                seq: NotSet,
                dataset_id: Set(id.0),
                line: Set(convert::signed(found.line)),
                field: Set(storable(&found.field)),
                code: Set(found.code),
                severity: Set(convert::name(&found.severity)?),
                message: Set(storable(&found.message)),
                fix: Set(storable(&found.fix)),
                repair: Set(Some(convert::name(&found.repair)?)),
            })
        })
        .collect::<Result<_, DbError>>()?;
    for some in findings.chunks(AT_ONCE) {
        row::Entity::insert_many(some.to_vec())
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(())
}

pub(super) async fn forget(write: &Write, id: DatasetId) -> Result<(), DbError> {
    row::Entity::delete_many()
        .filter(row::Column::DatasetId.eq(id.0))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Findings quote the file, which may hold what PostgreSQL's text cannot.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn wire_finding(row: row::Model) -> Result<DatasetFinding, DbError> {
    let severity = convert::parse_name("finding severity", &row.severity)?;
    let repair = match (row.repair, severity) {
        (Some(name), _) => convert::parse_name("finding repair", &name)?,
        // Found before rows were mended.
        (None, FindingSeverity::Rejected) => FindingRepair::LeftOut,
        (None, FindingSeverity::Warning) => FindingRepair::Kept,
    };
    Ok(DatasetFinding {
        line: convert::unsigned(row.line),
        field: row.field,
        code: row.code,
        severity,
        message: row.message,
        fix: row.fix,
        repair,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "dataset_findings")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub seq: i64,
        pub dataset_id: Uuid,
        pub line: i64,
        pub field: String,
        pub code: String,
        pub severity: String,
        pub message: String,
        pub fix: String,
        pub repair: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
