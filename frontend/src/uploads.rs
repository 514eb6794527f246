//! Files on their way to the server, one at a time, with progress. XMLHttpRequest, because fetch tells none.

use crate::api::{self, refusal};
use js_sys::Function;
use leptos::prelude::*;
use std::collections::HashMap;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{File, FormData, ProgressEvent, XmlHttpRequest};

#[derive(Debug, Clone, PartialEq)]
pub enum UploadState {
    Waiting,
    Sending,
    /// With a sentence for the person.
    Failed(String),
}

#[derive(Clone, Copy)]
pub struct Upload {
    pub id: u64,
    pub name: StoredValue<String>,
    pub bytes: u64,
    /// 0 to 1.
    pub sent: RwSignal<f64>,
    pub state: RwSignal<UploadState>,
}

/// What may be uploaded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// File extensions, in lower case.
    pub extensions: &'static [&'static str],
    pub bytes: u64,
}

pub const DOCUMENTS: Limits = Limits {
    extensions: &["pdf", "docx", "txt", "md", "csv", "json", "xml"],
    bytes: 50 * 1024 * 1024,
};

pub const DATASETS: Limits = Limits {
    extensions: &["jsonl", "json"],
    bytes: 500 * 1024 * 1024,
};

impl Limits {
    /// The same with the server's own limit, once it is known.
    pub fn up_to(self, bytes: Option<u64>) -> Self {
        Self {
            bytes: bytes.unwrap_or(self.bytes),
            ..self
        }
    }

    /// Why a file would be refused.
    pub fn objection(&self, name: &str, bytes: u64) -> Option<String> {
        let extension = name
            .rsplit_once('.')
            .map(|(_, extension)| extension.to_lowercase())
            .unwrap_or_default();
        if !self.extensions.contains(&extension.as_str()) {
            return Some(format!(
                "This kind of file is not taken. Choose {}.",
                self.extensions.join(", ").to_uppercase()
            ));
        }
        if bytes == 0 {
            return Some("The file is empty.".to_owned());
        }
        (bytes > self.bytes).then(|| format!("The file is larger than {} MB.", self.bytes / (1024 * 1024)))
    }
}

struct Queued {
    id: u64,
    file: File,
    address: String,
}

#[derive(Default)]
struct Line {
    waiting: Vec<Queued>,
    active: HashMap<u64, XmlHttpRequest>,
    next: u64,
}

#[derive(Clone, Copy)]
pub struct Uploads {
    pub shown: RwSignal<Vec<Upload>>,
    line: StoredValue<Line, LocalStorage>,
    /// Gets the answer's body.
    done: StoredValue<Box<dyn Fn(String)>, LocalStorage>,
}

impl Uploads {
    /// Calls `done` with the body of each successful answer. What is still on its way when the caller goes is cancelled.
    pub fn new(done: impl Fn(String) + 'static) -> Self {
        let uploads = Self {
            shown: RwSignal::new(Vec::new()),
            line: StoredValue::new_local(Line::default()),
            done: StoredValue::new_local(Box::new(done)),
        };
        on_cleanup(move || {
            uploads.line.try_update_value(|line| {
                line.waiting.clear();
                for (_, request) in line.active.drain() {
                    drop(request.abort());
                }
            });
        });
        uploads
    }

    pub fn add(self, file: File, address: String, objection: Option<String>) {
        let mut id = 0;
        self.line.update_value(|line| {
            id = line.next;
            line.next += 1;
        });
        let state = objection.map_or(UploadState::Waiting, UploadState::Failed);
        let sends = state == UploadState::Waiting;
        let upload = Upload {
            id,
            name: StoredValue::new(file.name()),
            bytes: file.size() as u64,
            sent: RwSignal::new(0.0),
            state: RwSignal::new(state),
        };
        self.shown.update(|shown| shown.push(upload));
        if sends {
            self.line
                .update_value(|line| line.waiting.push(Queued { id, file, address }));
            self.advance();
        }
    }

    /// Cancels it if it is on its way.
    pub fn remove(self, id: u64) {
        self.line.update_value(|line| {
            line.waiting.retain(|queued| queued.id != id);
            if let Some(request) = line.active.remove(&id) {
                // The request may be over by now.
                drop(request.abort());
            }
        });
        self.shown.update(|shown| shown.retain(|upload| upload.id != id));
        self.advance();
    }

    fn advance(self) {
        let next = self.line.try_update_value(|line| {
            (line.active.is_empty() && !line.waiting.is_empty()).then(|| line.waiting.remove(0))
        });
        let Some(Some(queued)) = next else { return };
        let Some(upload) = self
            .shown
            .with_untracked(|shown| shown.iter().find(|upload| upload.id == queued.id).copied())
        else {
            return;
        };
        upload.state.set(UploadState::Sending);
        match self.send(upload, &queued) {
            Ok(request) => self.line.update_value(|line| {
                line.active.insert(queued.id, request);
            }),
            Err(cause) => self.fail(upload, format!("The browser could not send the file: {cause:?}")),
        }
    }

    fn send(self, upload: Upload, queued: &Queued) -> Result<XmlHttpRequest, JsValue> {
        let request = XmlHttpRequest::new()?;
        request.open("POST", &queued.address)?;
        if let Some(id) = api::workspace() {
            request.set_request_header(api::WORKSPACE_HEADER, &id.to_string())?;
        }
        request
            .upload()?
            .set_onprogress(Some(&listener(move |event: ProgressEvent| {
                if event.length_computable() {
                    upload.sent.try_set(event.loaded() / event.total());
                }
            })));
        let answered = request.clone();
        request.set_onload(Some(&listener(move |_: ProgressEvent| {
            let status = answered.status().unwrap_or_default();
            let body = answered.response_text().ok().flatten().unwrap_or_default();
            if (200..300).contains(&status) {
                self.line.try_update_value(|line| line.active.remove(&upload.id));
                self.shown
                    .try_update(|shown| shown.retain(|shown| shown.id != upload.id));
                self.done.try_with_value(|done| done(body));
                self.advance();
            } else {
                self.fail(upload, refusal(status, &body).message());
            }
        })));
        request.set_onerror(Some(&listener(move |_: ProgressEvent| {
            self.fail(upload, "The connection broke off. Add the file again.".to_owned());
        })));
        let form = FormData::new()?;
        form.append_with_blob_and_filename("file", &queued.file, &queued.file.name())?;
        request.send_with_opt_form_data(Some(&form))?;
        Ok(request)
    }

    fn fail(self, upload: Upload, message: String) {
        self.line.try_update_value(|line| line.active.remove(&upload.id));
        upload.state.try_set(UploadState::Failed(message));
        self.advance();
    }
}

fn listener(work: impl FnMut(ProgressEvent) + 'static) -> Function {
    Closure::<dyn FnMut(ProgressEvent)>::new(work)
        .into_js_value()
        .unchecked_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_refused_before_they_travel() {
        assert_eq!(DOCUMENTS.objection("Report.PDF", 10), None);
        assert_eq!(DOCUMENTS.objection("a.b.docx", DOCUMENTS.bytes), None);
        for (name, bytes) in [
            ("notes", 1),
            ("movie.mp4", 1),
            ("empty.txt", 0),
            ("big.txt", DOCUMENTS.bytes + 1),
        ] {
            assert!(DOCUMENTS.objection(name, bytes).is_some(), "{name}");
        }
    }
}
