//! A full chunk, in the smallest form that fits its samples.
//!
//! Layout: a byte that names the forms of times and values, the count, what the
//! forms need, then one stream of bits, times before values. The first time
//! stands apart in the struct, so the bytes say nothing about the clock.

use super::bits::{self, Writer};
use super::values::{Form, Values};
use super::{Point, Reader, push_varint, rice};

/// In the first byte: times as changes of their distance. Without it they are
/// evenly spaced and take no bits.
const UNEVEN: u8 = 0x10;

/// Samples that will not change any more.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chunk {
    /// Time of the first sample.
    pub(crate) first: i64,
    /// Time of the last sample.
    pub(crate) last: i64,
    data: Box<[u8]>,
}

impl Chunk {
    /// Writes samples, which are in order of time; `None` when there are none.
    pub(crate) fn seal(points: &[Point]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let spaces = points.windows(2).map(|two| two[1].0.wrapping_sub(two[0].0));
        let changes = spaces
            .clone()
            .zip(spaces.clone().skip(1))
            .map(|(one, two)| two.wrapping_sub(one));
        let uneven = changes
            .clone()
            .any(|change| change != 0)
            .then(|| rice::best(changes.clone()).0);
        let values = Values::of(points);

        let mut head = vec![values.form.mark() | if uneven.is_some() { UNEVEN } else { 0 }];
        push_varint(&mut head, points.len() as u64);
        push_varint(&mut head, spaces.clone().next().unwrap_or_default() as u64);
        head.extend(uneven.map(|k| k as u8));
        values.form.write(&mut head);

        let mut bits = Writer::after(head);
        if let Some(k) = uneven {
            changes.for_each(|change| rice::push(&mut bits, change, k));
        }
        values.write(points, &mut bits);
        Some(Self {
            first: first.0,
            last: last.0,
            data: bits.into_bytes().into(),
        })
    }

    /// A chunk as it came from a file, and its samples; `None` unless it
    /// decodes whole, with times that climb.
    pub(crate) fn from_file(first: i64, data: &[u8]) -> Option<(Self, Vec<Point>)> {
        let mut points = Vec::new();
        read(first, data, &mut points)?;
        let climbs = points.windows(2).all(|two| two[0].0 < two[1].0);
        let last = points.last().filter(|_| climbs)?.0;
        let data = data.into();
        Some((Self { first, last, data }, points))
    }

    /// The bytes for a file; `first` is to be kept beside them.
    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }

    /// How many samples there are.
    pub(crate) fn count(&self) -> usize {
        let count = Reader::new(self.data.get(1..).unwrap_or_default()).length();
        count.unwrap_or_default()
    }

    /// Adds all samples to `out`.
    pub(crate) fn decode(&self, out: &mut Vec<Point>) {
        let before = out.len();
        if read(self.first, &self.data, out).is_none() {
            // Sealed by us or checked when loaded: cannot happen, and half a
            // chunk would be a lie.
            out.truncate(before);
        }
    }
}

fn read(first: i64, data: &[u8], out: &mut Vec<Point>) -> Option<()> {
    let mut head = Reader::new(data);
    let mark = head.byte()?;
    let count = head.length()?;
    // A constant chunk has no bits that a false count would run out of.
    if count == 0 || count > usize::from(u16::MAX) || mark & 0xe0 != 0 {
        return None;
    }
    let mut space = head.varint()? as i64;
    let uneven = match mark & UNEVEN {
        0 => None,
        _ => Some(rice::checked(head.byte()?)?),
    };
    let form = Form::read(mark & 0x0f, &mut head)?;
    let mut bits = bits::Reader::new(head.rest());

    let start = out.len();
    let value = form.first();
    out.reserve(count);
    out.push((first, value));
    let mut time = first;
    for at in 1..count {
        if let Some(k) = uneven.filter(|_| at > 1) {
            space = space.wrapping_add(rice::read(&mut bits, k)?);
        }
        time = time.wrapping_add(space);
        out.push((time, value));
    }
    form.fill(&mut out[start..], &mut bits)
}
