//! The question that one English sentence answers, found by its subject and its verb.
//!
//! Only patterns whose question is grammatical whatever stands in the gaps; a sentence that fits none gets none.

use super::words::{Words, bare};

pub(super) struct Question {
    pub(super) prompt: String,
    /// Goes on after "The section ...".
    pub(super) why: String,
    /// 0 to 8.
    pub(super) score: f32,
}

pub(crate) const STOP_WORDS: [&str; 92] = [
    "a", "an", "the", "and", "or", "but", "of", "to", "in", "on", "at", "by", "for", "from", "with", "within",
    "without", "about", "into", "over", "under", "after", "before", "between", "during", "until", "up", "out", "off",
    "than", "as", "is", "are", "was", "were", "be", "been", "being", "has", "have", "had", "do", "does", "did", "will",
    "would", "can", "could", "may", "might", "must", "shall", "should", "not", "no", "all", "each", "every", "any",
    "some", "most", "more", "other", "new", "this", "that", "these", "those", "which", "who", "whose", "what", "time",
    "place", "while", "their", "there", "they", "them", "its", "your", "our", "only", "also", "both", "such", "same",
    "then", "very", "just", "first", "last",
];

const BE: [&str; 4] = ["is", "are", "was", "were"];
const MODALS: [&str; 6] = ["must", "may", "can", "should", "shall", "will"];
const OTHER_AUXILIARIES: [&str; 7] = ["has", "have", "had", "cannot", "could", "would", "does"];

/// Base forms of verbs whose object answers "what".
const VERBS: [&str; 58] = [
    "provide", "offer", "cover", "contain", "include", "require", "describe", "support", "allow", "review", "receive",
    "pay", "record", "publish", "manage", "lead", "build", "develop", "design", "maintain", "create", "produce",
    "deliver", "measure", "check", "store", "send", "collect", "approve", "sign", "apply", "explain", "define", "list",
    "show", "return", "print", "display", "specify", "control", "set", "use", "enable", "protect", "reduce", "prevent",
    "own", "sell", "serve", "host", "handle", "process", "run", "need", "keep", "take", "cost", "consist",
];

const IRREGULAR: [&str; 22] = [
    "held", "made", "built", "written", "sent", "paid", "sold", "begun", "taken", "given", "set", "kept", "found",
    "known", "drawn", "chosen", "bought", "shown", "met", "done", "left", "worn",
];

const NUMBERS: [&str; 16] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty",
    "thirty", "sixty", "ninety",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const PEOPLE: [&str; 8] = [
    "person", "manager", "employee", "officer", "member", "contact", "engineer", "people",
];

/// Words with which a sentence opens that has its subject later.
const OPENERS: [&str; 34] = [
    "if", "time", "while", "after", "before", "because", "for", "in", "on", "at", "by", "with", "to", "from",
    "although", "though", "until", "unless", "since", "as", "during", "under", "within", "without", "place",
    "whenever", "once", "what", "who", "way", "why", "not", "only", "never",
];

/// A sentence taken apart: everything before the verb, the verb, everything after it without the full stop.
struct Parts<'s> {
    subject: String,
    /// As written in the sentence.
    raw_subject: &'s str,
    verb: &'s str,
    rest: Vec<&'s str>,
}

pub(super) fn of_sentence(sentence: &str, title: &str, words: &Words<'_>) -> Option<Question> {
    let parts = parts(sentence, words)?;
    definition(&parts)
        .or_else(|| passive(&parts))
        .or_else(|| modal(&parts))
        .or_else(|| action(&parts))
        .or_else(|| generic(&parts, title))
}

