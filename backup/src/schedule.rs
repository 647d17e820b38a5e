//! When a task of a job is due: decisions only, with the time as a parameter.
//!
//! Times missed while nobody was there are made up for once, not once each. Where all
//! of them are long ago they are missed, and that is said. A clock that was set back
//! runs nothing twice.

/// What is known of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// When it is due next, in milliseconds since 1970.
    pub next_ms: Option<i64>,
    /// When it was last due.
    pub last_ms: Option<i64>,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Wait,
    /// Run it: it was due at this time.
    Run(i64),
    /// It was due at this time, which is too long ago.
    Missed(i64),
}

/// A clock that is further ahead than this was wrong.
const WILD_MS: i64 = 2 * 86_400_000;
/// Who looks every few seconds is never in time to the millisecond: so late is in time.
const SOON_MS: i64 = 120_000;

/// Decides, and moves the slot on. `next` tells the first due time after one;
/// `late_ms` is how late a run may still begin.
pub fn decide(
    slot: &mut Slot,
    now_ms: i64,
    late_ms: i64,
    next: &dyn Fn(i64) -> Option<i64>,
) -> Decision {
    let Some(due_ms) = slot.next_ms else {
        slot.next_ms = next(now_ms);
        return Decision::Wait;
    };
    if now_ms < due_ms {
        // Only when the clock was set back is there an earlier time than the next.
        if let Some(earlier_ms) = next(now_ms).filter(|earlier_ms| *earlier_ms < due_ms) {
            let last_ms = slot.last_ms.unwrap_or(i64::MIN);
            let wild = last_ms > now_ms.saturating_add(WILD_MS);
            if earlier_ms > last_ms || wild {
                slot.next_ms = Some(earlier_ms);
            }
            if wild {
                slot.last_ms = None;
            }
        }
        return Decision::Wait;
    }
    slot.last_ms = Some(due_ms);
    slot.next_ms = next(now_ms);
    let late_ms = late_ms.max(SOON_MS);
    let earliest_ms = now_ms.saturating_sub(late_ms);
    if due_ms >= earliest_ms {
        return Decision::Run(due_ms);
    }
    // The first time that was missed is too long ago, but maybe not all of them are.
    match next(earliest_ms - 1).filter(|later_ms| *later_ms <= now_ms) {
        Some(later_ms) => {
            slot.last_ms = Some(later_ms);
            Decision::Run(later_ms)
        }
        None => Decision::Missed(due_ms),
    }
}

/// Moves the due times of a job a little, always alike, so that many jobs and
/// many hosts do not begin in the same second.
#[must_use]
pub fn jitter_ms(name: &str, most_ms: i64) -> i64 {
    // FNV-1a: any spread that stays the same from version to version will do.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let most = u64::try_from(most_ms).unwrap_or(0);
    if most == 0 {
        return 0;
    }
    i64::try_from((hash >> 16) % most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const LATE: i64 = 12 * HOUR;

    /// Due at each full hour.
    fn hourly(after: i64) -> Option<i64> {
        Some((after.div_euclid(HOUR) + 1) * HOUR)
    }

    fn slot(next: i64, last: i64) -> Slot {
        Slot {
            next_ms: Some(next * HOUR),
            last_ms: Some(last * HOUR),
        }
    }

    #[test]
    fn a_new_task_waits_for_its_first_time_and_then_runs_at_each() {
        let mut new = Slot::default();
        assert_eq!(
            decide(&mut new, 10 * HOUR + 1, LATE, &hourly),
            Decision::Wait
        );
        assert_eq!(new.next_ms, Some(11 * HOUR));
        assert_eq!(
            decide(&mut new, 11 * HOUR - 1, LATE, &hourly),
            Decision::Wait
        );
        assert_eq!(
            decide(&mut new, 11 * HOUR, LATE, &hourly),
            Decision::Run(11 * HOUR)
        );
        assert_eq!(
            decide(&mut new, 11 * HOUR + 1, LATE, &hourly),
            Decision::Wait
        );
        assert_eq!(new, slot(12, 11));
    }

    #[test]
    fn times_missed_while_nobody_was_there_are_made_up_for_once() {
        let mut down = slot(11, 10);
        assert_eq!(
            decide(&mut down, 16 * HOUR + 5, LATE, &hourly),
            Decision::Run(11 * HOUR)
        );
        assert_eq!(
            decide(&mut down, 16 * HOUR + 6, LATE, &hourly),
            Decision::Wait
        );
        assert_eq!(down, slot(17, 11));
        // Longer than a run may be late: for one of those that it may still make up for.
        let mut long = slot(11, 10);
        assert_eq!(
            decide(&mut long, 30 * HOUR, LATE, &hourly),
            Decision::Run(18 * HOUR)
        );
        assert_eq!(long, slot(31, 18));
    }

    #[test]
    fn what_was_due_long_ago_is_missed_unless_it_was_due_again_since() {
        let daily = |after: i64| Some((after.div_euclid(24 * HOUR) + 1) * 24 * HOUR);
        let mut day = slot(24, 0);
        assert_eq!(
            decide(&mut day, 37 * HOUR, LATE, &daily),
            Decision::Missed(24 * HOUR)
        );
        assert_eq!(day, slot(48, 24));
        let mut days = slot(24, 0);
        assert_eq!(
            decide(&mut days, 50 * HOUR, LATE, &daily),
            Decision::Run(48 * HOUR)
        );
        assert_eq!(days, slot(72, 48));
        // Nothing is made up for, and yet what is due is run when somebody looks.
        let mut strict = slot(24, 0);
        assert_eq!(
            decide(&mut strict, 24 * HOUR + 14_999, 0, &daily),
            Decision::Run(24 * HOUR)
        );
    }

    #[test]
    fn a_clock_that_was_set_back_runs_nothing_twice_and_waits_for_no_century() {
        let mut back = slot(12, 11);
        // To before what has run: it waits.
        assert_eq!(
            decide(&mut back, 9 * HOUR + 1, LATE, &hourly),
            Decision::Wait
        );
        assert_eq!(back, slot(12, 11));
        // From a wild time: as if nothing had been.
        let mut wild = slot(900_001, 900_000);
        assert_eq!(
            decide(&mut wild, 9 * HOUR + 1, LATE, &hourly),
            Decision::Wait
        );
        assert_eq!(
            wild,
            Slot {
                next_ms: Some(10 * HOUR),
                last_ms: None
            }
        );
        // The line was changed to an earlier time.
        let mut changed = slot(20, 3);
        assert_eq!(
            decide(&mut changed, 9 * HOUR + 1, LATE, &hourly),
            Decision::Wait
        );
        assert_eq!(changed.next_ms, Some(10 * HOUR));
    }

    #[test]
    fn jitter_is_stable_and_within_its_limit() {
        assert_eq!(jitter_ms("db", 60_000), jitter_ms("db", 60_000));
        assert_ne!(jitter_ms("db", 60_000), jitter_ms("web", 60_000));
        for name in ["", "a", "db", "something longer"] {
            assert!((0..60_000).contains(&jitter_ms(name, 60_000)));
            assert_eq!(jitter_ms(name, 0), 0);
        }
    }
}
