//! How many of each go.

use crate::format;
use cerebros_common::deletions::DeletionCounts;

/// In words, those that are none left out.
pub fn in_words(counts: &DeletionCounts, bytes: u64) -> Vec<String> {
    let all = [
        (counts.workspaces, "workspace", "workspaces"),
        (counts.members, "membership", "memberships"),
        (counts.api_keys, "API key", "API keys"),
        (counts.agents, "assistant", "assistants"),
        (counts.documents, "document with its text", "documents with their text"),
        (counts.examples, "example", "examples"),
        (counts.concepts, "concept", "concepts"),
        (counts.diagrams, "diagram", "diagrams"),
        (counts.datasets, "dataset's content", "datasets' content"),
        (counts.jobs, "training job", "training jobs"),
        (counts.models, "model", "models"),
    ];
    let mut words: Vec<String> = all
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| format::counted(number, one, many))
        .collect();
    if bytes > 0 {
        words.push(format!("{} of files", format::size(bytes)));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_goes_is_named() {
        let counts = DeletionCounts {
            documents: 1,
            examples: 1200,
            ..DeletionCounts::default()
        };
        let words = in_words(&counts, 2_000_000);
        assert_eq!(words, ["1 document with its text", "1,200 examples", "2.0 MB of files"]);
        assert!(in_words(&DeletionCounts::default(), 0).is_empty());
    }
}
