//! How long a failed mail waits before it is tried again.
//!
//! Pure: the randomness is a parameter.

use crate::health::Class;

/// The wait after the `attempts`th failure in a row (counted from 1), in
/// milliseconds. `random` spreads it by half to either side, so that mails that
/// failed together do not come back together.
///
/// A lasting refusal (5xx) is repeated too, as servers also say it for full
/// disks and wrong lists, and a wrong password may be put right there; but
/// slowly, from a minute to half an hour, as insisting gets one locked out.
#[must_use]
pub(crate) fn wait_ms(class: Class, attempts: u32, random: u64) -> i64 {
    let (first_ms, factor, cap_ms) = match class {
        Class::Permanent | Class::Auth => (60_000.0, 2.0, 1_800_000.0),
        _ => (500.0, 1.5, 60_000.0),
    };
    let exponent = attempts.saturating_sub(1).min(64);
    let wait_ms = f64::min(first_ms * f64::powi(factor, exponent as i32), cap_ms);
    // 53 bits, so that the fraction is exact.
    let fraction = (mix(random) >> 11) as f64 / (1_u64 << 53) as f64;
    (wait_ms * (0.5 + fraction)).min(cap_ms) as i64
}

/// Spreads the bits of a counter over the whole word (splitmix64's finish).
fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_half_a_second_to_a_minute_and_are_spread() {
        for random in 0..1_000 {
            for (attempts, low, high) in [
                (1, 250, 750),
                (2, 375, 1_125),
                (5, 1_265, 3_797),
                (20, 30_000, 60_000),
                (u32::MAX, 30_000, 60_000),
            ] {
                let wait = wait_ms(Class::Refused, attempts, random);
                assert!((low..=high).contains(&wait), "{attempts}: {wait}");
            }
        }
        let spread: std::collections::BTreeSet<i64> = (0..100)
            .map(|random| wait_ms(Class::Timeout, 8, random))
            .collect();
        assert!(spread.len() > 90);
    }

    #[test]
    fn a_lasting_refusal_is_repeated_slowly() {
        for random in 0..100 {
            assert!((30_000..=90_000).contains(&wait_ms(Class::Permanent, 1, random)));
            assert_eq!(
                wait_ms(Class::Auth, 1, random),
                wait_ms(Class::Permanent, 1, random)
            );
            assert!((900_000..=1_800_000).contains(&wait_ms(Class::Permanent, 30, random)));
        }
    }
}