fn parts<'s>(sentence: &'s str, words: &Words<'_>) -> Option<Parts<'s>> {
    let all: Vec<&str> = sentence.trim_end_matches(['.', '!']).split_whitespace().collect();
    if OPENERS.contains(&bare(all.first()?).to_lowercase().as_str()) {
        return None;
    }
    // A subject of more than eight words makes no question that anyone would ask.
    let at = (1..all.len().min(9)).find(|&at| is_verb(all[at - 1], all[at], at))?;
    let before = &all[..at];
    let clean = |word: &&str| !word.ends_with([',', ';', ':', '.']) && !word.starts_with(['(', '"', '“']);
    let broken = ["who", "which", "that", "if", "time", "because", "whose"];
    if !before.iter().all(clean) || before.iter().any(|word| broken.contains(&word.to_lowercase().as_str())) {
        return None;
    }
    let start = before[0].as_ptr() as usize - sentence.as_ptr() as usize;
    let last = before[at - 1];
    let end = last.as_ptr() as usize - sentence.as_ptr() as usize + last.len();
    let raw_subject = &sentence[start..end];
    Some(Parts {
        subject: words.inside(raw_subject),
        raw_subject,
        verb: all[at],
        rest: all[at + 1..].to_vec(),
    })
}

fn is_verb(before: &str, word: &str, at: usize) -> bool {
    if BE.contains(&word)
        || MODALS.contains(&word)
        || OTHER_AUXILIARIES.contains(&word)
        || matches!(word, "means" | "remains")
    {
        return true;
    }
    let noun_follows = [
        "the", "a", "an", "of", "and", "or", "to", "in", "for", "this", "your", "its", "their",
    ];
    if noun_follows.contains(&before.to_lowercase().as_str()) {
        return false;
    }
    match base_of(word) {
        Some((_, true)) => !before.ends_with('s') || before.ends_with("ss") || before.ends_with("us"),
        // "Employees receive": a plural, or the word is a noun.
        Some((_, false)) => {
            before.ends_with('s') || at == 1 && matches!(before.to_lowercase().as_str(), "people" | "staff")
        }
        None => false,
    }
}

/// The base form of a verb in the present tense, and whether it is the third person singular.
fn base_of(word: &str) -> Option<(&'static str, bool)> {
    VERBS.into_iter().find_map(|base| {
        if word == base {
            return Some((base, false));
        }
        let stem = word.strip_suffix('s')?;
        let is_third = stem == base
            || stem
                .strip_suffix('e')
                .is_some_and(|stem| stem == base && base.ends_with(['s', 'h', 'x']))
            || stem
                .strip_suffix("ie")
                .is_some_and(|stem| base.strip_suffix('y') == Some(stem));
        is_third.then_some((base, true))
    })
}

fn is_participle(word: &str) -> bool {
    word.len() > 3 && word.ends_with("ed") || IRREGULAR.contains(&word)
}

fn is_number(word: &str) -> bool {
    let word = bare(word).to_lowercase();
    word.starts_with(|c: char| c.is_ascii_digit()) || NUMBERS.contains(&word.as_str())
}

fn has_date(words: &[&str]) -> bool {
    words.windows(2).any(|pair| {
        let next = bare(pair[1]).to_lowercase();
        let is_year = next.len() == 4 && next.parse::<u16>().is_ok_and(|year| (1500..2200).contains(&year));
        let is_day = MONTHS.contains(&next.as_str()) && is_number(pair[0]);
        matches!(pair[0], "in" | "on" | "by" | "since" | "from" | "until")
            && (is_year || MONTHS.contains(&next.as_str()))
            || is_day
    })
}

/// "A remote day is a working day on which ..."
fn definition(parts: &Parts<'_>) -> Option<Question> {
    let subject = &parts.subject;
    if parts.raw_subject.split_whitespace().count() > 5 {
        return None;
    }
    let why = format!("says what {subject} {}", parts.verb);
    match (parts.verb, parts.rest.as_slice()) {
        ("means", [_, _, _, ..]) => Some(Question {
            prompt: format!("What does {subject} mean?"),
            why: format!("says what {subject} means"),
            score: 8.0,
        }),
        (verb @ ("is" | "are"), [determiner, _, _, ..])
            if matches!(*determiner, "a" | "an" | "the" | "any" | "one" | "defined" | "those") =>
        {
            let is_person = parts.rest.get(1).is_some_and(|word| PEOPLE.contains(word));
            let asked = if is_person { "Who" } else { "What" };
            Some(Question {
                prompt: format!("{asked} {verb} {subject}?"),
                why,
                score: 7.5,
            })
        }
        _ => None,
    }
}

