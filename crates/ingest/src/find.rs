//! Finding words in a text.

/// Where `query` stands in `text`, in characters: capitals and small letters are one, and so are all runs of white space.
/// No two matches overlap; at most `limit` of them. Linear.
pub fn find(text: &str, query: &str, limit: usize) -> Vec<(usize, usize)> {
    let wanted = folded(query.trim()).0;
    if wanted.is_empty() {
        return Vec::new();
    }
    let (folded, origins) = folded(text);
    let mut found = Vec::new();
    let (mut byte, mut at) = (0, 0);
    for (start, _) in folded.match_indices(&wanted).take(limit) {
        at += folded[byte..start].chars().count();
        byte = start;
        let length = wanted.chars().count();
        let (first, last) = (origins[at], origins[at + length - 1]);
        found.push((first, last + 1));
    }
    found
}

/// The text as it is compared, and for each of its characters the one of `text` that it comes from.
fn folded(text: &str) -> (String, Vec<usize>) {
    let mut folded = String::with_capacity(text.len());
    let mut origins = Vec::with_capacity(text.len());
    let mut after_space = false;
    for (at, c) in text.chars().enumerate() {
        if c.is_whitespace() {
            if !after_space {
                folded.push(' ');
                origins.push(at);
            }
            after_space = true;
            continue;
        }
        after_space = false;
        for lower in c.to_lowercase() {
            folded.push(lower);
            origins.push(at);
        }
    }
    (folded, origins)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn case_and_white_space_do_not_matter() {
        let text = "Größe der Kiste.\n\nDie  GRÖSSE\n der kiste: İstanbul";
        assert_eq!(find(text, " größe   der ", 9), [(0, 9)]);
        assert_eq!(find(text, "DER KISTE", 9), [(6, 15), (31, 40)]);
        assert_eq!(find(text, "kiste", 1), [(10, 15)]);
        assert_eq!(find(text, "stanbul", 9), [(43, 50)]);
        assert_eq!(find(text, "  ", 9), []);
        assert_eq!(find("aaaa", "aa", 9), [(0, 2), (2, 4)]);
        assert_eq!(find("", "a", 9), []);
    }
}
