//! Lines as an SVG: only the lines and the grid. It is stretched to the place there
//! is, so the words at its sides are text of the page and keep their size.

use std::fmt::Write as _;

use jiff::Timestamp;

/// One series.
pub(super) struct Line {
    /// Times in milliseconds and values, in order.
    pub(super) points: Vec<(i64, f64)>,
}

/// Units of the picture. It is stretched, so they are nobody's pixels.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 400.0;

/// About so many lines does the grid have.
const TICKS: f64 = 4.0;

/// What the picture reaches over upwards: its ends, and the step of the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) step: f64,
}

impl Scale {
    /// One that has all values between two lines of its grid; none without numbers.
    pub(super) fn of(lines: &[Line]) -> Option<Self> {
        let values = lines.iter().flat_map(|line| &line.points);
        let numbers = values
            .map(|point| point.1)
            .filter(|value| value.is_finite());
        let (low, high) = numbers.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return None;
        }
        // A line that is level lies in the middle.
        let (low, high) = match high - low > low.abs().max(high.abs()) * 1e-9 {
            true => (low, high),
            false if low == 0.0 => (0.0, 1.0),
            false => (low - low.abs() * 0.5, high + high.abs() * 0.5),
        };
        let rough = (high / TICKS - low / TICKS).max(f64::MIN_POSITIVE);
        let ten = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|of| of * ten)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let scale = Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            step,
        };
        (scale.high - scale.low).is_finite().then_some(scale)
    }

    /// The lines of the grid, from below.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step)
            .round()
            .clamp(1.0, 20.0) as u32;
        (0..=count)
            .map(|at| self.low + f64::from(at) * self.step)
            .collect()
    }

    /// How far up a value lies, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// A value of the grid, short: `2.5k`.
    pub(super) fn word(&self, value: f64) -> String {
        const UNITS: [(f64, &str); 5] =
            [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
        let most = self.low.abs().max(self.high.abs());
        if value == 0.0 {
            return "0".into();
        }
        if !(1e-4..1e16).contains(&most) {
            return format!("{value:.1e}");
        }
        let (unit, name) = UNITS
            .into_iter()
            .find(|(unit, _)| most >= *unit)
            .unwrap_or((1.0, ""));
        let digits = (-(self.step / unit).log10().floor()).clamp(0.0, 9.0) as usize;
        format!("{:.digits$}{name}", value / unit)
    }
}

/// The picture of lines between two times.
pub(super) fn svg(lines: &[Line], scale: &Scale, (start, end): (i64, i64)) -> String {
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"the values over time; the table has those at the end\">\n<path class=\"grid\" d=\""
    );
    for tick in scale.ticks() {
        let _ = write!(out, "M0 {:.1}H{WIDTH}", up(scale, tick));
    }
    for quarter in 0..=4 {
        let _ = write!(out, "M{} 0V{HEIGHT}", f64::from(quarter) * WIDTH / 4.0);
    }
    out.push_str("\"/>\n");
    for (at, line) in lines.iter().enumerate().rev() {
        let _ = write!(out, "<path class=\"l{}\" d=\"", at % COLOURS);
        path(&mut out, &line.points, scale, (start, end));
        out.push_str("\"/>\n");
    }
    out.push_str("</svg>");
    out
}

/// So many colours are there for lines.
pub(super) const COLOURS: usize = 8;

fn up(scale: &Scale, value: f64) -> f64 {
    HEIGHT * (1.0 - scale.share(value))
}

/// The strokes of a line. Where nothing was, or no number, it is broken off; a value
/// with no neighbour is a dot.
fn path(out: &mut String, points: &[(i64, f64)], scale: &Scale, (start, end): (i64, i64)) {
    let span = (end - start).max(1) as f64;
    let gap = gap(points);
    let mut last: Option<i64> = None;
    for (time, value) in points {
        // A sample may lie ages from the ends of the picture.
        let x = time.saturating_sub(start) as f64 / span * WIDTH;
        if !value.is_finite() || !(0.0..=WIDTH).contains(&x) {
            last = None;
            continue;
        }
        let y = up(scale, *value);
        match last {
            Some(before) if time.saturating_sub(before) <= gap => {
                let _ = write!(out, "L{x:.1} {y:.1}");
            }
            // Nothing would be seen of a move alone.
            _ => {
                let _ = write!(out, "M{x:.1} {y:.1}h0");
            }
        }
        last = Some(*time);
    }
}

