//! From values to pixels.

use super::Series;
use std::fmt::Write;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    from: f64,
    to: f64,
}

/// The lowest and the highest value of all series.
pub fn span(series: &[Series], value: impl Fn(&(f64, f64)) -> f64) -> Option<(f64, f64)> {
    let points = series.iter().flat_map(|series| &series.points);
    let values = points.map(value).filter(|value| value.is_finite());
    values.fold(None, |span, value| {
        let (low, high) = span.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

impl Scale {
    /// Spans all values of all series, widened by `margin` of their range on both sides.
    pub fn of(series: &[Series], value: impl Fn(&(f64, f64)) -> f64, from: f64, to: f64, margin: f64) -> Self {
        let (low, high) = span(series, value).unwrap_or((0.0, 1.0));
        let room = if high > low { (high - low) * margin } else { 0.5 };
        Self {
            low: low - room,
            high: high + room,
            from,
            to,
        }
    }

    pub fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    pub fn value(&self, at: f64) -> f64 {
        self.low + (at - self.from) / (self.to - self.from) * (self.high - self.low)
    }
}

/// About `count` round values between `low` and `high`.
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let rough = (high - low) / count as f64;
    if !rough.is_finite() || rough <= 0.0 {
        return Vec::new();
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    (first..)
        .map(|index| index as f64 * step)
        .take_while(|value| *value <= high)
        .collect()
}

pub fn label(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// At most about `2 * columns` points: the lowest and the highest of each stretch, so that no spike is lost.
pub fn thin(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    if points.len() <= columns.max(1) * 2 {
        return points.to_vec();
    }
    let mut thinned = Vec::with_capacity(columns * 2);
    for stretch in points.chunks(points.len().div_ceil(columns)) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (Some(low), Some(high)) = (stretch.iter().min_by(by_value), stretch.iter().max_by(by_value)) else {
            continue;
        };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        thinned.push(*first);
        if first.0 < second.0 {
            thinned.push(*second);
        }
    }
    thinned
}

pub fn path(points: &[(f64, f64)], x: Scale, y: Scale) -> String {
    let mut path = String::with_capacity(points.len() * 14);
    for (index, point) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        // Writing to a string cannot fail.
        let _ = write!(path, "{command}{:.1} {:.1}", x.at(point.0), y.at(point.1));
    }
    path
}

/// The point with the x closest to `value`.
pub fn nearest(points: &[(f64, f64)], value: f64) -> Option<&(f64, f64)> {
    let after = points.partition_point(|point| point.0 < value);
    let around = [after.checked_sub(1), Some(after)];
    let candidates = around.into_iter().flatten().filter_map(|index| points.get(index));
    candidates.min_by(|a, b| (a.0 - value).abs().total_cmp(&(b.0 - value).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.3, 4.2, 5), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(0.0, 5000.0, 8), [0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0]);
        assert!(ticks(1.0, 1.0, 5).is_empty());
    }

    #[test]
    fn thinning_keeps_order_spikes_and_little_else() {
        let mut points: Vec<(f64, f64)> = (0..5000).map(|step| (f64::from(step), 1.0)).collect();
        points[1234].1 = 9.0;
        let thinned = thin(&points, 300);
        assert!(thinned.len() <= 600);
        assert!(thinned.contains(&(1234.0, 9.0)));
        assert!(thinned.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn pixels_and_values_belong_together() {
        let series = [Series {
            name: String::new(),
            line: super::super::Line::First,
            stroke: super::super::Stroke::Solid,
            points: vec![(10.0, 1.0), (20.0, 3.0)],
        }];
        let x = Scale::of(&series, |point| point.0, 50.0, 250.0, 0.0);
        assert_eq!((x.at(10.0), x.at(20.0), x.value(150.0)), (50.0, 250.0, 15.0));
        assert_eq!(nearest(&series[0].points, 14.0), Some(&(10.0, 1.0)));
        assert_eq!(nearest(&series[0].points, 99.0), Some(&(20.0, 3.0)));
    }
}
