//! Running heads and page numbers, which belong to the paper and not to the text.

use std::collections::HashMap;

use super::{Line, PdfPage};

/// The part of a page's height, at the top and at the bottom, in which they are looked for.
const MARGIN: f32 = 0.09;

pub(super) fn remove(pages: &mut [PdfPage]) {
    let mut seen: HashMap<(bool, String), usize> = HashMap::new();
    for page in pages.iter() {
        let mut on_page: Vec<_> = page
            .lines
            .iter()
            .filter_map(|line| Some((zone(line, page.height)?, shape(line))))
            .collect();
        on_page.sort();
        on_page.dedup();
        for place in on_page {
            *seen.entry(place).or_insert(0) += 1;
        }
    }
    let repeats = |count: usize| pages.len() >= 2 && count >= 2 && count * 2 >= pages.len();
    let repeated: std::collections::HashSet<_> = seen
        .into_iter()
        .filter(|&(_, count)| repeats(count))
        .map(|(place, _)| place)
        .collect();
    for page in pages {
        let height = page.height;
        page.lines.retain(|line| match zone(line, height) {
            Some(at_top) => !repeated.contains(&(at_top, shape(line))) && !is_page_number(line),
            None => true,
        });
    }
}

/// Whether the line stands in the top margin (true), the bottom margin (false) or neither.
fn zone(line: &Line, height: f32) -> Option<bool> {
    if line.y1() < height * MARGIN {
        Some(true)
    } else if line.y0() > height * (1.0 - MARGIN) {
        Some(false)
    } else {
        None
    }
}

/// The text with numbers taken out: "Page 3 of 9" is the same on every page.
fn shape(line: &Line) -> String {
    let mut shape = String::new();
    for c in line.text().chars() {
        match c {
            c if c.is_numeric() => {
                if !shape.ends_with('#') {
                    shape.push('#');
                }
            }
            c => shape.push(c),
        }
    }
    shape
}

fn is_page_number(line: &Line) -> bool {
    let shape = shape(line).to_lowercase();
    let shape = shape.trim_matches(|c: char| !c.is_alphanumeric() && c != '#');
    matches!(
        shape,
        "#" | "page #" | "page # of #" | "# of #" | "# / #" | "#/#" | "seite #" | "seite # von #" | "p. #"
    ) || matches!(shape.trim_matches(['i', 'v', 'x']), "") && !shape.is_empty()
}