/// "The council was consulted on 14 January 2026", "Receipts must be submitted within 90 days".
fn passive(parts: &Parts<'_>) -> Option<Question> {
    let Parts {
        subject, verb, rest, ..
    } = parts;
    let question = |prompt: String, what: &str, score: f32| {
        Some(Question {
            prompt,
            why: format!("gives the {what}"),
            score,
        })
    };
    match (*verb, rest.as_slice()) {
        ("is" | "are", ["due", ..]) => question(format!("When {verb} {subject} due?"), "time", 7.0),
        ("was" | "were", [participle, after @ ..]) if is_participle(participle) && has_date(after) => {
            question(format!("When {verb} {subject} {participle}?"), "time", 7.0)
        }
        (modal, ["be", participle, after @ ..]) if MODALS.contains(&modal) && is_participle(participle) => {
            if let Some(unit) = time_limit(after) {
                return question(
                    format!("Within how many {unit} {modal} {subject} be {participle}?"),
                    "time limit",
                    7.0,
                );
            }
            match after.first() {
                Some(&"by" | &"at" | &"with" | &"through" | &"under" | &"as") => {
                    question(format!("How {modal} {subject} be {participle}?"), "way", 6.0)
                }
                Some(&"for") => question(format!("What {modal} {subject} be {participle} for?"), "purpose", 6.0),
                Some(&"in" | &"on") => question(format!("Where {modal} {subject} be {participle}?"), "place", 5.5)
                    .filter(|_| !has_date(after)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The unit of "within 90 days", "within ten working days".
fn time_limit<'s>(words: &[&'s str]) -> Option<&'s str> {
    let at = words.iter().position(|word| *word == "within")?;
    words.get(at + 1).filter(|word| is_number(word))?;
    let unit = |word: &&&str| ["minutes", "hours", "days", "weeks", "months", "years"].contains(&bare(word));
    words[at + 2..].iter().take(2).find(unit).map(|word| bare(word))
}

/// "Employees may work remotely up to three days a week": asks without the part that the answer adds.
fn modal(parts: &Parts<'_>) -> Option<Question> {
    if !MODALS.contains(&parts.verb) && parts.verb != "cannot" {
        return None;
    }
    let (modal, rest) = match (parts.verb, parts.rest.as_slice()) {
        ("cannot", rest) => ("can", rest),
        (verb, ["not", rest @ ..]) => (verb, rest),
        (verb, rest) => (verb, rest),
    };
    let subject = &parts.subject;
    let negated = parts.verb == "cannot" || parts.rest.first() == Some(&"not");
    if modal == "must" && !negated {
        let at = rest
            .windows(2)
            .position(|pair| is_number(pair[0]) && ["days", "weeks", "months", "hours"].contains(&bare(pair[1])))?;
        if rest[at.saturating_sub(1)] == "within" && at >= 3 && clean(&rest[..at - 1]) {
            return Some(Question {
                prompt: format!(
                    "Within how many {} must {subject} {}?",
                    bare(rest[at + 1]),
                    rest[..at - 1].join(" ")
                ),
                why: "gives the time limit".into(),
                score: 7.0,
            });
        }
        let before = rest
            .iter()
            .skip(at + 2)
            .take(2)
            .any(|word| matches!(*word, "before" | "after"));
        return (at >= 2 && before && clean(&rest[..at])).then(|| Question {
            prompt: format!("When must {subject} {}?", rest[..at].join(" ")),
            why: format!("says when {subject} must"),
            score: 7.0,
        });
    }
    if modal == "must" || modal == "will" || modal == "shall" {
        return None;
    }
    let cut = cut_before_detail(rest);
    let asked = &rest[..cut];
    if asked.len() < 2 || asked.len() > 14 || !clean(asked) || cut == rest.len() && !negated {
        return None;
    }
    let initial: String = modal
        .chars()
        .take(1)
        .flat_map(char::to_uppercase)
        .chain(modal.chars().skip(1))
        .collect();
    Some(Question {
        prompt: format!("{initial} {subject} {}?", asked.join(" ")),
        why: if negated {
            "answers no"
        } else {
            "answers with the condition or limit that belongs to it"
        }
        .into(),
        score: 6.5,
    })
}

/// Where the condition, the limit or the reason starts that a question leaves to the answer.
fn cut_before_detail(words: &[&str]) -> usize {
    let starts = |at: usize| {
        let next = words.get(at + 1).copied().unwrap_or_default();
        match words[at] {
            "when" | "if" | "unless" | "because" | "so" | "where" | "until" | "provided" | "without" => true,
            "up" => next == "to",
            "for" | "at" => next == "most" || next == "least" || next == "up" || is_number(next),
            "within" | "after" | "before" => true,
            "of" => next == "up",
            word => word.ends_with([',', ';', ':']),
        }
    };
    match (1..words.len()).find(|&at| starts(at)) {
        // The word with the comma still belongs to the question.
        Some(at) if words[at].ends_with([',', ';', ':']) => at + 1,
        Some(at) => at,
        None => words.len(),
    }
}

fn clean(words: &[&str]) -> bool {
    let (last, before) = words
        .split_last()
        .map_or(("", &[][..]), |(last, before)| (*last, before));
    !before.iter().any(|word| word.contains([',', ';', ':', '(', '"']))
        && !last.contains(['(', '"', ';', ':', ','])
        && !matches!(last, "the" | "a" | "an" | "of" | "and" | "or" | "to" | "in")
}

/// "The company provides a laptop".
fn action(parts: &Parts<'_>) -> Option<Question> {
    let (base, is_third) = base_of(parts.verb)?;
    let helper = if is_third { "does" } else { "do" };
    let Parts { subject, rest, .. } = parts;
    let why = format!("says what {subject} {}", parts.verb);
    let every = rest
        .iter()
        .position(|word| matches!(*word, "every" | "once" | "twice" | "daily" | "weekly"));
    if let Some(at) = every.filter(|&at| at >= 1 && clean(&rest[..at])) {
        return Some(Question {
            prompt: format!("How often {helper} {subject} {base} {}?", rest[..at].join(" ")),
            why: format!("says how often {subject} {} it", parts.verb),
            score: 7.0,
        });
    }
    let prompt = match (base, rest.as_slice()) {
        (_, []) => return None,
        ("take", ["about" | "up" | "at" | "between", ..]) => {
            format!("How long {helper} {subject} take?")
        }
        ("take", [first, ..]) if is_number(first) => format!("How long {helper} {subject} take?"),
        ("take", _) => return None,
        ("cost", _) => format!("How much {helper} {subject} cost?"),
        ("apply", ["to", ..]) => format!("To whom or what {helper} {subject} apply?"),
        ("consist", ["of", ..]) => format!("What {helper} {subject} consist of?"),
        ("set", ["out", ..]) => format!("What {helper} {subject} set out?"),
        ("lead", ["to", ..]) => format!("What {helper} {subject} lead to?"),
        ("apply" | "consist" | "set" | "run" | "serve", _) => return None,
        // "What does X run on" and its like need the preposition, which differs.
        (_, ["to" | "on" | "in" | "at" | "with" | "for" | "by" | "from" | "as", ..]) => return None,
        _ => format!("What {helper} {subject} {base}?"),
    };
    Some(Question {
        prompt,
        why,
        score: 6.0,
    })
}

/// Any other sentence with a clear subject.
fn generic(parts: &Parts<'_>, title: &str) -> Option<Question> {
    let count = parts.raw_subject.split_whitespace().count();
    let content = parts
        .raw_subject
        .split_whitespace()
        .filter(|word| bare(word).chars().count() > 3)
        .count();
    let subject = &parts.subject;
    (count <= 6 && content >= 1 && !parts.raw_subject.starts_with(|c: char| c.is_ascii_digit())).then(|| Question {
        prompt: format!("What does \"{title}\" say about {subject}?"),
        why: format!("makes this statement about {subject}"),
        score: 4.5,
    })
}
