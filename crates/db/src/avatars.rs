//! Pictures of people, as square PNGs. They belong to accounts, so these functions are unscoped by nature.

use crate::{Db, DbError, Write, convert};
use cerebros_common::ids::UserId;
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement};

#[derive(Debug, Clone)]
pub struct Avatar {
    pub png: Vec<u8>,
    pub updated_at: DateTime<Utc>,
}

/// The picture of a person, for themselves and for who shares a workspace with them.
pub async fn find_unscoped(db: &Db, viewer: UserId, of: UserId) -> Result<Avatar, DbError> {
    let missing = DbError::NotFound("picture");
    if viewer != of {
        let statement = Statement::from_sql_and_values(
            db.read().get_database_backend(),
            "select 1 as shared from members a join members b on a.workspace_id = b.workspace_id \
             where a.user_id = $1 and b.user_id = $2 limit 1",
            [viewer.0.into(), of.0.into()],
        );
        if db.read().query_one_raw(statement).await?.is_none() {
            return Err(missing);
        }
    }
    let row = row::Entity::find_by_id(of.0).one(db.read()).await?.ok_or(missing)?;
    Ok(Avatar {
        png: row.png,
        updated_at: row.updated_at,
    })
}

pub(crate) async fn updated_at(
    connection: &impl ConnectionTrait,
    id: UserId,
) -> Result<Option<DateTime<Utc>>, DbError> {
    let updated_at = row::Entity::find()
        .filter(row::Column::UserId.eq(id.0))
        .select_only()
        .column(row::Column::UpdatedAt)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(updated_at)
}

pub(crate) async fn replace(write: &Write, id: UserId, png: Option<&[u8]>) -> Result<(), DbError> {
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    if let Some(png) = png {
        let row = row::ActiveModel {
            user_id: Set(id.0),
            png: Set(png.to_vec()),
            updated_at: Set(convert::now()),
        };
        row::Entity::insert(row)
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(())
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "avatars")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        pub png: Vec<u8>,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
