//! One file of a multipart form, streamed into the store.

use crate::{
    config::Config,
    deadlines,
    error::{AppError, AppResult},
    storage::{Storage, Writer},
};
use actix_multipart::{Field, Multipart, MultipartError};
use cerebros_common::errors::ErrorCode;
use futures_util::StreamExt;
use std::{collections::BTreeMap, time::Duration};

/// A file that was received whole, but has no place in the store yet.
pub struct Upload {
    /// As the person named it, without directories.
    pub name: String,
    pub writer: Writer,
}

impl Upload {
    /// What tells this file from others.
    pub fn fingerprint(&self) -> (&str, String) {
        (&self.name, self.writer.sha256())
    }
}

const MAX_NAME_CHARS: usize = 200;
/// Of parts that are texts, where such are taken.
const MAX_TEXTS: usize = 16;
const MAX_TEXT_BYTES: usize = 1024;
/// How much of a refused body is read on: a client that still sends does not listen to the answer.
const MAX_DISCARDED_BYTES: u64 = 64 * 1024 * 1024;

/// The parts of a form that is being read. The reader below must not be asked again after its end or its first error.
pub struct Form {
    parts: Multipart,
    ended: bool,
    /// How long it may take until the next piece arrives.
    patience: Duration,
}

impl Form {
    pub fn new(parts: Multipart, config: &Config) -> Self {
        Self {
            parts,
            ended: false,
            patience: config.deadlines.piece,
        }
    }

    async fn next(&mut self) -> AppResult<Option<Field>> {
        if self.ended {
            return Ok(None);
        }
        self.ended = true;
        let next = deadlines::arrival(self.patience, self.parts.next()).await?;
        let field = next.transpose().map_err(refuse_form)?;
        self.ended = field.is_none();
        Ok(field)
    }
}

/// Reads the one part `file`. Refused, it leaves nothing.
///
/// # Errors
/// 400 on the part at fault, 413 above `max_bytes`, 415 for a body that is no form, 507 on a full disk.
pub async fn receive(storage: &Storage, form: &mut Form, max_bytes: u64) -> AppResult<Upload> {
    receive_parts(storage, form, max_bytes, None).await
}

/// Reads the part `file` and, by name, the parts beside it, which are short texts.
///
/// # Errors
/// As [`receive`], and 400 on texts that are too long or too many.
pub async fn receive_with_texts(
    storage: &Storage,
    form: &mut Form,
    max_bytes: u64,
) -> AppResult<(Upload, BTreeMap<String, String>)> {
    let mut texts = BTreeMap::new();
    let upload = receive_parts(storage, form, max_bytes, Some(&mut texts)).await?;
    Ok((upload, texts))
}

async fn receive_parts(
    storage: &Storage,
    form: &mut Form,
    max_bytes: u64,
    texts: Option<&mut BTreeMap<String, String>>,
) -> AppResult<Upload> {
    let received = read(storage, form, max_bytes, texts).await;
    if received
        .as_ref()
        .is_err_and(|refused| refused.code != ErrorCode::RequestTimeout)
    {
        discard(form).await;
    }
    received
}

/// Reads on through a body that is refused, within bounds.
pub async fn discard(form: &mut Form) {
    let patience = form.patience;
    while let Ok(Some(mut field)) = form.next().await {
        if !read_on(&mut field, patience).await {
            return;
        }
    }
}

async fn read(
    storage: &Storage,
    form: &mut Form,
    max_bytes: u64,
    mut texts: Option<&mut BTreeMap<String, String>>,
) -> AppResult<Upload> {
    let mut upload = None;
    let patience = form.patience;
    while let Some(field) = form.next().await? {
        match field.name() {
            Some("file") if upload.is_none() => upload = Some(read_file(storage, field, patience, max_bytes).await?),
            Some("file") => {
                let message = "must be there once: send one file a request";
                return Err(AppError::field("file", "repeated", message));
            }
            other => {
                let name = other.unwrap_or_default().to_owned();
                if let Some(texts) = &mut texts {
                    let text = read_text(field, patience).await?;
                    texts.insert(name, text);
                    if texts.len() > MAX_TEXTS {
                        return Err(AppError::field("form", "too_many", "must have at most 16 parts"));
                    }
                    continue;
                }
                return Err(AppError::field(
                    &name,
                    "unknown",
                    "is not a known part; send the file as `file`",
                ));
            }
        }
    }
    upload.ok_or_else(|| AppError::field("file", "missing", "is missing: send the file as the part `file`"))
}

