//! What the server itself remembers, by name.

use crate::{DbError, Write};
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};

pub async fn find_unscoped(write: &Write, name: &str) -> Result<Option<String>, DbError> {
    let found = row::Entity::find_by_id(name).one(write.connection()).await?;
    Ok(found.map(|row| row.value))
}

/// Sets a value that was not there, and tells whether it did.
pub async fn insert_unscoped(write: &Write, name: &str, value: &str) -> Result<bool, DbError> {
    let keep = OnConflict::column(row::Column::Name).do_nothing().to_owned();
    Ok(put(write, name, value, keep).await? > 0)
}

pub async fn update_unscoped(write: &Write, name: &str, value: &str) -> Result<(), DbError> {
    let replace = OnConflict::column(row::Column::Name)
        .update_column(row::Column::Value)
        .to_owned();
    put(write, name, value, replace).await?;
    Ok(())
}

async fn put(write: &Write, name: &str, value: &str, conflict: OnConflict) -> Result<u64, DbError> {
    let row = row::ActiveModel {
        name: Set(name.to_owned()),
        value: Set(value.to_owned()),
    };
    let insert = row::Entity::insert(row).on_conflict(conflict);
    Ok(insert.exec_without_returning(write.connection()).await?)
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "settings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub value: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
