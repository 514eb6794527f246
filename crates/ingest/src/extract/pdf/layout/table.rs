//! Table rows, found by what stands side by side.

use super::{Line, is_bullet};

pub(super) enum Piece {
    Line(Line),
    /// Rows with their cells joined by ` | `.
    Table(Vec<String>),
}

/// Takes the tables out of a page's lines and puts them where their first cell stood. A lone bullet joins its item.
pub(super) fn split(lines: Vec<Line>, body: f32) -> Vec<Piece> {
    let mut segments: Vec<Option<Line>> = lines
        .into_iter()
        .flat_map(|line| segments(line, body))
        .map(Some)
        .collect();
    let rows = rows(&segments);
    let mut tables: Vec<(usize, Vec<String>)> = Vec::new();
    let mut run: Vec<&Vec<usize>> = Vec::new();
    let mut runs: Vec<Vec<Vec<usize>>> = Vec::new();
    for row in &rows {
        let apart = run.last().is_some_and(|last| gap(&segments, last, row) > body * 3.0);
        if apart || !is_tabular(&segments, row) {
            end_run(&mut run, &mut runs);
        }
        if is_tabular(&segments, row) {
            run.push(row);
        }
    }
    end_run(&mut run, &mut runs);
    for run in runs {
        let first = run.iter().flatten().min().copied().unwrap_or_default();
        tables.push((first, table(&mut segments, &run)));
    }
    join_bullets(&mut segments, &rows);
    let mut pieces = Vec::new();
    tables.sort_by_key(|(at, _)| *at);
    let mut tables = tables.into_iter().peekable();
    for (at, segment) in segments.into_iter().enumerate() {
        while let Some((_, rows)) = tables.next_if(|(first, _)| *first <= at) {
            pieces.push(Piece::Table(rows));
        }
        pieces.extend(segment.map(Piece::Line));
    }
    pieces.extend(tables.map(|(_, rows)| Piece::Table(rows)));
    pieces
}

fn end_run(run: &mut Vec<&Vec<usize>>, runs: &mut Vec<Vec<Vec<usize>>>) {
    if run.len() >= 2 {
        runs.push(run.iter().map(|row| (*row).clone()).collect());
    }
    run.clear();
}

/// A line cut at gaps that no word space has.
fn segments(line: Line, body: f32) -> Vec<Line> {
    let mut parts = vec![Line::new(line.block)];
    let mut right = f32::MAX;
    for word in line.words {
        let wide = (word.y1 - word.y0).max(body) * 1.1;
        if word.x0 - right > wide {
            parts.push(Line::new(line.block));
        }
        right = word.x1;
        if let Some(part) = parts.last_mut() {
            part.words.push(word);
        }
    }
    parts
}

/// Segment numbers by baseline, top to bottom, each row left to right.
fn rows(segments: &[Option<Line>]) -> Vec<Vec<usize>> {
    let middle = |at: usize| segments[at].as_ref().map_or(0.0, Line::middle);
    let left = |at: usize| segments[at].as_ref().map_or(0.0, Line::x0);
    let height = |at: usize| segments[at].as_ref().map_or(0.0, |line| line.y1() - line.y0());
    let mut order: Vec<usize> = (0..segments.len()).collect();
    order.sort_by(|&a, &b| middle(a).total_cmp(&middle(b)));
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for at in order {
        match rows.last_mut() {
            Some(row) if middle(at) - middle(row[0]) < height(at).min(height(row[0])) * 0.45 => {
                row.push(at);
            }
            _ => rows.push(vec![at]),
        }
    }
    for row in &mut rows {
        row.sort_by(|&a, &b| left(a).total_cmp(&left(b)));
    }
    rows
}

fn cells<'s>(segments: &'s [Option<Line>], row: &[usize]) -> Vec<&'s Line> {
    row.iter().filter_map(|&at| segments[at].as_ref()).collect()
}

