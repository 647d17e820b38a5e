//! Small lines through time: as SVG for the page, as Unicode blocks for mail.
//!
//! Many points become few by keeping the highest of each stretch: a short peak
//! is what the reader looks for.

use std::fmt::Write as _;

use crate::fact::{Trend, Unit};
use crate::{amount, time};

/// Width of the drawing in its own units.
pub const WIDTH: u32 = 120;
/// Height of the drawing in its own units.
pub const HEIGHT: u32 = 28;

const COLUMNS: usize = 48;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// At most `columns` points, each the highest of its stretch; a stretch without
/// any value is NaN.
#[must_use]
pub fn thin(points: &[f64], columns: usize) -> Vec<f64> {
    let count = points.len().min(columns);
    (0..count)
        .map(|column| {
            let stretch =
                &points[column * points.len() / count..(column + 1) * points.len() / count];
            stretch.iter().copied().fold(f64::NAN, f64::max)
        })
        .collect()
}

/// The `d` of an SVG path in a box of [`WIDTH`] by [`HEIGHT`]; empty if there
/// are fewer than two values. A gap in the values is a gap in the line.
#[must_use]
pub fn path(trend: &Trend) -> String {
    let points = thin(&trend.points, COLUMNS);
    if points.iter().filter(|value| value.is_finite()).count() < 2 {
        return String::new();
    }
    let (bottom, top) = scale(trend);
    let step = f64::from(WIDTH) / (points.len() - 1) as f64;
    let heights: Vec<Option<String>> = points
        .iter()
        .map(|value| value.is_finite().then(|| height_of(*value, bottom, top)))
        .collect();
    let mut out = String::new();
    for (column, height) in heights.iter().enumerate() {
        let before = column.checked_sub(1).and_then(|at| heights[at].as_ref());
        let after = heights.get(column + 1).and_then(Option::as_ref);
        let Some(height) = height else { continue };
        // The middle of a level stretch says nothing.
        if before != Some(height) || after != Some(height) {
            let letter = if before.is_some() { 'L' } else { 'M' };
            let _ = write!(out, "{letter}{:.0} {height}", column as f64 * step);
        }
    }
    out
}

/// Where the limit is drawn, from above, in the box of [`path`].
#[must_use]
pub fn limit(trend: &Trend) -> Option<String> {
    let (bottom, top) = scale(trend);
    let limit = trend.limit.filter(|limit| limit.is_finite())?;
    Some(height_of(limit, bottom, top))
}

/// A line of at most `columns` blocks; a gap is a space, no values are nothing.
#[must_use]
pub fn blocks(trend: &Trend, columns: usize) -> String {
    let (bottom, top) = scale(trend);
    let line: String = thin(&trend.points, columns)
        .into_iter()
        .map(|value| {
            if !value.is_finite() {
                return ' ';
            }
            let share = (value - bottom) / (top - bottom);
            BLOCKS[((share * 8.0) as usize).min(7)]
        })
        .collect();
    if line.trim().is_empty() {
        String::new()
    } else {
        line
    }
}

/// A few of the points with their times, newest first, for those who cannot
/// see the line.
#[must_use]
pub fn samples(trend: &Trend, rows: usize) -> Vec<(i64, f64)> {
    let count = trend.points.len();
    let stride = count.div_ceil(rows.max(1)).max(1);
    (0..count)
        .rev()
        .step_by(stride)
        .map(|index| {
            (
                trend.end_ms - (count - 1 - index) as i64 * trend.step_ms,
                trend.points[index],
            )
        })
        .filter(|(_, value)| value.is_finite())
        .collect()
}

/// How much time the points stand for: `3 h`.
#[must_use]
pub fn span(trend: &Trend) -> String {
    let span = time::duration(trend.points.len() as i64 * trend.step_ms);
    span.strip_suffix(" 00").unwrap_or(&span).into()
}

/// A share is drawn against the whole, unless it is so small that the line
/// would lie on the ground; all else against its own highest value.
fn scale(trend: &Trend) -> (f64, f64) {
    let values = || {
        trend
            .points
            .iter()
            .copied()
            .chain(trend.limit)
            .filter(|value| value.is_finite())
    };
    let bottom = values().fold(0.0, f64::min);
    let top = values().fold(0.0, f64::max);
    let top = match trend.unit {
        Unit::Ratio if top > 0.25 => top.max(1.0),
        Unit::Ratio => 0.25,
        _ => top,
    };
    (bottom, if top > bottom { top } else { bottom + 1.0 })
}

fn height_of(value: f64, bottom: f64, top: f64) -> String {
    // One unit is kept free above and below, so that the stroke is not cut.
    let room = f64::from(HEIGHT) - 2.0;
    amount::tenths(1.0 + room * (1.0 - (value - bottom) / (top - bottom)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(points: &[f64]) -> Trend {
        Trend {
            points: points.into(),
            end_ms: 100_000,
            step_ms: 1000,
            ..Trend::default()
        }
    }

    #[test]
    fn a_peak_survives_thinning() {
        let mut points = vec![1.0; 720];
        points[333] = 9.0;
        let few = thin(&points, 48);
        assert_eq!(few.len(), 48);
        assert_eq!(few.iter().filter(|value| **value == 9.0).count(), 1);
        assert_eq!(thin(&[1.0, 2.0], 48), [1.0, 2.0]);
        assert!(thin(&[], 48).is_empty());
    }

    #[test]
    fn blocks_rise_with_the_value_and_show_gaps() {
        assert_eq!(blocks(&trend(&[0.0, 2.0, 4.0, 8.0]), 8), "▁▃▅█");
        assert_eq!(blocks(&trend(&[0.0, f64::NAN, 8.0]), 8), "▁ █");
        assert_eq!(blocks(&trend(&[0.0, 0.0]), 8), "▁▁");
        assert_eq!(blocks(&trend(&[f64::NAN]), 8), "");
        assert_eq!(blocks(&trend(&[-1.0, 1.0]), 8), "▁█");
    }

    #[test]
    fn a_share_is_drawn_against_the_whole() {
        let mut half = trend(&[0.5, 0.5]);
        half.unit = Unit::Ratio;
        assert_eq!(path(&half), "M0 14L120 14");
        half.limit = Some(0.75);
        assert_eq!(limit(&half).as_deref(), Some("7.5"));
    }

    #[test]
    fn a_gap_breaks_the_line_and_one_value_is_no_line() {
        assert_eq!(path(&trend(&[0.0, 1.0, f64::NAN, 1.0])), "M0 27L40 1M120 1");
        assert_eq!(path(&trend(&[1.0, 1.0, 1.0, 0.0])), "M0 1L80 1L120 27");
        assert_eq!(path(&trend(&[1.0])), "");
        assert_eq!(path(&trend(&[])), "");
    }

    #[test]
    fn samples_go_back_from_the_newest() {
        let all: Vec<f64> = (0..100).map(f64::from).collect();
        let few = samples(&trend(&all), 4);
        assert_eq!(
            few,
            [
                (100_000, 99.0),
                (75_000, 74.0),
                (50_000, 49.0),
                (25_000, 24.0)
            ]
        );
        assert_eq!(span(&trend(&all)), "1 min");
        assert!(samples(&trend(&[]), 4).is_empty());
    }
}
