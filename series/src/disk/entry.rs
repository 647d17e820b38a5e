//! What records say.
//!
//! The first byte of a payload is its kind. Series are named by ids, which a
//! segment explains before it uses them, so each segment stands for itself.

use exposition::{Labels, LabelsBuilder, is_stale, stale};

use crate::codec::{Point, Reader, back, push_signed, push_varint, whole};

/// Series begin: id and labels of each.
pub(super) const SERIES: u8 = 1;
/// Samples, after the clock they are kept by.
pub(super) const SAMPLES: u8 = 2;
/// Ids of series that have left.
pub(super) const ENDED: u8 = 3;
/// The first record of a snapshot: covered segment, next id.
pub(super) const HEAD: u8 = 4;
/// Series of a snapshot, after the clock: id, labels, chunks of each.
pub(super) const CHUNKS: u8 = 5;
/// The last record of a snapshot: clock, number of series.
pub(super) const END: u8 = 6;

/// Decimal places of the short form of values.
const PLACES: u8 = 3;

const RAW: i64 = 0;
const WHOLE: i64 = 1;
const DECIMAL: i64 = 2;
const STALE: i64 = 3;

pub(super) fn push_series(out: &mut Vec<u8>, id: u64, labels: &Labels) {
    push_varint(out, id);
    push_varint(out, labels.len() as u64);
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        push_varint(out, text.len() as u64);
        out.extend(text.as_bytes());
    }
}

pub(super) fn read_series(from: &mut Reader<'_>) -> Option<(u64, Labels)> {
    let id = from.varint()?;
    let count = from.length()?;
    let mut labels = LabelsBuilder::default();
    for _ in 0..count {
        let name = from.text()?;
        labels.set(name, from.text()?);
    }
    Some((id, labels.build()))
}

/// Writes or reads samples of many series, each beside the one before it.
#[derive(Debug, Default)]
pub(super) struct Beside {
    id: u64,
    time: i64,
}

impl Beside {
    pub(super) fn push(&mut self, out: &mut Vec<u8>, id: u64, (time, value): Point) {
        // Long numbers are no shorter than the value itself.
        let short = |places| whole(value, places).filter(|number| number.unsigned_abs() < 1 << 48);
        let (form, number) = match (short(0), short(PLACES)) {
            _ if is_stale(value) => (STALE, 0),
            (Some(number), _) => (WHOLE, number),
            (None, Some(number)) => (DECIMAL, number),
            (None, None) => (RAW, 0),
        };
        // Mostly the next series of the same scrape.
        let ahead = id.wrapping_sub(self.id) as i64;
        push_signed(out, ahead << 2 | form);
        push_signed(out, time.wrapping_sub(self.time));
        match form {
            RAW => out.extend(value.to_bits().to_le_bytes()),
            WHOLE | DECIMAL => push_signed(out, number),
            _ => {}
        }
        (self.id, self.time) = (id, time);
    }

    pub(super) fn read(&mut self, from: &mut Reader<'_>) -> Option<(u64, Point)> {
        let first = from.signed()?;
        // The two highest bits went with the shift: ids are not that large.
        self.id = self.id.wrapping_add((first >> 2) as u64);
        self.time = self.time.wrapping_add(from.signed()?);
        let value = match first & 3 {
            RAW => from.value()?,
            WHOLE => back(from.signed()?, 0)?,
            DECIMAL => back(from.signed()?, PLACES)?,
            _ => stale(),
        };
        Some((self.id, (self.time, value)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn samples_come_back(samples in prop::collection::vec(
            (0..1_u64 << 60, any::<i64>(), prop_oneof![
                any::<u64>(),
                Just(stale().to_bits()),
                any::<i32>().prop_map(|number| (f64::from(number) / 1000.0).to_bits()),
                any::<i64>().prop_map(|number| (number as f64).to_bits()),
            ]),
            0..100,
        )) {
            let (mut out, mut beside) = (Vec::new(), Beside::default());
            for (id, time, bits) in &samples {
                beside.push(&mut out, *id, (*time, f64::from_bits(*bits)));
            }
            let (mut reader, mut beside) = (Reader::new(&out), Beside::default());
            for sample in &samples {
                let (id, (time, value)) = beside.read(&mut reader).unwrap();
                prop_assert_eq!((id, time, value.to_bits()), *sample);
            }
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn arbitrary_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut reader = Reader::new(&bytes);
            let mut beside = Beside::default();
            while beside.read(&mut reader).is_some() {}
            let _ = read_series(&mut Reader::new(&bytes));
        }
    }
}
