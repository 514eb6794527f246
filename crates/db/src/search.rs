//! Full-text search over chunks: FTS5 on SQLite, `tsvector` on PostgreSQL.

use crate::{Db, DbError, Scope, convert};
use cerebros_common::{
    documents::DocumentKind,
    ids::{AgentId, ChunkId, DocumentId},
};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};

/// A chunk that holds at least one of the words. Offsets count characters of the document's text.
#[derive(Debug, Clone)]
pub struct MatchingChunk {
    pub document_id: DocumentId,
    pub document_name: String,
    pub chunk_id: ChunkId,
    pub start: u64,
    /// The heading under which the chunk starts.
    pub heading: Option<String>,
    pub text: String,
}

const COLUMNS: &str = "d.id as document_id, d.name as document_name, c.id as chunk_id, c.start_at, c.heading, c.body";

/// The `limit` chunks that match best, best first. Without kinds, documents of every kind are searched. `stems` are
/// beginnings of words, of letters and digits alone; any of them may match.
pub async fn chunks(
    scope: &Scope,
    db: &Db,
    agent_id: Option<AgentId>,
    kinds: &[DocumentKind],
    stems: &[String],
    limit: u32,
) -> Result<Vec<MatchingChunk>, DbError> {
    let stems: Vec<&String> = stems
        .iter()
        .filter(|stem| stem.chars().all(char::is_alphanumeric))
        .collect();
    if stems.is_empty() {
        return Ok(Vec::new());
    }
    let backend = db.read().get_database_backend();
    let of_agent = agent_id.map_or("", |_| "and d.agent_id = $4");
    let of_kinds = of_kinds(kinds)?;
    let (sql, query) = match backend {
        // `cross join` keeps SQLite from running the full-text query once for each chunk.
        DbBackend::Sqlite => (
            format!(
                "select {COLUMNS} from chunks_search cross join chunks c on c.seq = chunks_search.rowid \
                 cross join documents d on d.id = c.document_id \
                 where chunks_search match $1 and d.workspace_id = $2 {of_agent} {of_kinds} \
                 order by bm25(chunks_search), c.seq limit $3"
            ),
            any_of(&stems, |stem| format!("\"{stem}\" *"), " OR "),
        ),
        _ => (
            format!(
                "select {COLUMNS} from chunks c join documents d on d.id = c.document_id, \
                 to_tsquery('simple', $1) wanted \
                 where c.search @@ wanted and d.workspace_id = $2 {of_agent} {of_kinds} \
                 order by ts_rank_cd(c.search, wanted, 1) desc, c.seq limit $3"
            ),
            any_of(&stems, |stem| format!("'{stem}':*"), " | "),
        ),
    };
    let mut values: Vec<Value> = vec![query.into(), scope.workspace_id.0.into(), i64::from(limit).into()];
    values.extend(agent_id.map(|id| Value::from(id.0)));
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let rows = db.read().query_all_raw(statement).await?;
    rows.iter().map(matching).collect()
}

/// The kinds' names are constants: nobody's words get into the statement.
fn of_kinds(kinds: &[DocumentKind]) -> Result<String, DbError> {
    if kinds.is_empty() {
        return Ok(String::new());
    }
    let names = kinds.iter().map(|kind| Ok(format!("'{}'", convert::name(kind)?)));
    let names: Vec<String> = names.collect::<Result<_, DbError>>()?;
    Ok(format!("and d.kind in ({})", names.join(", ")))
}

fn any_of(stems: &[&String], quoted: impl Fn(&str) -> String, or: &str) -> String {
    let quoted: Vec<String> = stems.iter().map(|stem| quoted(stem)).collect();
    quoted.join(or)
}

fn matching(row: &QueryResult) -> Result<MatchingChunk, DbError> {
    Ok(MatchingChunk {
        document_id: DocumentId(row.try_get("", "document_id")?),
        document_name: row.try_get("", "document_name")?,
        chunk_id: ChunkId(row.try_get("", "chunk_id")?),
        start: convert::unsigned(row.try_get("", "start_at")?),
        heading: row.try_get("", "heading")?,
        text: row.try_get("", "body")?,
    })
}
