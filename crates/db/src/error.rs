//! Why a query gave no answer.

use sea_orm::DbErr;

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No such row in the scope.
    #[error("{0} was not found")]
    NotFound(&'static str),
    /// The row's version is another one by now.
    #[error("the {noun} is at version {current}")]
    Stale { noun: &'static str, current: i64 },
    /// The state of the rows does not allow it. The text is for the user.
    #[error("{0}")]
    Conflict(String),
    /// What a model learned from was deleted.
    #[error("the model learned from something that was deleted")]
    SourceDeleted,
    /// Who acts may not do that. The text is for the user.
    #[error("{0}")]
    Forbidden(String),
    /// A stored value that this version cannot read.
    #[error("a stored {0} cannot be read: {1}")]
    Corrupt(&'static str, String),
    /// The program itself is wrong.
    #[error("{0}")]
    Fault(&'static str),
    #[error("the database failed")]
    Sql(#[from] DbErr),
}
