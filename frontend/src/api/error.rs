//! Why a request failed.

use cerebros_common::errors::{ErrorCode, FieldError, Problem};

pub type Answer<T> = Result<T, ApiError>;

#[derive(Debug, Clone, PartialEq)]
pub enum ApiError {
    /// The server refused.
    Problem(Box<Problem>),
    /// Found wrong before anything was sent.
    Invalid(Vec<FieldError>),
    /// The server was not reached.
    Network(String),
    /// The server's answer made no sense.
    Unreadable(String),
    /// The person stopped it.
    Cancelled,
}

impl ApiError {
    pub fn title(&self) -> String {
        match self {
            Self::Problem(problem) => problem.title.clone(),
            Self::Invalid(_) => "Some fields need another look".to_owned(),
            Self::Network(_) => "The server cannot be reached".to_owned(),
            Self::Unreadable(_) => "The server's answer could not be read".to_owned(),
            Self::Cancelled => "Cancelled".to_owned(),
        }
    }

    /// One or two sentences for a person.
    pub fn message(&self) -> String {
        match self {
            Self::Problem(problem) => problem.detail.clone(),
            Self::Invalid(_) => "Correct the marked fields and try again.".to_owned(),
            Self::Network(_) => {
                "Check that the server is running and that you are connected, then try again.".to_owned()
            }
            Self::Unreadable(cause) => cause.clone(),
            Self::Cancelled => "Nothing was stored.".to_owned(),
        }
    }

    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Problem(problem) => Some(problem.error),
            Self::Invalid(_) | Self::Network(_) | Self::Unreadable(_) | Self::Cancelled => None,
        }
    }

    pub fn request_id(&self) -> Option<String> {
        match self {
            Self::Problem(problem) => Some(problem.request_id.clone()),
            Self::Invalid(_) | Self::Network(_) | Self::Unreadable(_) | Self::Cancelled => None,
        }
    }

    pub fn fields(&self) -> &[FieldError] {
        match self {
            Self::Problem(problem) => &problem.details,
            Self::Invalid(fields) => fields,
            Self::Network(_) | Self::Unreadable(_) | Self::Cancelled => &[],
        }
    }

    /// What is wrong with the field at `path`.
    pub fn field(&self, path: &str) -> Option<String> {
        self.fields()
            .iter()
            .find(|field| field.path == path)
            .map(|field| sentence(&field.message))
    }

    pub fn is_missing(&self) -> bool {
        self.code() == Some(ErrorCode::NotFound)
    }
}

fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let Some(first) = characters.next() else {
        return String::new();
    };
    let end = if message.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), characters.as_str())
}
