//! Sending what a person typed, and saying what is wrong with it.

use crate::{
    api::{Answer, ApiError},
    toasts::Toasts,
};
use cerebros_common::errors::FieldError;
use leptos::{prelude::*, task::spawn_local};
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

/// One thing at a time on its way to the server: a form, or a button.
#[derive(Clone, Copy)]
pub struct Sending {
    pub busy: RwSignal<bool>,
    pub error: RwSignal<Option<ApiError>>,
}

impl Sending {
    pub fn new() -> Self {
        Self {
            busy: RwSignal::new(false),
            error: RwSignal::new(None),
        }
    }

    /// For what has no place of its own to say what went wrong.
    pub fn in_toasts() -> Self {
        let (sending, toasts) = (Self::new(), Toasts::of_app());
        Effect::new(move |_| {
            if let Some(error) = sending.error.get() {
                toasts.bad(&error);
            }
        });
        sending
    }

    /// Does nothing while the last one is on its way.
    pub fn start<T: 'static>(self, work: impl Future<Output = Answer<T>> + 'static, done: impl FnOnce(T) + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.error.set(None);
        spawn_local(async move {
            let answer = work.await;
            self.busy.try_set(false);
            match answer {
                Ok(value) => done(value),
                Err(error) => {
                    self.error.try_set(Some(error));
                }
            }
        });
    }

    /// Sends `body` if it keeps its own rules.
    pub fn submit<B, T, R>(self, body: B, send: impl FnOnce(B) -> R, done: impl FnOnce(T) + 'static)
    where
        B: Validate,
        T: 'static,
        R: Future<Output = Answer<T>> + 'static,
    {
        match check(&body) {
            Ok(()) => self.start(send(body), done),
            Err(error) => self.error.set(Some(error)),
        }
    }

    /// What is wrong with the field at `path`.
    pub fn field(self, path: &'static str) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.error
                .with(|error| error.as_ref().and_then(|error| error.field(path)))
        })
    }

    /// The failure, unless it is all about single fields.
    pub fn general(self) -> Signal<Option<ApiError>> {
        Signal::derive(move || self.error.get().filter(|error| error.fields().is_empty()))
    }
}

pub fn check(body: &impl Validate) -> Answer<()> {
    body.validate().map_err(|errors| {
        let mut fields = Vec::new();
        flatten("", &errors, &mut fields);
        ApiError::Invalid(fields)
    })
}

fn flatten(prefix: &str, errors: &ValidationErrors, fields: &mut Vec<FieldError>) {
    for (name, kind) in errors.errors() {
        let path = if prefix.is_empty() {
            name.to_string()
        } else {
            format!("{prefix}.{name}")
        };
        match kind {
            ValidationErrorsKind::Struct(inner) => flatten(&path, inner, fields),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    flatten(&format!("{path}.{index}"), inner, fields);
                }
            }
            ValidationErrorsKind::Field(faults) => fields.extend(faults.iter().map(|fault| {
                FieldError {
                    path: path.clone(),
                    code: fault.code.to_string(),
                    message: fault
                        .message
                        .as_ref()
                        .map_or_else(|| "is not valid".to_owned(), ToString::to_string),
                }
            })),
        }
    }
}
