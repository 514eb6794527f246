//! Keys for other people's services, encrypted.

use crate::{Db, DbError, Scope, Write, convert, seal::Sealed};
use cerebros_common::{
    audit::{Action, Noun},
    ids::WorkspaceId,
    provider_keys::{Provider, ProviderKey},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::OnConflict};

pub async fn list(scope: &Scope, db: &Db) -> Result<Vec<ProviderKey>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .order_by_asc(row::Column::Provider)
        .all(db.read())
        .await?;
    rows.into_iter().map(wire).collect()
}

pub async fn find_sealed(scope: &Scope, db: &Db, provider: Provider) -> Result<Option<Sealed>, DbError> {
    let id = (scope.workspace_id.0, convert::name(&provider)?);
    let found = row::Entity::find_by_id(id).one(db.read()).await?;
    Ok(found.map(sealed))
}

/// Stores a key in place of an older one.
pub async fn put(write: &mut Write, provider: Provider, hint: &str, sealed: Sealed) -> Result<ProviderKey, DbError> {
    let workspace_id = write.workspace_id()?;
    let row = row::Model {
        workspace_id: workspace_id.0,
        provider: convert::name(&provider)?,
        hint: hint.to_owned(),
        key_id: sealed.key_id,
        nonce: sealed.nonce,
        ciphertext: sealed.ciphertext,
        created_at: convert::now(),
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .on_conflict(
            OnConflict::columns([row::Column::WorkspaceId, row::Column::Provider])
                .update_columns([
                    row::Column::Hint,
                    row::Column::KeyId,
                    row::Column::Nonce,
                    row::Column::Ciphertext,
                    row::Column::CreatedAt,
                ])
                .to_owned(),
        )
        .exec_without_returning(write.connection())
        .await?;
    write.audit(
        Action::Updated,
        Noun::ProviderKey,
        workspace_id,
        &["provider", "secret"],
    );
    wire(row)
}

pub async fn delete(write: &mut Write, provider: Provider) -> Result<(), DbError> {
    let workspace_id = write.workspace_id()?;
    let id = (workspace_id.0, convert::name(&provider)?);
    let deleted = row::Entity::delete_by_id(id).exec(write.connection()).await?;
    if deleted.rows_affected == 0 {
        return Err(DbError::NotFound("provider key"));
    }
    write.audit(Action::Deleted, Noun::ProviderKey, workspace_id, &["provider"]);
    Ok(())
}

/// What is encrypted with another secret than the one in use.
pub async fn outdated_unscoped(db: &Db, key_id: &str) -> Result<Vec<(WorkspaceId, Provider, Sealed)>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::KeyId.ne(key_id))
        .all(db.read())
        .await?;
    let outdated = rows.into_iter().map(|row| {
        let provider = convert::parse_name("provider", &row.provider)?;
        Ok((WorkspaceId(row.workspace_id), provider, sealed(row)))
    });
    outdated.collect()
}

/// Puts the same key, encrypted anew, in the place of what it was, unless that has changed meanwhile.
pub async fn reseal(write: &mut Write, provider: Provider, old: &Sealed, new: Sealed) -> Result<(), DbError> {
    let workspace_id = write.workspace_id()?;
    row::Entity::update_many()
        .set(row::ActiveModel {
            key_id: Set(new.key_id),
            nonce: Set(new.nonce),
            ciphertext: Set(new.ciphertext),
            ..Default::default()
        })
        .filter(row::Column::WorkspaceId.eq(workspace_id.0))
        .filter(row::Column::Provider.eq(convert::name(&provider)?))
        .filter(row::Column::Ciphertext.eq(&old.ciphertext))
        .exec(write.connection())
        .await?;
    write.audit(Action::Rotated, Noun::ProviderKey, workspace_id, &["provider"]);
    Ok(())
}

fn sealed(row: row::Model) -> Sealed {
    Sealed {
        key_id: row.key_id,
        nonce: row.nonce,
        ciphertext: row.ciphertext,
    }
}

fn wire(row: row::Model) -> Result<ProviderKey, DbError> {
    Ok(ProviderKey {
        provider: convert::parse_name("provider", &row.provider)?,
        hint: row.hint,
        created_at: row.created_at,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "provider_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub provider: String,
        pub hint: String,
        pub key_id: String,
        pub nonce: String,
        pub ciphertext: String,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