/// Neighbours that are further apart have a gap between them.
fn gap(points: &[(i64, f64)]) -> i64 {
    let steps = points
        .windows(2)
        .map(|pair| pair[1].0.saturating_sub(pair[0].0));
    let mut steps: Vec<i64> = steps.collect();
    steps.sort_unstable();
    steps
        .get(steps.len() / 2)
        .map_or(0, |usual| usual.saturating_add(usual / 2))
}

/// Five times from the start to the end, as short as the range allows, in UTC.
pub(super) fn times((start, end): (i64, i64)) -> [String; 5] {
    const DAY: i64 = 86_400_000;
    let form = match end - start {
        range if range <= 600_000 => "%H:%M:%S",
        range if range <= DAY => "%H:%M",
        _ => "%d %b",
    };
    std::array::from_fn(|at| {
        let time = start + (end - start) / 4 * at as i64;
        Timestamp::from_millisecond(time)
            .map(|time| time.strftime(form).to_string())
            .unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> Line {
        let points = values.iter().enumerate();
        Line {
            points: points.map(|(at, value)| (at as i64 * 10, *value)).collect(),
        }
    }

    #[test]
    fn the_grid_has_round_numbers_and_all_values() {
        for (values, ticks) in [
            (&[0.0, 1.0][..], "0 0.5 1.0"),
            (&[3.0, 97.0], "0 50 100"),
            (&[1.0, 4.0], "1 2 3 4"),
            (&[7.0, 7.0], "2 4 6 8 10 12"),
            (&[0.0, 0.0], "0 0.5 1.0"),
            (&[-1500.0, 2500.0], "-2k -1k 0 1k 2k 3k"),
            (&[1.2e9, 2.2e9, f64::NAN], "1.0G 1.5G 2.0G 2.5G"),
            (&[0.001, 0.0021], "0.0010 0.0015 0.0020 0.0025"),
            (&[1e300, 2e300], "1.0e300 1.5e300 2.0e300"),
        ] {
            let scale = Scale::of(&[line(values)]).unwrap();
            let words: Vec<String> = scale.ticks().iter().map(|at| scale.word(*at)).collect();
            assert_eq!(words.join(" "), ticks, "{values:?} {scale:?}");
            for value in values.iter().filter(|value| value.is_finite()) {
                assert!((0.0..=1.0).contains(&scale.share(*value)), "{values:?}");
            }
        }
        for none in [&[][..], &[f64::NAN], &[f64::INFINITY, f64::NEG_INFINITY]] {
            assert_eq!(Scale::of(&[line(none)]), None, "{none:?}");
        }
        assert_eq!(Scale::of(&[line(&[f64::MIN, f64::MAX])]), None);
    }

    #[test]
    fn a_line_is_broken_off_where_there_is_nothing() {
        let scale = Scale {
            low: 0.0,
            high: 4.0,
            step: 1.0,
        };
        let mut all = line(&[0.0, 1.0, f64::NAN, 3.0, 4.0]);
        all.points.push((100, 2.0));
        let mut out = String::new();
        path(&mut out, &all.points, &scale, (0, 100));
        assert_eq!(
            out,
            "M0.0 400.0h0L100.0 300.0M300.0 100.0h0L400.0 0.0M1000.0 200.0h0"
        );
    }

    #[test]
    fn times_are_as_short_as_the_range_allows() {
        let day = 86_400_000;
        let of = |range: i64| times((20 * day, 20 * day + range)).join(" ");
        assert_eq!(of(60_000), "00:00:00 00:00:15 00:00:30 00:00:45 00:01:00");
        assert_eq!(of(3_600_000), "00:00 00:15 00:30 00:45 01:00");
        assert_eq!(of(4 * day), "21 Jan 22 Jan 23 Jan 24 Jan 25 Jan");
    }
}
