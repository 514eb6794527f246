//! Columns in reading order.

use super::Line;

/// A column narrower than this part of the text's width is none.
const EDGE: f32 = 0.2;
/// Points between places that are looked at for a gutter.
const STEP: f32 = 2.0;
/// How wide a gutter must be, in points.
const GUTTER: f32 = 6.0;
/// Lines of prose have so many characters on average; cells of tables have fewer.
const PROSE: usize = 18;
const MAX_DEPTH: usize = 4;

/// The parts of a page in the order in which they are read: columns from left to right, what goes across them in its place.
/// The lines of each part go from top to bottom.
pub(super) fn parts(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut parts = Vec::new();
    split(lines, 0, &mut parts);
    parts.retain(|part| !part.is_empty());
    for part in &mut parts {
        if !has_columns_left(part) {
            from_top(part);
        }
    }
    parts
}

fn split(lines: Vec<Line>, depth: usize, parts: &mut Vec<Vec<Line>>) {
    let gutter = if depth < MAX_DEPTH { gutter(&lines) } else { None };
    let Some(gutter) = gutter else {
        parts.push(lines);
        return;
    };
    let mut lines = lines;
    from_top(&mut lines);
    let (mut left, mut right, mut across) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        if side(&line, gutter).is_none() {
            flush(&mut left, depth, parts);
            flush(&mut right, depth, parts);
            across.push(line);
            continue;
        }
        flush(&mut across, depth, parts);
        match side(&line, gutter) {
            Some(true) => left.push(line),
            _ => right.push(line),
        }
    }
    for rest in [&mut left, &mut right, &mut across] {
        flush(rest, depth, parts);
    }
}

fn flush(lines: &mut Vec<Line>, depth: usize, parts: &mut Vec<Vec<Line>>) {
    if !lines.is_empty() {
        split(std::mem::take(lines), depth + 1, parts);
    }
}

/// Left of a place (true), right of it (false), or across.
fn side(line: &Line, at: f32) -> Option<bool> {
    if line.x1() <= at {
        Some(true)
    } else if line.x0() >= at {
        Some(false)
    } else {
        None
    }
}

/// The middle of the place that the fewest lines go across, if what stands at its sides is prose.
fn gutter(lines: &[Line]) -> Option<f32> {
    if lines.len() < 8 {
        return None;
    }
    let left = lines.iter().map(Line::x0).fold(f32::MAX, f32::min);
    let right = lines.iter().map(Line::x1).fold(f32::MIN, f32::max);
    let width = right - left;
    let extents: Vec<(f32, f32)> = lines.iter().map(|line| (line.x0(), line.x1())).collect();
    // The runs of places that equally few lines go across: how many, from, to.
    let mut best: Option<(usize, f32, f32)> = None;
    let mut run: Option<(usize, f32, f32)> = None;
    let mut at = left + width * EDGE;
    while at <= right - width * EDGE {
        let across = extents.iter().filter(|(x0, x1)| *x0 < at && *x1 > at).count();
        run = match run {
            Some((same, from, _)) if same == across => Some((same, from, at)),
            _ => Some((across, at, at)),
        };
        let wider = |a: (usize, f32, f32), b: (usize, f32, f32)| a.0 < b.0 || a.0 == b.0 && a.2 - a.1 > b.2 - b.1;
        if let Some(run) = run
            && run.2 - run.1 >= GUTTER - STEP
            && best.is_none_or(|best| wider(run, best))
        {
            best = Some(run);
        }
        at += STEP;
    }
    let (across, from, to) = best?;
    let middle = f32::midpoint(from, to);
    let of = |wanted: bool| lines.iter().filter(move |line| side(line, middle) == Some(wanted));
    let is_prose = |wanted: bool| {
        let count = of(wanted).count();
        count >= 4 && of(wanted).map(Line::chars).sum::<usize>() >= count * PROSE
    };
    (across * 2 <= lines.len() && is_prose(true) && is_prose(false)).then_some(middle)
}

/// Whether long lines stand side by side: columns that no gutter was found for, whose order is the tool's to know.
fn has_columns_left(lines: &[Line]) -> bool {
    let long: Vec<&Line> = lines.iter().filter(|line| line.chars() >= 25).collect();
    let beside = |a: &Line, b: &Line| (a.middle() - b.middle()).abs() < 2.0 && (a.x1() <= b.x0() || b.x1() <= a.x0());
    let pairs = long
        .iter()
        .enumerate()
        .filter(|(at, a)| long[at + 1..].iter().any(|b| beside(a, b)));
    pairs.take(3).count() == 3
}

/// From top to bottom, and on one line from left to right.
fn from_top(lines: &mut Vec<Line>) {
    lines.sort_by(|a, b| a.middle().total_cmp(&b.middle()));
    let mut rows: Vec<Vec<Line>> = Vec::new();
    for line in lines.drain(..) {
        match rows.last_mut() {
            Some(row) if shares_row(&row[0], &line) => row.push(line),
            _ => rows.push(vec![line]),
        }
    }
    for mut row in rows {
        row.sort_by(|a, b| a.x0().total_cmp(&b.x0()));
        lines.extend(row);
    }
}

fn shares_row(first: &Line, line: &Line) -> bool {
    let height = (first.y1() - first.y0()).min(line.y1() - line.y0());
    line.middle() - first.middle() < height * 0.45
}

#[cfg(test)]
mod tests {
    use super::super::Word;
    use super::*;

    fn line(x0: f32, x1: f32, y: f32, text: &str) -> Line {
        let mut line = Line::new(0);
        line.words.push(Word {
            x0,
            x1,
            y0: y,
            y1: y + 10.0,
            text: text.to_owned(),
        });
        line
    }

    #[test]
    fn columns_are_read_one_after_the_other_below_what_goes_across() {
        let mut lines = vec![line(100.0, 500.0, 20.0, "A title that goes across both")];
        for at in 0..6 {
            let y = 50.0 + at as f32 * 12.0;
            lines.push(line(310.0, 550.0, y, &format!("right column, line number {at}")));
            lines.push(line(50.0, 290.0, y + 1.0, &format!("left column, line number {at}")));
        }
        lines.push(line(60.0, 540.0, 140.0, "A note below that goes across both"));
        let parts = parts(lines);
        let texts: Vec<Vec<String>> = parts.iter().map(|part| part.iter().map(Line::text).collect()).collect();
        assert_eq!(texts.len(), 4, "{texts:?}");
        assert!(texts[0][0].starts_with("A title") && texts[3][0].starts_with("A note"));
        assert!(texts[1].iter().all(|text| text.starts_with("left")) && texts[1][5].ends_with('5'));
        assert!(texts[2].iter().all(|text| text.starts_with("right")) && texts[2][0].ends_with('0'));
    }

    #[test]
    fn tables_are_not_taken_apart() {
        let rows = (0..9).flat_map(|at| {
            let y = 50.0 + at as f32 * 12.0;
            [
                line(50.0, 120.0, y, "Engineering"),
                line(200.0, 260.0, y, "3 days"),
                line(400.0, 480.0, y, "Manager"),
            ]
        });
        let parts = parts(rows.collect());
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0][1].text(), "3 days");
    }
}
