//! An hour of one series: from samples to bytes, and from bytes to points.

use exposition::is_stale;

use super::{BLOCK_MS, ROLLUP_MS, Summary};
use crate::codec::{Chunk, Point, Reader, push_varint};

/// All samples of each window are equal: its last value says it all.
const EVEN: u8 = 0;
/// What only rises: the last value stands for the others.
const RISING: u8 = 1;
/// Least, greatest and sum stand beside the last value.
const FULL: u8 = 2;

/// Five minutes of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    /// Where it ends.
    at: i64,
    last: f64,
    min: f64,
    max: f64,
    sum: f64,
    count: f64,
    /// No value is less than the one before.
    rises: bool,
}

impl Window {
    fn of(at: i64, value: f64) -> Self {
        Self {
            at,
            last: value,
            min: value,
            max: value,
            sum: value,
            count: 1.0,
            rises: !value.is_nan(),
        }
    }

    fn add(&mut self, value: f64) {
        self.rises &= value >= self.last;
        // A number wins over NaN, on either side.
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value;
        self.count += 1.0;
        self.last = value;
    }

    fn is_even(&self) -> bool {
        let same = |value: f64| value.to_bits() == self.last.to_bits();
        same(self.min) && same(self.max)
    }
}

/// The windows of the hour after `start`, from samples of it in order.
fn windows(start: i64, points: &[Point]) -> Vec<Window> {
    let mut out: Vec<Window> = Vec::new();
    for &(time, value) in points.iter().filter(|(_, value)| !is_stale(*value)) {
        // A window has its end and not its beginning.
        let number = (time - start - 1).div_euclid(ROLLUP_MS);
        let at = start + (number + 1) * ROLLUP_MS;
        match out.last_mut().filter(|window| window.at == at) {
            Some(window) => window.add(value),
            None => out.push(Window::of(at, value)),
        }
    }
    out
}

/// Adds an hour to bytes for a file; false if there is nothing to add.
pub(super) fn push(out: &mut Vec<u8>, start: i64, points: &[Point]) -> bool {
    let windows = windows(start, points);
    let Some(first) = windows.first() else {
        return false;
    };
    let climbs = |two: &[Window]| two[1].min >= two[0].last;
    let form = if windows.iter().all(Window::is_even) {
        EVEN
    } else if windows.iter().all(|window| window.rises) && windows.windows(2).all(climbs) {
        RISING
    } else {
        FULL
    };
    out.push(form);
    out.push(((first.at - start) / ROLLUP_MS) as u8);
    let mut column = |of: fn(&Window) -> f64| {
        let points: Vec<Point> = windows
            .iter()
            .map(|window| (window.at, of(window)))
            .collect();
        let chunk = Chunk::seal(&points);
        let data = chunk.as_ref().map_or(&[][..], Chunk::data);
        push_varint(out, data.len() as u64);
        out.extend(data);
    };
    column(|window| window.last);
    column(|window| window.count);
    if form == FULL {
        column(|window| window.min);
        column(|window| window.max);
        column(|window| window.sum);
    }
    true
}

/// The bytes of one hour, as [`push`] wrote them; `None` where they make no sense.
pub(super) fn take<'a>(from: &mut Reader<'a>) -> Option<&'a [u8]> {
    let all = from.clone().rest();
    let form = from.byte()?;
    from.byte()?;
    for _ in 0..columns(form)? {
        let length = from.length()?;
        from.bytes(length)?;
    }
    all.get(..all.len() - from.clone().rest().len())
}

fn columns(form: u8) -> Option<usize> {
    match form {
        EVEN | RISING => Some(2),
        FULL => Some(5),
        _ => None,
    }
}

/// Adds the points of one hour to `out`; `None` where the bytes make no sense.
pub(super) fn read(
    from: &mut Reader<'_>,
    start: i64,
    summary: Summary,
    out: &mut Vec<Point>,
) -> Option<()> {
    let form = from.byte()?;
    let first = start + i64::from(from.byte()?) * ROLLUP_MS;
    let mut data = [&[][..]; 5];
    for column in data.iter_mut().take(columns(form)?) {
        let length = from.length()?;
        *column = from.bytes(length)?;
    }
    let column = |at: usize| Some(Chunk::from_file(first, data[at])?.1);
    let is_full = form == FULL;
    let mut points = match summary {
        Summary::Min if is_full => column(2)?,
        Summary::Max if is_full => column(3)?,
        Summary::Sum | Summary::Mean if is_full => column(4)?,
        _ => column(0)?,
    };
    let last = points.last()?.0;
    if last > start + BLOCK_MS {
        return None;
    }
    let per_count = |value: f64, count: f64| match (summary, is_full) {
        (Summary::Mean, true) => value / count,
        (Summary::Sum, false) => value * count,
        _ => value,
    };
    if matches!(summary, Summary::Sum | Summary::Mean) {
        let counts = column(1)?;
        if counts.len() != points.len() {
            return None;
        }
        for (point, (_, count)) in points.iter_mut().zip(counts) {
            point.1 = per_count(point.1, count);
        }
    }
    out.append(&mut points);
    Some(())
}

