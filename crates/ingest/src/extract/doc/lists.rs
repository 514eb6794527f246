//! Which lists count and which have bullets.

use std::ops::Range;

use super::fib::{size, u16_at, u32_at};

#[derive(Default)]
pub(super) struct Lists {
    /// Whether each level counts, by list.
    counted: Vec<(u32, Vec<bool>)>,
    /// The list of each use.
    uses: Vec<u32>,
}

const BULLET: u8 = 23;
const NONE: u8 = 255;
const ENTRY: usize = 28;

impl Lists {
    /// `lists` is where the lists' heads lie; their levels follow right after them in `table`.
    pub(super) fn read(lists: Range<usize>, table: &[u8], uses: &[u8]) -> Self {
        Self {
            counted: counted(lists, table).unwrap_or_default(),
            uses: used(uses).unwrap_or_default(),
        }
    }

    /// What stands before an item. The count itself is not stored: each item says `1.`, as Markdown allows.
    pub(super) fn marker(&self, list_use: u16, level: usize) -> String {
        let list = usize::from(list_use).checked_sub(1).and_then(|at| self.uses.get(at));
        let levels = list.and_then(|id| self.counted.iter().find(|(other, _)| other == id));
        let counts = levels.is_some_and(|(_, levels)| levels.get(level).copied().unwrap_or(false));
        let indent = "  ".repeat(level);
        if counts {
            format!("{indent}1. ")
        } else {
            format!("{indent}- ")
        }
    }
}

fn used(uses: &[u8]) -> Option<Vec<u32>> {
    let count = size(u32_at(uses, 0)?).min(uses.len() / 16);
    (0..count).map(|at| u32_at(uses, 4 + at * 16)).collect()
}

fn counted(range: Range<usize>, table: &[u8]) -> Option<Vec<(u32, Vec<bool>)>> {
    let mut at = range.end;
    let lists = table.get(range)?;
    let count = usize::from(u16_at(lists, 0)?);
    let mut all = Vec::new();
    for list in 0..count {
        let Some(head) = lists.get(2 + list * ENTRY..2 + (list + 1) * ENTRY) else {
            break;
        };
        let levels = if head[26] & 1 == 1 { 1 } else { 9 };
        let mut counts = Vec::new();
        for _ in 0..levels {
            let Some(level) = table.get(at..at + ENTRY) else {
                break;
            };
            counts.push(level[4] != BULLET && level[4] != NONE);
            let text = at + ENTRY + usize::from(level[24]) + usize::from(level[25]);
            let Some(length) = u16_at(table, text) else {
                break;
            };
            at = text + 2 + usize::from(length) * 2;
        }
        all.push((u32_at(head, 0)?, counts));
    }
    Some(all)
}
