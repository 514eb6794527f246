//! What may be uploaded.

/// Files of some kinds, up to a size.
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
