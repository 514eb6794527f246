//! Near duplicates: texts that share most of their neighbouring words, by MinHash.

use std::collections::HashMap;

/// Minimums kept of a text. The estimate's standard error is at most 1 / (2 * sqrt(64)) = 0.06.
const HASHES: usize = 64;
/// Texts that agree on all minimums of one band are compared: 16 bands of 4 find 99 of 100 pairs of similarity 0.75.
const BAND: usize = 4;
/// From this similarity on two texts say nearly the same: one word of about fifteen differs.
pub const NEARLY_THE_SAME: f64 = 0.75;

/// What is kept of a text to compare it with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature([u32; HASHES]);

impl Signature {
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|hash| hash.to_le_bytes()).collect()
    }

    /// `None` for what [`Signature::to_bytes`] did not write.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<4>();
        let hashes: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let hashes = hashes.try_into().ok().filter(|_| rest.is_empty())?;
        Some(Self(hashes))
    }
}

/// The signature of a text. Case, punctuation and white space do not count; the order of words does.
pub fn signature(text: &str) -> Signature {
    let mut least = [u32::MAX; HASHES];
    let mut before = None;
    let mut note = |hash: u64| {
        let mut state = hash;
        for least in &mut least {
            state = mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            // The upper half: the lower bits of the sum move with the words' own hash.
            *least = (*least).min((state >> 32) as u32);
        }
    };
    for word in words(text) {
        let hash = hashed(&word);
        note(mixed(before.map_or(0, |before: u64| before.rotate_left(17)) ^ hash));
        before = Some(hash);
    }
    if let Some(last) = before {
        note(mixed(last.rotate_left(17)));
    }
    Signature(least)
}

/// Which share of their neighbouring words two texts have in common, about: 0 to 1.
pub fn similarity(one: &Signature, other: &Signature) -> f64 {
    let equal = one.0.iter().zip(&other.0).filter(|(one, other)| one == other).count();
    equal as f64 / HASHES as f64
}

/// Groups texts that say nearly the same. Each is compared with the firsts of the groups that came before it, so all of
/// a group are near its first.
#[derive(Debug, Default)]
pub struct Groups {
    firsts: Vec<Signature>,
    bands: HashMap<(usize, [u32; BAND]), Vec<usize>>,
}

impl Groups {
    /// The number of the group that the text belongs to; a new one where it is near no other. Numbers count from 0.
    pub fn add(&mut self, signature: &Signature) -> usize {
        let near = self.candidates(signature).into_iter().map(|group| {
            let alike = similarity(&self.firsts[group], signature);
            (group, alike)
        });
        let best = near.reduce(|best, next| if next.1 > best.1 { next } else { best });
        if let Some((group, _)) = best.filter(|(_, alike)| *alike >= NEARLY_THE_SAME) {
            return group;
        }
        let group = self.firsts.len();
        for key in bands(signature) {
            self.bands.entry(key).or_default().push(group);
        }
        self.firsts.push(signature.clone());
        group
    }

    /// In rising order.
    fn candidates(&self, signature: &Signature) -> Vec<usize> {
        let mut found: Vec<usize> = bands(signature)
            .filter_map(|key| self.bands.get(&key))
            .flatten()
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn bands(signature: &Signature) -> impl Iterator<Item = (usize, [u32; BAND])> {
    let (bands, _) = signature.0.as_chunks::<BAND>();
    bands.iter().copied().enumerate()
}

/// Runs of letters and digits in lower case; each character by itself where a script writes no spaces.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        let alone = writes_no_spaces(c);
        if (alone || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if alone {
            words.push(c.to_string());
        } else if c.is_alphanumeric() {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.into_iter()
}

/// Thai, Lao, Khmer, Burmese, and the scripts of Chinese and Japanese.
fn writes_no_spaces(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && c.is_alphanumeric()
}

/// FNV-1a: signatures are stored, so the hash must never change.
fn hashed(word: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    word.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The finaliser of SplitMix64.
fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use std::collections::HashSet;

    fn alike(one: &str, other: &str) -> f64 {
        similarity(&signature(one), &signature(other))
    }

    /// Text number `seed`: `length` words of a vocabulary of 500.
    fn prose(seed: u64, length: usize) -> Vec<String> {
        let word = |at: usize| format!("w{}", mixed(seed.wrapping_mul(1000).wrapping_add(at as u64)) % 500);
        (0..length).map(word).collect()
    }

    #[test]
    fn case_marks_and_white_space_do_not_count() {
        assert_eq!(alike("What is  a boat? It floats.", "what is a Boat\nit floats"), 1.0);
        assert_eq!(alike("", " "), 1.0);
        assert!(alike("Boats float.", "Stones sink.") < 0.1);
        assert!(alike("dog bites man", "man bites dog") < 0.75);
    }

    #[test]
    fn one_word_more_or_less_is_nearly_the_same() {
        let text = "How many days may I work from abroad? Employees may work up to twenty days a year from abroad.";
        for near in [
            text.replace("twenty", "thirty"),
            text.replace("How many", "So how many"),
            text.replace(" a year", ""),
        ] {
            assert!(alike(text, &near) >= NEARLY_THE_SAME, "{near}: {}", alike(text, &near));
        }
        let other = "How many days off do I get? Employees get thirty days of paid holiday, taken when they like.";
        assert!(alike(text, other) < 0.4);
    }

    #[test]
    fn scripts_without_spaces_are_compared_by_character() {
        let text = "外国から働ける日数は何日ですか。従業員は一年に二十日まで外国で働くことができます。";
        assert!(alike(text, &text.replace("二十日", "三十日")) >= NEARLY_THE_SAME);
        assert!(
            alike(
                text,
                "有給休暇は年に三十日で、いつでも取得できますので上司に相談してください。"
            ) < 0.4
        );
    }

    #[test]
    fn the_estimate_is_close_to_the_share_of_pairs() {
        let pairs = |words: &[String]| -> HashSet<(String, String)> {
            let ends = std::iter::once(String::new()).chain(words.iter().cloned());
            let next = words.iter().cloned().chain([String::new()]);
            ends.zip(next).collect()
        };
        let mut wrong = 0;
        for seed in 0..200 {
            let one = prose(seed, 80);
            let mut other = one.clone();
            for at in 0..(seed as usize % 30) {
                other[at * 2] = format!("x{at}");
            }
            let (left, right) = (pairs(&one), pairs(&other));
            let shared = left.intersection(&right).count() as f64 / left.union(&right).count() as f64;
            let estimate = alike(&one.join(" "), &other.join(" "));
            wrong += usize::from((estimate - shared).abs() > 0.15);
        }
        assert!(wrong <= 4, "{wrong} of 200 are far off");
    }

    #[test]
    fn groups_hold_what_is_near_their_first() {
        let mut groups = Groups::default();
        let texts: Vec<Vec<String>> = (0..300).map(|seed| prose(seed, 60)).collect();
        for (at, text) in texts.iter().enumerate() {
            assert_eq!(groups.add(&signature(&text.join(" "))), at, "a group of its own");
        }
        for (at, text) in texts.iter().enumerate() {
            let mut near = text.clone();
            near[at % 60] = "other".to_owned();
            assert_eq!(groups.add(&signature(&near.join(" "))), at);
        }
    }

    #[test]
    fn a_signature_is_stored_and_read_back() {
        let signature = signature("Boats float because they displace water.");
        assert_eq!(Signature::from_bytes(&signature.to_bytes()).unwrap(), signature);
        assert_eq!(Signature::from_bytes(&[0; 255]), None);
        assert_eq!(Signature::from_bytes(&[0; 260]), None);
    }
}
