//! Near duplicates: texts that share most of their neighbouring words, by MinHash.

use crate::split::mixed;

/// Minimums kept of a text. The estimate's standard error is at most about 1 / (2 * sqrt(64)) = 0.06.
const HASHES: usize = 64;
/// How many of them a pair of neighbouring words may change. With fewer, short texts leave more places empty.
const PLACES: usize = 8;
/// Texts that agree on all minimums of one band are compared: 16 bands of 4 find 99 of 100 pairs of similarity 0.75.
const BAND: usize = 4;
const BANDS: usize = HASHES / BAND;
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
///
/// One permutation hashing: each pair of neighbouring words goes to some of the places, and each place keeps the least hash
/// that came to it.
pub fn signature(text: &str) -> Signature {
    let mut least = [u32::MAX; HASHES];
    let mut before = None;
    let mut note = |hash: u64| {
        let mut state = hash;
        for _ in 0..PLACES {
            state = mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            let place = &mut least[(state >> (64 - HASHES.ilog2())) as usize];
            *place = (*place).min(state as u32);
        }
    };
    each_word(text, |hash| {
        note(mixed(before.map_or(0, |before: u64| before.rotate_left(17)) ^ hash));
        before = Some(hash);
    });
    if let Some(last) = before {
        note(mixed(last.rotate_left(17)));
    }
    fill(&mut least);
    Signature(least)
}

/// Places that nothing came to, as in a short text, take what another place has: the same one in all texts, unless that is
/// empty, too.
fn fill(least: &mut [u32; HASHES]) {
    let found = *least;
    if found.iter().all(|hash| *hash == u32::MAX) {
        return;
    }
    for (at, place) in least.iter_mut().enumerate() {
        let mut state = at as u64;
        while *place == u32::MAX {
            state = mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            *place = found[(state >> (64 - HASHES.ilog2())) as usize];
        }
    }
}

/// Which share of their neighbouring words two texts have in common, about: 0 to 1.
pub fn similarity(one: &Signature, other: &Signature) -> f64 {
    let equal = one.0.iter().zip(&other.0).filter(|(one, other)| one == other).count();
    equal as f64 / HASHES as f64
}

/// What is kept of a signature to compare it: halves, of which one in 65,536 agrees by chance.
type Halves = [u16; HASHES];

fn halves(signature: &Signature) -> Halves {
    signature.0.map(|hash| hash as u16)
}

/// Groups texts that say nearly the same. Each is compared with the firsts of the groups that came before it, so all of
/// a group are near its first. Takes about 300 bytes for each group, and at most [`MOST_COMPARED`] comparisons for each text.
#[derive(Debug, Default)]
pub struct Groups {
    firsts: Vec<Halves>,
    /// The last group with the hash of a band in each place, counted from 1.
    heads: Vec<u32>,
    /// The group before it in the same place, for each band.
    before: Vec<[u32; BANDS]>,
}

/// So many texts, the newest, are looked at for each band: many that share a part and no more cannot cost more than this.
const MOST_IN_BAND: usize = 64;
const REMEMBERED: usize = 512;
pub const MOST_COMPARED: usize = MOST_IN_BAND * BANDS;

impl Groups {
    pub fn len(&self) -> usize {
        self.firsts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.firsts.is_empty()
    }

    /// The group that the text is nearest to, if it is near any. Numbers count from 0.
    pub fn find(&self, signature: &Signature) -> Option<usize> {
        let halves = halves(signature);
        let mut best = (0, usize::MAX);
        // Who shares one band often shares others: nobody is compared twice, as long as these remember.
        let mut compared = [usize::MAX; REMEMBERED];
        for band in 0..BANDS {
            let place = self.place(&halves, band)?;
            let mut group = self.heads[place] as usize;
            for _ in 0..MOST_IN_BAND {
                let Some(at) = group.checked_sub(1) else { break };
                group = self.before[at][band] as usize;
                if std::mem::replace(&mut compared[at % REMEMBERED], at) == at {
                    continue;
                }
                let equal = self.firsts[at]
                    .iter()
                    .zip(&halves)
                    .filter(|(one, other)| one == other)
                    .count();
                // Of equals the oldest.
                if equal > best.0 || (equal == best.0 && at < best.1) {
                    best = (equal, at);
                }
            }
        }
        (best.0 as f64 >= NEARLY_THE_SAME * HASHES as f64).then_some(best.1)
    }

    /// The number of the group that the text belongs to; a new one where it is near no other.
    pub fn add(&mut self, signature: &Signature) -> usize {
        if let Some(group) = self.find(signature) {
            return group;
        }
        let group = self.firsts.len();
        self.firsts.push(halves(signature));
        self.before.push([0; BANDS]);
        if self.heads.len() < self.firsts.len() * BANDS {
            self.heads = vec![0; (self.firsts.len() * BANDS).next_power_of_two()];
            (0..=group).for_each(|group| self.link(group));
        } else {
            self.link(group);
        }
        group
    }

    fn link(&mut self, group: usize) {
        for band in 0..BANDS {
            if let Some(place) = self.place(&self.firsts[group], band) {
                let head = u32::try_from(group + 1).unwrap_or(0);
                self.before[group][band] = std::mem::replace(&mut self.heads[place], head);
            }
        }
    }

    /// Where texts with this band are found; some others are there, too. Each band has places of its own.
    fn place(&self, halves: &Halves, band: usize) -> Option<usize> {
        let (bands, _) = halves.as_chunks::<BAND>();
        let together = |hash: u64, half: &u16| (hash << 16) | u64::from(*half);
        let hash = mixed(bands[band].iter().fold(0, together));
        let places = self.heads.len() / BANDS;
        Some(band * places + (hash as usize).checked_rem(places)?)
    }
}

/// Hashes runs of letters and digits in lower case; each character by itself where a script writes no spaces.
fn each_word(text: &str, mut tell: impl FnMut(u64)) {
    let mut word = None;
    let mut note = |c: char, mut tell: &mut dyn FnMut(u64)| {
        let alone = writes_no_spaces(c);
        if alone || !c.is_alphanumeric() {
            word.take().into_iter().for_each(&mut tell);
        }
        if alone {
            tell(hashed(EMPTY, c));
        } else if c.is_alphanumeric() {
            word = Some(hashed(word.unwrap_or(EMPTY), c));
        }
    };
    for c in text.chars() {
        if c.is_ascii() {
            note(c.to_ascii_lowercase(), &mut tell);
        } else {
            c.to_lowercase().for_each(|c| note(c, &mut tell));
        }
    }
    word.into_iter().for_each(tell);
}

/// Thai, Lao, Khmer, Burmese, and the scripts of Chinese and Japanese.
fn writes_no_spaces(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && c.is_alphanumeric()
}

/// Of no character.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a with one character more: signatures are stored, so the hash must never change.
fn hashed(hash: u64, c: char) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    c.encode_utf8(&mut [0; 4]).bytes().fold(hash, step)
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
