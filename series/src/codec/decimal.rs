//! Values that people and counters write: few decimal places.
//!
//! 12345.67 takes all 64 bits of a float, but it is 1234567 over 100, and the
//! next value of the series is a small whole number away. Division of whole
//! numbers rounds correctly, so the same bits come back; a chunk with a value
//! of which that is not true (NaN, minus zero, sums of floats) has no such form.

use super::Point;

/// Powers of ten up to the most decimal places looked for.
const TENS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Above this not every whole number is a float.
const WHOLE: u64 = 1 << 53;

/// The values as whole numbers, and the decimal places they are shifted by.
pub(super) fn scaled(points: &[Point]) -> Option<(u8, Vec<i64>)> {
    let mut numbers: Vec<i64> = Vec::with_capacity(points.len());
    let mut places = 0;
    for (_, value) in points {
        let number = loop {
            if let Some(number) = whole(*value, places) {
                break number;
            }
            places += 1;
            if usize::from(places) == TENS.len() {
                return None;
            }
            for number in &mut numbers {
                *number *= 10;
                if number.unsigned_abs() >= WHOLE {
                    return None;
                }
            }
        };
        numbers.push(number);
    }
    Some((places, numbers))
}

/// The whole number that stands for a value, if one does.
pub(crate) fn whole(value: f64, places: u8) -> Option<i64> {
    let shifted = value * TENS[usize::from(places)];
    // Rounding may err and a NaN becomes 0: what does not lead back is refused.
    let number = (shifted + 0.5_f64.copysign(shifted)) as i64;
    let same = number.unsigned_abs() < WHOLE && back(number, places)?.to_bits() == value.to_bits();
    same.then_some(number)
}

/// The value that a whole number stands for.
pub(crate) fn back(number: i64, places: u8) -> Option<f64> {
    TENS.get(usize::from(places)).map(|ten| number as f64 / ten)
}