fn gap(segments: &[Option<Line>], above: &[usize], below: &[usize]) -> f32 {
    let bottom = cells(segments, above)
        .iter()
        .map(|line| line.y1())
        .fold(f32::MIN, f32::max);
    let top = cells(segments, below)
        .iter()
        .map(|line| line.y0())
        .fold(f32::MAX, f32::min);
    top - bottom
}

/// Short texts side by side: not the lines of two columns of prose, not a bullet with its item.
fn is_tabular(segments: &[Option<Line>], row: &[usize]) -> bool {
    let cells = cells(segments, row);
    if cells.len() < 2 || is_marker(cells[0]) || numbers_a_heading(cells[0], cells[1], cells.len()) {
        return false;
    }
    let chars: usize = cells.iter().map(|cell| cell.chars()).sum();
    let longest = cells.iter().map(|cell| cell.chars()).max().unwrap_or_default();
    let limit = if cells.len() == 2 { 28 } else { 32 };
    // A long description beside short figures is a row too; two long texts are columns.
    chars < limit * cells.len() || cells.len() >= 3 && chars - longest < 16 * (cells.len() - 1)
}

/// A bullet or a number that stands apart from its item.
fn is_marker(line: &Line) -> bool {
    let text = line.text();
    let mut chars = text.chars();
    let lone = matches!((chars.next(), chars.next()), (Some(c), None) if is_bullet(c) || c == '-' || c == '–');
    let number = text.strip_suffix(['.', ')']).is_some_and(|number| {
        !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    lone || number
}

/// The rows of a run, with empty cells where a row leaves a column out. Takes the segments.
fn table(segments: &mut [Option<Line>], run: &[Vec<usize>]) -> Vec<String> {
    let columns = columns(segments, run);
    run.iter()
        .map(|row| {
            let mut cells = vec![String::new(); columns.len()];
            for &at in row {
                let Some(line) = segments[at].take() else {
                    continue;
                };
                let middle = f32::midpoint(line.x0(), line.x1());
                let column = columns
                    .iter()
                    .position(|&(left, right)| middle >= left && middle <= right)
                    .unwrap_or_default();
                if !cells[column].is_empty() {
                    cells[column].push(' ');
                }
                cells[column].push_str(&line.text());
            }
            cells.join(" | ")
        })
        .collect()
}

/// The horizontal extents that the cells leave free of each other.
fn columns(segments: &[Option<Line>], run: &[Vec<usize>]) -> Vec<(f32, f32)> {
    let mut extents: Vec<(f32, f32)> = run
        .iter()
        .flat_map(|row| cells(segments, row))
        .map(|line| (line.x0(), line.x1()))
        .collect();
    extents.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut columns: Vec<(f32, f32)> = Vec::new();
    for (left, right) in extents {
        match columns.last_mut() {
            Some(last) if left < last.1 => last.1 = last.1.max(right),
            _ => columns.push((left, right)),
        }
    }
    columns
}

/// A marker or a heading's number that poppler set apart goes back before the text at its right.
fn join_bullets(segments: &mut [Option<Line>], rows: &[Vec<usize>]) {
    for row in rows {
        let [marker, item] = row[..] else {
            continue;
        };
        let (Some(left), Some(right)) = (&segments[marker], &segments[item]) else {
            continue;
        };
        if !(is_marker(left) || numbers_a_heading(left, right, row.len())) {
            continue;
        }
        let words = segments[marker].take().map(|line| line.words).unwrap_or_default();
        if let Some(item) = &mut segments[item] {
            item.words.splice(0..0, words);
        }
    }
}

/// A section's number with its title: columns stand further apart.
fn numbers_a_heading(number: &Line, title: &Line, cells: usize) -> bool {
    cells == 2 && title.x0() - number.x1() < title.size() * 2.5 && is_section_number(&number.text())
}

/// `3`, `2.2`, `A.1`.
fn is_section_number(text: &str) -> bool {
    let parts = text.trim_end_matches('.').split('.');
    text.len() <= 8
        && parts.clone().all(|part| {
            let letter = part.len() == 1 && part.bytes().all(|b| b.is_ascii_uppercase());
            letter || (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        })
}
