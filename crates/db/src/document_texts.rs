//! What was read in documents: their text, where its pages and its code lie.

use crate::{Db, DbError, Scope, Write, convert, documents};
use cerebros_common::{documents::DocumentPage, ids::DocumentId};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement};
use std::collections::HashMap;
use uuid::Uuid;

/// Part of a document's text, with what is known of all of it.
#[derive(Debug, Clone)]
pub struct Stretch {
    pub text: String,
    /// Where `text` starts, in characters.
    pub offset: u64,
    /// Characters of the whole.
    pub total: u64,
    pub pages: Vec<DocumentPage>,
    /// Where code lies.
    pub code: Vec<(u64, u64)>,
}

/// The pages of documents; of those without pages an empty list.
pub async fn pages(
    scope: &Scope,
    db: &Db,
    ids: &[DocumentId],
) -> Result<HashMap<DocumentId, Vec<DocumentPage>>, DbError> {
    let found: Vec<(Uuid, String)> = row::Entity::find()
        .select_only()
        .columns([row::Column::DocumentId, row::Column::Pages])
        .filter(row::Column::DocumentId.in_subquery(documents::among(scope, ids)))
        .into_tuple()
        .all(db.read())
        .await?;
    let pages = |(id, pages): (Uuid, String)| Ok((DocumentId(id), convert::parse_json("document page", &pages)?));
    found.into_iter().map(pages).collect()
}

/// Up to `length` characters from `offset` on.
///
/// # Errors
/// `DbError::Conflict` as long as there is no text.
pub async fn stretch(scope: &Scope, db: &Db, id: DocumentId, offset: u64, length: u64) -> Result<Stretch, DbError> {
    let total = documents::require_text(scope, db.read(), id).await?;
    let offset = offset.min(total);
    let end = offset.saturating_add(length).min(total);
    // PostgreSQL's `substr` takes 32-bit numbers; no extracted text is that long.
    let number = |value: u64| i32::try_from(value).unwrap_or(i32::MAX);
    let statement = Statement::from_sql_and_values(
        db.read().get_database_backend(),
        "select substr(body, $1, $2) as body, pages, code from document_texts where document_id = $3",
        [number(offset + 1).into(), number(end - offset).into(), id.0.into()],
    );
    let found = db
        .read()
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| DbError::Corrupt("document text", id.to_string()))?;
    let (pages, code): (String, String) = (found.try_get("", "pages")?, found.try_get("", "code")?);
    Ok(Stretch {
        text: found.try_get("", "body")?,
        offset,
        total,
        pages: convert::parse_json("document page", &pages)?,
        code: convert::parse_json("code", &code)?,
    })
}

/// For whoever has found the document in its scope.
pub(crate) async fn whole(db: &Db, id: DocumentId) -> Result<(String, Vec<DocumentPage>), DbError> {
    let found = row::Entity::find_by_id(id.0)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("document text"))?;
    Ok((found.body, convert::parse_json("document page", &found.pages)?))
}

pub(crate) async fn insert(
    write: &Write,
    id: DocumentId,
    text: String,
    pages: &[DocumentPage],
    code: &[(u64, u64)],
) -> Result<(), DbError> {
    let row = row::ActiveModel {
        document_id: Set(id.0),
        pages: Set(convert::json("document page", &pages)?),
        code: Set(convert::json("code", &code)?),
        body: Set(text),
    };
    row::Entity::insert(row)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "document_texts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub document_id: Uuid,
        pub body: String,
        pub pages: String,
        pub code: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
