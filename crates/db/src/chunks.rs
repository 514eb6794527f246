//! The chunks that documents' texts are cut into.

use crate::{Db, DbError, Scope, Write, convert, documents};
use cerebros_common::{
    documents::{Chunk, ChunkPlace},
    ids::{ChunkId, DocumentId},
    wire::CursorPage,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Its text is that between `start` and `end`, which count characters.
#[derive(Debug, Clone)]
pub struct NewChunk {
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    /// Outermost first.
    pub headings: Vec<String>,
    pub tokens: u64,
}

/// Chunks per insert: 10 values each stay well below the databases' limits on parameters.
const AT_ONCE: usize = 200;

/// Chunks after the index `after`, in order.
pub async fn list(
    scope: &Scope,
    db: &Db,
    id: DocumentId,
    after: Option<i32>,
    limit: u32,
) -> Result<CursorPage<Chunk>, DbError> {
    documents::find(scope, db, id).await?;
    let mut rows = of(id)
        .filter(row::Column::Idx.gt(after.unwrap_or(-1)))
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.idx.to_string());
    let items = rows.into_iter().map(wire).collect::<Result<_, _>>()?;
    Ok(CursorPage { items, next_cursor })
}

/// The chunks of documents of the workspace, in order, each with its length in characters.
pub async fn lengths(scope: &Scope, db: &Db, ids: &[DocumentId]) -> Result<Vec<(DocumentId, ChunkId, u64)>, DbError> {
    let found: Vec<(Uuid, Uuid, i64, i64)> = row::Entity::find()
        .filter(row::Column::DocumentId.in_subquery(documents::among(scope, ids)))
        .order_by_asc(row::Column::DocumentId)
        .order_by_asc(row::Column::Idx)
        .select_only()
        .columns([
            row::Column::DocumentId,
            row::Column::Id,
            row::Column::StartAt,
            row::Column::EndAt,
        ])
        .into_tuple()
        .all(db.read())
        .await?;
    let length = |(document, id, start, end)| (DocumentId(document), ChunkId(id), convert::unsigned(end - start));
    Ok(found.into_iter().map(length).collect())
}

/// Where chunks lie, for whoever has found them in its scope.
pub(crate) async fn places(db: &Db, ids: &[Uuid]) -> Result<HashMap<Uuid, ChunkPlace>, DbError> {
    type Place = (Uuid, i32, i64, i64, Option<i32>, Option<String>);
    let found: Vec<Place> = row::Entity::find()
        .filter(row::Column::Id.is_in(ids.iter().copied()))
        .select_only()
        .columns([
            row::Column::Id,
            row::Column::Idx,
            row::Column::StartAt,
            row::Column::EndAt,
            row::Column::Page,
            row::Column::Heading,
        ])
        .into_tuple()
        .all(db.read())
        .await?;
    let place = |(id, index, start, end, page, heading): Place| {
        let place = ChunkPlace {
            index: u32::try_from(index).unwrap_or_default(),
            start: convert::unsigned(start),
            end: convert::unsigned(end),
            page: page.and_then(|page| u32::try_from(page).ok()),
            heading,
        };
        (id, place)
    };
    Ok(found.into_iter().map(place).collect())
}

/// A chunk of a document of the workspace.
pub async fn find(scope: &Scope, db: &Db, id: ChunkId) -> Result<Chunk, DbError> {
    let missing = || DbError::NotFound("chunk");
    let found = row::Entity::find().filter(row::Column::Id.eq(id.0)).one(db.read());
    let found = found.await?.ok_or_else(missing)?;
    documents::find(scope, db, DocumentId(found.document_id))
        .await
        .map_err(|error| match error {
            DbError::NotFound(_) => missing(),
            other => other,
        })?;
    wire(found)
}

