//! The head of a DOC file, and the pieces that its text is in.

use std::ops::Range;

use encoding_rs::WINDOWS_1252;

/// Places of the tables' offset and length in the head.
pub(super) const CHARACTERS: usize = 0xfa;
pub(super) const PARAGRAPHS: usize = 0x102;
const PIECES: usize = 0x1a2;
pub(super) const LISTS: usize = 0x2e2;
pub(super) const LIST_USES: usize = 0x2ea;

pub(super) struct Fib {
    head: Vec<u8>,
    pub(super) is_encrypted: bool,
    /// Word 6 or 95.
    pub(super) is_old: bool,
    pub(super) old_text: Range<usize>,
    pub(super) in_first_table: bool,
    pub(super) text_chars: u32,
    pub(super) footnote_chars: u32,
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes([two[0], two[1]]))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

pub(super) fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Fib {
    pub(super) fn read(main: &[u8]) -> Option<Self> {
        let known = [0xa5ec, 0xa5dc, 0xa5db];
        let flags = u16_at(main, 0x0a)?;
        if !known.contains(&u16_at(main, 0)?) {
            return None;
        }
        Some(Self {
            is_encrypted: flags & 0x0100 != 0,
            is_old: u16_at(main, 2)? < 193,
            old_text: size(u32_at(main, 0x18)?)..size(u32_at(main, 0x1c)?),
            in_first_table: flags & 0x0200 != 0,
            text_chars: u32_at(main, 0x4c).unwrap_or(0) & 0x7fff_ffff,
            footnote_chars: u32_at(main, 0x50).unwrap_or(0) & 0x7fff_ffff,
            head: main[..main.len().min(0x400)].to_vec(),
        })
    }

    /// One of the tables that the head points to; empty where there is none.
    pub(super) fn part<'t>(&self, table: &'t [u8], at: usize) -> &'t [u8] {
        table.get(self.range(at)).unwrap_or_default()
    }

    pub(super) fn range(&self, at: usize) -> Range<usize> {
        let start = size(u32_at(&self.head, at).unwrap_or(0));
        start..start.saturating_add(size(u32_at(&self.head, at + 4).unwrap_or(0)))
    }

    /// The text's pieces in reading order.
    pub(super) fn pieces(&self, main: &[u8], table: &[u8]) -> Option<Vec<Piece>> {
        let mut rest = self.part(table, PIECES);
        // Properties come first, each with its length.
        while rest.first() == Some(&1) {
            rest = rest.get(3 + usize::from(u16_at(rest, 1)?)..)?;
        }
        if rest.first() != Some(&2) {
            // A document that was never saved quickly may have none.
            let start = u32_at(main, 0x18)?;
            let chars = u32_at(main, 0x1c)?.checked_sub(start)?;
            return Some(vec![Piece {
                fc: start,
                chars,
                is_wide: false,
            }]);
        }
        let plc = rest.get(5..)?;
        let plc = plc.get(..size(u32_at(rest, 1)?).min(plc.len()))?;
        let count = plc.len().checked_sub(4)? / 12;
        let mut pieces = Vec::with_capacity(count);
        for at in 0..count {
            let (from, to) = (u32_at(plc, at * 4)?, u32_at(plc, at * 4 + 4)?);
            let fc = u32_at(plc, (count + 1) * 4 + at * 8 + 2)?;
            let is_wide = fc & 0x4000_0000 == 0;
            pieces.push(Piece {
                fc: if is_wide { fc } else { (fc & 0x3fff_ffff) / 2 },
                chars: to.checked_sub(from)?,
                is_wide,
            });
        }
        // Overlapping pieces could make a small file a huge text.
        let total: u64 = pieces.iter().map(|piece| u64::from(piece.chars)).sum();
        (total <= main.len() as u64 * 2).then_some(pieces)
    }
}

/// Characters that lie together in the file.
pub(super) struct Piece {
    fc: u32,
    chars: u32,
    is_wide: bool,
}

impl Piece {
    /// Each character with its place in the file. Half of a surrogate pair takes a turn of its own.
    pub(super) fn characters<'m>(&self, main: &'m [u8]) -> Box<dyn Iterator<Item = (u32, char)> + 'm> {
        let width = if self.is_wide { 2 } else { 1 };
        let start = size(self.fc);
        let end = start.saturating_add(size(self.chars) * width).min(main.len());
        let bytes = main.get(start..end).unwrap_or_default();
        let fc = self.fc;
        if !self.is_wide {
            let of = move |(at, byte): (u32, &u8)| (fc + at, single(*byte));
            return Box::new((0..).zip(bytes).map(of));
        }
        let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let mut high = None;
        Box::new((0..).zip(units).map(move |(at, unit): (u32, u16)| {
            let pair = high.take().map(|high| [high, unit]);
            if (0xd800..0xdc00).contains(&unit) {
                high = Some(unit);
                return (fc + at * 2, '\0');
            }
            let units = pair.unwrap_or([unit, 0]);
            let c = char::decode_utf16(units).next().and_then(Result::ok);
            (fc + at * 2, c.unwrap_or(char::REPLACEMENT_CHARACTER))
        }))
    }
}

/// Windows-1252, but control characters, which mean something here.
fn single(byte: u8) -> char {
    if byte < 0x80 {
        return char::from(byte);
    }
    let text = WINDOWS_1252.decode_without_bom_handling(std::slice::from_ref(&byte)).0;
    text.chars().next().unwrap_or('\0')
}
