//! Rice codes: short for numbers near zero, whatever "near" means for a chunk.
//!
//! A number is its high part in ones and a zero, then its low `k` bits; `k` is
//! chosen once for all numbers of a stream. A number far off the others is
//! written whole behind a mark, so that one outlier costs ten bytes and no more.

use super::bits::{Bits as _, PEEKED, Reader, Writer};
use super::varint::{fold, unfold};

/// So many ones announce a whole number.
const MARK: u32 = 20;
/// The largest `k` tried and accepted.
const MOST: u32 = 48;
/// A number with so many bits more than `k` is written whole, since `MARK` has fewer.
const FAR: u32 = 6;

/// The `k` under which the numbers take the fewest bits, and how many.
pub(super) fn best(numbers: impl Iterator<Item = i64> + Clone) -> (u32, u64) {
    // How many numbers there are of each length in bits says nearly as much as
    // the numbers do, and is much less to look through.
    let mut lengths = [0_u64; 65];
    for number in numbers.clone() {
        lengths[(u64::BITS - fold(number).leading_zeros()) as usize] += 1;
    }
    let about = |k: u32| {
        let used = lengths.iter().enumerate().filter(|(_, count)| **count > 0);
        // The middle of all numbers of so many bits is three quarters up.
        let cost = used.map(|(bits, count)| count * length((3_u128 << bits >> 2) as u64, k));
        cost.sum::<u64>()
    };
    // Beyond the longest number another bit helps none; far below the shortest all are
    // written whole.
    let used = |count: &u64| *count > 0;
    let shortest = lengths.iter().position(used).unwrap_or_default() as u32;
    let longest = lengths.iter().rposition(used).unwrap_or_default() as u32;
    let tried = shortest.saturating_sub(FAR).min(MOST)..=longest.min(MOST);
    let near = tried.min_by_key(|k| about(*k)).unwrap_or_default();
    let exact = |k: u32| {
        numbers
            .clone()
            .map(|number| length(fold(number), k))
            .sum::<u64>()
    };
    (near.saturating_sub(1)..=(near + 1).min(MOST))
        .map(|k| (k, exact(k)))
        .min_by_key(|(_, bits)| *bits)
        .unwrap_or_default()
}

fn length(folded: u64, k: u32) -> u64 {
    let high = folded >> k;
    if high < u64::from(MARK) {
        high + 1 + u64::from(k)
    } else {
        u64::from(MARK) + 64
    }
}

/// Writes one number.
pub(super) fn push(out: &mut Writer, number: i64, k: u32) {
    let folded = fold(number);
    let high = folded >> k;
    if high < u64::from(MARK) {
        let high = high as u32;
        out.push((1 << (high + 1)) - 2, high + 1);
        out.push(folded, k);
    } else {
        out.push((1 << MARK) - 1, MARK);
        out.push(folded, 64);
    }
}

/// Reads one number.
#[inline]
pub(super) fn read(from: &mut Reader<'_>, k: u32) -> Option<i64> {
    let next = from.peek();
    let high = next.leading_ones();
    let length = high + 1 + k;
    if high < MARK && length <= PEEKED {
        from.eat(length)?;
        let low = (next << (high + 1)).checked_shr(64 - k).unwrap_or_default();
        return Some(unfold(u64::from(high) << k | low));
    }
    let high = from.ones(MARK)?;
    let folded = if high < MARK {
        u64::from(high) << k | from.read(k)?
    } else {
        from.read(64)?
    };
    Some(unfold(folded))
}

/// A `k` as it stands in a chunk.
pub(super) fn checked(k: u8) -> Option<u32> {
    Some(u32::from(k)).filter(|k| *k <= MOST)
}