/// Start and text of up to `limit` chunks that end after the character `after`.
pub async fn texts_after(
    scope: &Scope,
    db: &Db,
    id: DocumentId,
    after: u64,
    limit: u64,
) -> Result<Vec<(u64, String)>, DbError> {
    let found: Vec<(i64, String)> = of(id)
        .filter(row::Column::DocumentId.in_subquery(documents::among(scope, &[id])))
        .filter(row::Column::EndAt.gt(convert::signed(after)))
        .limit(limit)
        .select_only()
        .columns([row::Column::StartAt, row::Column::Body])
        .into_tuple()
        .all(db.read())
        .await?;
    let found = found.into_iter().map(|(start, body)| (convert::unsigned(start), body));
    Ok(found.collect())
}

/// For whoever has found the document in its scope.
pub(crate) async fn all(db: &Db, id: DocumentId) -> Result<Vec<Chunk>, DbError> {
    of(id).all(db.read()).await?.into_iter().map(wire).collect()
}

/// Cuts `text` as `chunks` say, some at a time: a long text is not held twice.
pub(crate) async fn insert(write: &Write, id: DocumentId, text: &str, chunks: Vec<NewChunk>) -> Result<(), DbError> {
    // Where the last chunk starts, in characters and in bytes; the next ones start there or later.
    let (mut char, mut byte) = (0, 0);
    let mut idx = 0;
    let mut chunks = chunks.into_iter().peekable();
    while chunks.peek().is_some() {
        let mut rows = Vec::with_capacity(AT_ONCE);
        for new in chunks.by_ref().take(AT_ONCE) {
            byte += after(&text[byte..], new.start.saturating_sub(char));
            char = new.start;
            let length = after(&text[byte..], new.end.saturating_sub(new.start));
            rows.push(new_row(id, idx, new, &text[byte..byte + length])?);
            idx += 1;
        }
        row::Entity::insert_many(rows)
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(())
}

/// The text of a chunk, and the character of its document at which it starts.
pub(crate) async fn text_of(connection: &impl ConnectionTrait, id: ChunkId) -> Result<Option<(String, u64)>, DbError> {
    let found: Option<(String, i64)> = row::Entity::find()
        .select_only()
        .columns([row::Column::Body, row::Column::StartAt])
        .filter(row::Column::Id.eq(id.0))
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.map(|(text, start)| (text, convert::unsigned(start))))
}

/// How many bytes so many characters take.
fn after(text: &str, chars: u64) -> usize {
    let at = usize::try_from(chars).unwrap_or(usize::MAX);
    text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte)
}

fn new_row(id: DocumentId, idx: i32, new: NewChunk, text: &str) -> Result<row::ActiveModel, DbError> {
    Ok(row::ActiveModel {
        seq: NotSet,
        id: Set(Uuid::now_v7()),
        document_id: Set(id.0),
        idx: Set(idx),
        start_at: Set(convert::signed(new.start)),
        end_at: Set(convert::signed(new.end)),
        page: Set(new.page.and_then(|page| i32::try_from(page).ok())),
        headings: Set(convert::json("headings", &new.headings)?),
        heading: Set(new.headings.into_iter().next_back()),
        tokens: Set(i32::try_from(new.tokens).unwrap_or(i32::MAX)),
        body: Set(text.to_owned()),
    })
}

fn of(id: DocumentId) -> sea_orm::Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::DocumentId.eq(id.0))
        .order_by_asc(row::Column::Idx)
}

fn wire(row: row::Model) -> Result<Chunk, DbError> {
    let index = u32::try_from(row.idx).map_err(|error| DbError::Corrupt("chunk index", error.to_string()))?;
    Ok(Chunk {
        id: ChunkId(row.id),
        document_id: DocumentId(row.document_id),
        index,
        start: convert::unsigned(row.start_at),
        end: convert::unsigned(row.end_at),
        page: row.page.and_then(|page| u32::try_from(page).ok()),
        heading: row.heading,
        headings: convert::parse_json("headings", &row.headings)?,
        tokens: u32::try_from(row.tokens).unwrap_or(0),
        text: row.body,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "chunks")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub seq: i64,
        pub id: Uuid,
        pub document_id: Uuid,
        pub idx: i32,
        pub start_at: i64,
        pub end_at: i64,
        pub page: Option<i32>,
        pub heading: Option<String>,
        pub headings: String,
        pub tokens: i32,
        pub body: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
