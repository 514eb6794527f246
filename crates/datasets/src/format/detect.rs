//! The form of a file, told by the shape of its first rows.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde_json::{Map, Value};

use super::{Form, Format, Layout};
use crate::rows::Blocks;

/// So many rows, and bytes of rows, are asked.
const ROWS: usize = 100;
const MAX_BYTES: usize = 8 << 20;

/// What most of the first rows are. Where none has a known shape it is taken for chat rows, whose findings say what is
/// wrong.
///
/// # Errors
/// Only those of `reader`.
pub fn detect(mut reader: impl BufRead) -> io::Result<Form> {
    let layout = layout(&mut reader)?;
    let mut blocks = Blocks::new(reader, layout, MAX_BYTES);
    let mut votes: BTreeMap<Format, usize> = BTreeMap::new();
    let (mut asked, mut bytes) = (0, 0);
    while asked < ROWS && bytes < MAX_BYTES {
        let Some(block) = blocks.next(Vec::new())? else { break };
        for row in block.rows().take(ROWS - asked) {
            asked += 1;
            bytes += row.content.len();
            if let Some(format) = serde_json::from_slice(row.content).ok().as_ref().and_then(format_of) {
                *votes.entry(format).or_default() += 1;
            }
        }
    }
    // Of equals, the first in the order of formats.
    let most = votes.into_iter().rev().max_by_key(|(_, votes)| *votes);
    Ok(Form {
        format: most.map_or(Format::Chat, |(format, _)| format),
        layout,
    })
}

/// Looks at the first byte that is neither mark nor space, and consumes what stands before it.
fn layout(reader: &mut impl BufRead) -> io::Result<Layout> {
    loop {
        let some = reader.fill_buf()?;
        let first = some
            .iter()
            .position(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
        let (skipped, found) = match first {
            Some(at) => (at, some.get(at).copied()),
            None => (some.len(), None),
        };
        reader.consume(skipped);
        match found {
            Some(b'[') => return Ok(Layout::List),
            Some(_) => return Ok(Layout::Lines),
            None if skipped == 0 => return Ok(Layout::Lines),
            None => {}
        }
    }
}

/// The format that an object has all members of.
pub(crate) fn format_of(row: &Map<String, Value>) -> Option<Format> {
    // Pairs of answers may hold `messages` as well.
    const ORDER: [Format; 7] = [
        Format::OpenaiPreference,
        Format::Preference,
        Format::Chat,
        Format::Sharegpt,
        Format::Alpaca,
        Format::PromptCompletion,
        Format::Text,
    ];
    let fits = |format: &Format| format.members().iter().all(|member| row.contains_key(*member));
    ORDER.into_iter().find(fits)
}
