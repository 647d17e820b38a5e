//! The forms in which a full chunk writes its values.

use super::bits::{self, Bits as _, Writer};
use super::xor::Xor;
use super::{Point, Reader, decimal, push_signed, rice};

/// How values are written, with what stands before the bits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// One value throughout, and no bits.
    Same(f64),
    /// Decimal numbers as their differences.
    Decimal(Decimal),
    /// The bits that changed.
    Xor,
}

/// Decimal numbers, each a Rice code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    /// Written are changes of the difference: counters under even load.
    slopes: bool,
    places: u8,
    /// Zero bits that all written numbers end in: memory comes in pages.
    zeros: u32,
    k: u32,
    /// The first number and, for slopes, the first difference.
    start: [i64; 2],
}

impl Form {
    /// The low half of a chunk's first byte.
    pub(super) fn mark(&self) -> u8 {
        match self {
            Self::Same(_) => 0,
            Self::Decimal(decimal) if decimal.slopes => 2,
            Self::Decimal(_) => 1,
            Self::Xor => 3,
        }
    }

    /// Writes what stands before the bits.
    pub(super) fn write(&self, head: &mut Vec<u8>) {
        match self {
            Self::Same(value) => head.extend(value.to_bits().to_le_bytes()),
            Self::Decimal(form) => {
                head.extend([form.places, form.zeros as u8, form.k as u8]);
                push_signed(head, form.start[0]);
                if form.slopes {
                    push_signed(head, form.start[1]);
                }
            }
            Self::Xor => {}
        }
    }

    pub(super) fn read(mark: u8, head: &mut Reader<'_>) -> Option<Self> {
        Some(match mark {
            0 => Self::Same(head.value()?),
            1 | 2 => {
                let slopes = mark == 2;
                let (places, zeros) = (head.byte()?, u32::from(head.byte()?));
                let k = rice::checked(head.byte()?)?;
                let start = [head.signed()?, if slopes { head.signed()? } else { 0 }];
                // A wrong number of places is found here, once.
                decimal::back(start[0], places)?;
                Self::Decimal(Decimal {
                    slopes,
                    places,
                    zeros,
                    k,
                    start,
                })
            }
            3 => Self::Xor,
            _ => return None,
        })
    }

    /// The first value, as far as it is known before the bits.
    pub(super) fn first(&self) -> f64 {
        match self {
            Self::Same(value) => *value,
            Self::Decimal(form) => decimal::back(form.start[0], form.places).unwrap_or_default(),
            Self::Xor => 0.0,
        }
    }

    /// Sets the values of samples that all have the first one so far.
    pub(super) fn fill(&self, points: &mut [Point], bits: &mut bits::Reader<'_>) -> Option<()> {
        match self {
            Self::Same(_) => {}
            Self::Decimal(form) => {
                let [mut number, mut step] = form.start;
                for (at, (_, value)) in points.iter_mut().enumerate().skip(1) {
                    if !form.slopes {
                        step = rice::read(bits, form.k)?.checked_shl(form.zeros)?;
                    } else if at > 1 {
                        let slope = rice::read(bits, form.k)?.checked_shl(form.zeros)?;
                        step = step.wrapping_add(slope);
                    }
                    number = number.wrapping_add(step);
                    *value = decimal::back(number, form.places)?;
                }
            }
            Self::Xor => {
                let mut values = Xor::at(f64::from_bits(bits.read(64)?));
                let (first, rest) = points.split_first_mut()?;
                first.1 = f64::from_bits(values.before);
                for (_, value) in rest {
                    *value = values.read(bits)?;
                }
            }
        }
        Some(())
    }
}

/// The form chosen for some samples, and the numbers it writes.
pub(super) struct Values {
    pub(super) form: Form,
    numbers: Vec<i64>,
}

impl Values {
    /// Chooses the form; there is at least one sample.
    pub(super) fn of(points: &[Point]) -> Self {
        let first = points[0].1;
        let plain = |form| Self {
            form,
            numbers: Vec::new(),
        };
        if points
            .iter()
            .all(|(_, value)| value.to_bits() == first.to_bits())
        {
            return plain(Form::Same(first));
        }
        let Some((places, numbers)) = decimal::scaled(points) else {
            return plain(Form::Xor);
        };
        let steps = differences(&numbers);
        let start = [numbers[0], steps[0]];
        let slopes = Self::decimal(true, places, start, differences(&steps));
        let steps = Self::decimal(false, places, start, steps);
        let (bits, decimal) = if slopes.0 < steps.0 { slopes } else { steps };
        // Changed bits rarely win, so they are only tried where numbers are long.
        if bits > points.len() as u64 * 16 {
            let xor = plain(Form::Xor);
            let mut tried = Writer::default();
            xor.write(points, &mut tried);
            if (tried.bytes().len() as u64) < bits / 8 {
                return xor;
            }
        }
        decimal
    }

    fn decimal(slopes: bool, places: u8, start: [i64; 2], mut numbers: Vec<i64>) -> (u64, Self) {
        let all = numbers.iter().fold(0, |all, number| all | number);
        let zeros = if all == 0 { 0 } else { all.trailing_zeros() };
        numbers.iter_mut().for_each(|number| *number >>= zeros);
        let (k, bits) = rice::best(numbers.iter().copied());
        let form = Form::Decimal(Decimal {
            slopes,
            places,
            zeros,
            k,
            start,
        });
        (bits, Self { form, numbers })
    }

    /// Writes the bits.
    pub(super) fn write(&self, points: &[Point], out: &mut Writer) {
        match self.form {
            Form::Same(_) => {}
            Form::Decimal(form) => {
                for number in &self.numbers {
                    rice::push(out, *number, form.k);
                }
            }
            Form::Xor => {
                let mut values = Xor::at(points[0].1);
                out.push(values.before, 64);
                for (_, value) in &points[1..] {
                    values.push(out, *value);
                }
            }
        }
    }
}

fn differences(numbers: &[i64]) -> Vec<i64> {
    numbers.windows(2).map(|two| two[1] - two[0]).collect()
}
