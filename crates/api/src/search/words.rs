//! Words worth looking for.

/// More words than a person types; a pasted page does not make the query longer.
const MAX_STEMS: usize = 32;
/// Shorter beginnings would match half the dictionary.
const MIN_STEM: usize = 4;

/// English words that say nothing about what a text is about.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because", "been",
    "before", "being", "but", "by", "can", "could", "did", "do", "does", "doing", "for", "from", "get", "give", "had",
    "has", "have", "having", "he", "her", "hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its",
    "me", "more", "most", "must", "my", "no", "nor", "not", "of", "on", "or", "our", "ours", "out", "over", "please",
    "shall", "she", "should", "so", "some", "such", "tell", "than", "that", "the", "their", "theirs", "them", "then",
    "there", "these", "they", "this", "those", "to", "under", "until", "up", "us", "was", "we", "were", "what", "when",
    "where", "which", "while", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "yours",
];

/// Beginnings that the words of a question share with their other forms, lower case, each once.
pub fn stems(question: &str) -> Vec<String> {
    let mut stems = Vec::new();
    for word in words(question) {
        let word = word.to_lowercase();
        // A letter alone is what an apostrophe leaves; lower case may hold more than letters, such as a dot above.
        let lone = word.chars().count() == 1 && word.chars().all(|c| c.is_ascii_alphabetic());
        if lone || STOP_WORDS.contains(&word.as_str()) || !word.chars().all(char::is_alphanumeric) {
            continue;
        }
        let stem = stem(&word).to_owned();
        if !stems.contains(&stem) {
            stems.push(stem);
        }
        if stems.len() == MAX_STEMS {
            break;
        }
    }
    stems
}

/// Runs of letters and digits.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

fn stem(word: &str) -> &str {
    let cut = ["ies", "ing", "ly", "ed", "es", "s", "y", "e"]
        .into_iter()
        .filter(|ending| !(*ending == "s" && word.ends_with("ss")))
        .find_map(|ending| word.strip_suffix(ending));
    cut.filter(|stem| stem.chars().count() >= MIN_STEM).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::stems;

    #[test]
    fn a_question_is_what_it_is_about() {
        assert_eq!(
            stems("What is the company's policy on working remotely?"),
            ["compan", "polic", "work", "remote"]
        );
        assert_eq!(stems("policies POLICY"), ["polic"]);
        assert_eq!(stems("what is the"), [""; 0]);
        assert_eq!(stems("Größe 42 pass"), ["größ", "42", "pass"]);
    }

    #[test]
    fn operators_are_no_words() {
        assert_eq!(
            stems("\"boat\" OR NEAR(x y) AND body:* -- ' | & ! 🎉"),
            ["boat", "near", "body"]
        );
        assert_eq!(stems(&"word1 ".repeat(200)), ["word1"]);
        assert_eq!(stems("!?.,;()"), [""; 0]);
    }
}
