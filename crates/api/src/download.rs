//! Answers that are files.

use crate::storage::Blob;
use actix_web::{HttpResponse, body::SizedStream, http::header};
use futures_util::TryStreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 5987 lets stand unencoded, as far as it is needed.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Streams a file that a browser saves and never shows.
pub fn attachment(blob: Blob, media_type: &'static str, name: &str) -> HttpResponse {
    let bytes = blob.bytes.map_err(actix_web::Error::from);
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CONTENT_DISPOSITION, disposition(name)))
        .body(SizedStream::new(blob.size_bytes, bytes))
}

/// RFC 6266: a plain name for old readers, and the real one.
pub fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect();
    let encoded = utf8_percent_encode(name, PLAIN);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(
            disposition("Büro\"; x=\r\n1.pdf"),
            "attachment; filename=\"B_ro_; x=__1.pdf\"; filename*=UTF-8''B%C3%BCro%22%3B%20x%3D%0D%0A1.pdf"
        );
    }
}
