//! How a job learns, which follows from what its rows are.

use cerebros_common::{
    datasets::RowsKind,
    jobs::{MethodChoice, TrainingMethod},
};

/// Why rows do not suit a job. Each message says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// The method that was asked for does not train on such rows.
    Method(&'static str),
    /// It is to be measured on rows of another kind.
    Validation(&'static str),
}

impl Misfit {
    /// On its own, where there is no field to name.
    pub fn sentence(self) -> String {
        match self {
            Self::Method(message) => format!("The method {message}."),
            Self::Validation(message) => format!("The validation dataset {message}."),
        }
    }
}

/// `rows` are those to train on, `measured` the validation rows, where they are a dataset of their own.
pub fn method(
    choice: MethodChoice,
    rows: Option<RowsKind>,
    measured: Option<Option<RowsKind>>,
) -> Result<TrainingMethod, Misfit> {
    let found = of(rows);
    let asked = match choice {
        MethodChoice::Auto => found,
        MethodChoice::Supervised => TrainingMethod::Supervised,
        MethodChoice::Dpo => TrainingMethod::Dpo,
        MethodChoice::Text => TrainingMethod::Text,
    };
    if asked != found {
        return Err(Misfit::Method(match found {
            TrainingMethod::Dpo => "does not suit pairs of answers: choose `dpo`, or a dataset of conversations",
            TrainingMethod::Supervised => {
                "does not suit conversations: choose `supervised`, or a dataset of pairs of a better and a worse answer"
            }
            TrainingMethod::Text => "does not suit plain texts: choose `text`, or a dataset of conversations",
        }));
    }
    if measured.is_some_and(|kind| of(kind) != found) {
        return Err(Misfit::Validation(
            "must hold rows of the same kind as the training rows: both conversations, both pairs of answers, or both texts",
        ));
    }
    Ok(found)
}

fn of(rows: Option<RowsKind>) -> TrainingMethod {
    match rows {
        Some(RowsKind::Preferences) => TrainingMethod::Dpo,
        Some(RowsKind::Texts) => TrainingMethod::Text,
        _ => TrainingMethod::Supervised,
    }
}