async fn read_text(mut field: Field, patience: Duration) -> AppResult<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = deadlines::arrival(patience, field.next()).await? {
        bytes.extend_from_slice(&chunk.map_err(refuse_form)?);
        if bytes.len() > MAX_TEXT_BYTES {
            read_on(&mut field, patience).await;
            let name = field.name().unwrap_or_default();
            return Err(AppError::field(name, "too_long", "must have at most 1024 bytes"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn read_file(storage: &Storage, mut field: Field, patience: Duration, max_bytes: u64) -> AppResult<Upload> {
    let name = file_name(&field)?;
    let mut writer = storage.create().await.map_err(AppError::io)?;
    while let Some(chunk) = deadlines::arrival(patience, field.next()).await? {
        let chunk = chunk.map_err(refuse_form)?;
        if writer.size_bytes() + chunk.len() as u64 > max_bytes {
            // The rest of this part is read on here: a part that is dropped half-read blocks the form.
            read_on(&mut field, patience).await;
            return Err(too_large(max_bytes));
        }
        writer.write(&chunk).await.map_err(AppError::io)?;
    }
    if writer.size_bytes() == 0 {
        return Err(AppError::field("file", "empty", "is empty"));
    }
    writer.flush().await.map_err(AppError::io)?;
    Ok(Upload { name, writer })
}

/// Whether the part came to its end, within bounds.
async fn read_on(field: &mut Field, patience: Duration) -> bool {
    let mut bytes = 0;
    while let Ok(Some(Ok(chunk))) = deadlines::arrival(patience, field.next()).await {
        bytes += chunk.len() as u64;
        if bytes > MAX_DISCARDED_BYTES {
            return false;
        }
    }
    true
}

pub fn too_large(max_bytes: u64) -> AppError {
    let limit = match max_bytes {
        bytes if bytes % (1024 * 1024) == 0 => format!("{} MiB", bytes / (1024 * 1024)),
        bytes => format!("{bytes} bytes"),
    };
    AppError::new(
        ErrorCode::PayloadTooLarge,
        format!("A file may have at most {limit} here."),
    )
}

fn refuse_form(error: MultipartError) -> AppError {
    match error {
        MultipartError::ContentTypeMissing
        | MultipartError::ContentTypeParse
        | MultipartError::ContentTypeIncompatible => AppError::new(
            ErrorCode::UnsupportedMediaType,
            "Send the file as `multipart/form-data`, in one part named `file`.",
        ),
        _ => AppError::new(
            ErrorCode::MalformedBody,
            "The form cannot be read, or broke off. Send it again.",
        ),
    }
}

fn file_name(field: &Field) -> AppResult<String> {
    let disposition = field.content_disposition();
    let extended = disposition.and_then(|disposition| disposition.get_filename_ext());
    let sent = match extended {
        Some(value) => String::from_utf8_lossy(&value.value).into_owned(),
        None => disposition
            .and_then(|disposition| disposition.get_filename())
            .ok_or_else(|| AppError::field("file", "type", "must be a file with a name"))?
            .to_owned(),
    };
    Ok(clean_name(&sent))
}

/// Without directories, and without characters that garble a line of text; at most 200 characters, the extension kept.
pub fn clean_name(sent: &str) -> String {
    let garbles = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let name = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !garbles(*c)).collect();
    let name = name.trim();
    if name.is_empty() || name.chars().all(|c| c == '.') {
        return "file".to_owned();
    }
    let length = name.chars().count();
    if length <= MAX_NAME_CHARS {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) if extension.chars().count() < 20 => {
            let kept = MAX_NAME_CHARS - 1 - extension.chars().count();
            let stem: String = stem.chars().take(kept).collect();
            format!("{stem}.{extension}")
        }
        _ => name.chars().take(MAX_NAME_CHARS).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::clean_name;

    #[test]
    fn names_lose_directories_and_control_characters() {
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name("C:\\docs\\plan.docx"), "plan.docx");
        assert_eq!(clean_name("a\r\nb\u{202e}fdp.txt"), "abfdp.txt");
        assert_eq!(clean_name(".."), "file");
        assert_eq!(clean_name(" \u{7} "), "file");
        assert_eq!(clean_name("Größe, 1. Entwurf.pdf"), "Größe, 1. Entwurf.pdf");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = clean_name(&format!("{}.pdf", "ä".repeat(400)));
        assert_eq!(name.chars().count(), 200);
        assert!(name.ends_with("ä.pdf"));
        assert_eq!(clean_name(&"x".repeat(300)).len(), 200);
    }
}