#[cfg(test)]
mod tests {
    use exposition::stale;
    use proptest::prelude::*;

    use super::*;

    const ALL: [Summary; 5] = [
        Summary::Last,
        Summary::Min,
        Summary::Max,
        Summary::Sum,
        Summary::Mean,
    ];

    fn roll(points: &[Point]) -> Vec<(i64, [f64; 5])> {
        let mut bytes = Vec::new();
        if !push(&mut bytes, 0, points) {
            return Vec::new();
        }
        assert_eq!(take(&mut Reader::new(&bytes)), Some(&bytes[..]));
        let columns = ALL.map(|summary| {
            let mut out = Vec::new();
            read(&mut Reader::new(&bytes), 0, summary, &mut out).unwrap();
            out
        });
        let at = |at: usize| {
            let values = columns.each_ref().map(|column| column[at].1);
            (columns[0][at].0, values)
        };
        (0..columns[0].len()).map(at).collect()
    }

    #[test]
    fn windows_have_their_ends_and_not_their_beginnings() {
        let points = [(1, 5.0), (300_000, 3.0), (300_001, 4.0), (3_600_000, 8.0)];
        assert_eq!(
            roll(&points),
            [
                (300_000, [3.0, 3.0, 5.0, 8.0, 4.0]),
                (600_000, [4.0, 4.0, 4.0, 4.0, 4.0]),
                (3_600_000, [8.0, 8.0, 8.0, 8.0, 8.0]),
            ]
        );
    }

    #[test]
    fn what_only_rises_is_known_by_its_last_values() {
        let points = [(1, 1.0), (2, 2.0), (300_001, 2.0), (300_002, 7.0)];
        let rolled = roll(&points);
        assert_eq!(rolled[1], (600_000, [7.0, 7.0, 7.0, 14.0, 7.0]));
        // A counter that fell says how far.
        let reset = [(1, 1.0), (2, 2.0), (300_001, 0.0), (300_002, 7.0)];
        assert_eq!(roll(&reset)[1], (600_000, [7.0, 0.0, 7.0, 7.0, 3.5]));
    }

    #[test]
    fn markers_are_left_out_and_nan_is_not() {
        assert_eq!(roll(&[(1, stale())]), []);
        let rolled = roll(&[(1, 2.0), (2, f64::NAN), (3, 4.0), (4, stale())]);
        let (_, [last, min, max, sum, _]) = rolled[0];
        assert_eq!((last, min, max), (4.0, 2.0, 4.0));
        assert!(sum.is_nan());
    }

    proptest! {
        #[test]
        fn an_hour_says_of_its_windows_what_their_samples_say(
            samples in prop::collection::vec((1..200_i64, -5..5_i32), 1..240),
        ) {
            let mut time = 0;
            let points: Vec<Point> = samples.iter().map(|(space, value)| {
                time += space * 500;
                (time, f64::from(*value) / 4.0)
            }).filter(|(time, _)| *time <= BLOCK_MS).collect();
            for (at, [last, min, max, sum, mean]) in roll(&points) {
                let within = points.iter().filter(|(time, _)| *time > at - ROLLUP_MS && *time <= at);
                let values: Vec<f64> = within.map(|point| point.1).collect();
                prop_assert_eq!(Some(&last), values.last());
                let rises = points.windows(2).all(|two| two[0].1 <= two[1].1);
                if !rises {
                    prop_assert_eq!(max, values.iter().copied().fold(f64::MIN, f64::max));
                    prop_assert_eq!(min, values.iter().copied().fold(f64::MAX, f64::min));
                    let total: f64 = values.iter().sum();
                    prop_assert_eq!(sum, total);
                    prop_assert!((mean - total / values.len() as f64).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn arbitrary_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for summary in ALL {
                let mut out = Vec::new();
                let _ = read(&mut Reader::new(&bytes), 0, summary, &mut out);
            }
            let _ = take(&mut Reader::new(&bytes));
        }
    }
}
