//! Which copies stay: a plan, made from a list and a time, and nothing else.
//!
//! Idle days use up no slot: in each of the newest days, weeks and months *that
//! have a good backup* the newest of it stays. Only good ones count, and only
//! good ones push others out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Keep;

/// A copy, as retention sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The backup's id.
    pub id: String,
    /// When it was begun, in milliseconds since 1970.
    pub started_ms: i64,
    /// Whether it counts.
    pub good: bool,
    /// Until when it stays in any case, in milliseconds since 1970.
    pub pinned_until_ms: Option<i64>,
    /// How far it is proven.
    pub proof: Proof,
}

/// How far a copy is proven to be one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// Nobody has tried it.
    #[default]
    None,
    /// It was read to its end.
    Verified,
    /// It was restored.
    Drilled,
}

/// Why a copy stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is the newest good one.
    Newest,
    /// It is the newest good one that was read to its end.
    Verified,
    /// It is the newest good one that was restored.
    Drilled,
    /// It is one of the newest few.
    Last,
    /// It is the newest of a day.
    Daily,
    /// It is the newest of a week.
    Weekly,
    /// It is the newest of a month.
    Monthly,
    /// So few are never gone below.
    Fewest,
    /// Somebody pinned it.
    Pinned,
    /// It is not good, and so young that somebody may want to look at it.
    Young,
}

impl Reason {
    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Verified => "verified",
            Self::Drilled => "drilled",
            Self::Last => "last",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Fewest => "min_keep",
            Self::Pinned => "pinned",
            Self::Young => "young",
        }
    }
}

/// What becomes of a copy: it stays for these reasons, or goes when there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The backup's id.
    pub id: String,
    /// Why it stays.
    pub stays: Vec<Reason>,
}

/// Why nothing may be deleted now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Some copy is of the future, so the clock is wrong, or theirs was.
    #[error("the newest backup, {0}, is of the future: the clock is wrong, or was")]
    Clock(String),
    /// So many at once are more likely a mistake.
    #[error(
        "{going} of {all} copies would go at once; say so with --force if that is meant, which also lets good ones go after a run that made nothing"
    )]
    Half {
        /// How many would go.
        going: usize,
        /// Of how many.
        all: usize,
    },
}

/// A copy that is not good is looked at for so long.
const YOUNG_MS: i64 = 14 * 86_400_000;
/// A clock may be a little off.
const OFF_MS: i64 = 3_600_000;

/// Plans; newest first. `force` allows more than half to go.
///
/// # Errors
/// When nothing may be deleted now.
pub fn plan(
    held: &[Held],
    keep: &Keep,
    zone: &TimeZone,
    now_ms: i64,
    force: bool,
) -> Result<Vec<Verdict>, Refusal> {
    let mut held: Vec<_> = held.iter().collect();
    held.sort_by(|one, other| (other.started_ms, &other.id).cmp(&(one.started_ms, &one.id)));
    if let Some(newest) = held
        .first()
        .filter(|newest| newest.started_ms > now_ms + OFF_MS)
    {
        return Err(Refusal::Clock(newest.id.clone()));
    }
    let mut slots = Slots::default();
    let verdicts: Vec<_> = held
        .iter()
        .map(|copy| {
            let mut stays = if copy.good {
                slots.take(copy, keep, zone)
            } else if now_ms - copy.started_ms < YOUNG_MS {
                vec![Reason::Young]
            } else {
                Vec::new()
            };
            if copy.pinned_until_ms.is_some_and(|until| until > now_ms) {
                stays.push(Reason::Pinned);
            }
            let id = copy.id.clone();
            Verdict { id, stays }
        })
        .collect();
    let going = verdicts
        .iter()
        .filter(|verdict| verdict.stays.is_empty())
        .count();
    if going > 1 && going * 2 > verdicts.len() && !force {
        let all = verdicts.len();
        return Err(Refusal::Half { going, all });
    }
    Ok(verdicts)
}

/// The days, weeks and months that have their copy.
#[derive(Default)]
struct Slots {
    good: u32,
    /// The most that any of them is proven.
    proof: Proof,
    days: BTreeSet<(i16, i8, i8)>,
    weeks: BTreeSet<(i16, i8)>,
    months: BTreeSet<(i16, i8)>,
}

impl Slots {
    fn take(&mut self, copy: &Held, keep: &Keep, zone: &TimeZone) -> Vec<Reason> {
        let at = Timestamp::from_millisecond(copy.started_ms).unwrap_or_default();
        let date = at.to_zoned_datetime(zone.clone()).date();
        let week = date.iso_week_date();
        let mut stays = Vec::new();
        if self.good == 0 {
            stays.push(Reason::Newest);
        }
        // What is only hoped to be one does not push out what is known to be.
        for (proof, reason) in [
            (Proof::Verified, Reason::Verified),
            (Proof::Drilled, Reason::Drilled),
        ] {
            if copy.proof >= proof && self.proof < proof {
                stays.push(reason);
            }
        }
        self.proof = self.proof.max(copy.proof);
        if self.good < keep.last {
            stays.push(Reason::Last);
        }
        let mut slot = |fresh: bool, taken: usize, most: u32, reason| {
            if fresh && taken <= most as usize {
                stays.push(reason);
            }
        };
        let fresh = self.days.insert((date.year(), date.month(), date.day()));
        slot(fresh, self.days.len(), keep.daily, Reason::Daily);
        let fresh = self.weeks.insert((week.year(), week.week()));
        slot(fresh, self.weeks.len(), keep.weekly, Reason::Weekly);
        let fresh = self.months.insert((date.year(), date.month()));
        slot(fresh, self.months.len(), keep.monthly, Reason::Monthly);
        if stays.is_empty() && self.good < keep.min_keep {
            stays.push(Reason::Fewest);
        }
        self.good += 1;
        stays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: i64 = 1_787_454_600_000;

    fn good(id: &str, age_days: i64) -> Held {
        Held {
            id: id.into(),
            started_ms: NOW - age_days * DAY,
            good: true,
            pinned_until_ms: None,
            proof: Proof::None,
        }
    }

    fn keep(last: u32, daily: u32, weekly: u32, monthly: u32) -> Keep {
        Keep {
            last,
            daily,
            weekly,
            monthly,
            min_keep: 1,
            ..Keep::default()
        }
    }

    fn staying(held: &[Held], keep: &Keep) -> Vec<String> {
        let plan = plan(held, keep, &TimeZone::UTC, NOW, true).unwrap();
        plan.into_iter()
            .filter(|verdict| !verdict.stays.is_empty())
            .map(|verdict| verdict.id)
            .collect()
    }

    fn days(ages: impl IntoIterator<Item = i64>) -> Vec<Held> {
        ages.into_iter()
            .map(|age| good(&age.to_string(), age))
            .collect()
    }

    #[test]
    fn the_newest_of_each_day_week_and_month_stays() {
        // 2026-08-23 is a Sunday.
        let held = days(0..400);
        assert_eq!(staying(&held, &keep(1, 3, 0, 0)), ["0", "1", "2"]);
        assert_eq!(staying(&held, &keep(0, 0, 3, 0)), ["0", "7", "14"]);
        assert_eq!(staying(&held, &keep(0, 0, 0, 3)), ["0", "23", "54"]);
        assert_eq!(staying(&held, &keep(3, 7, 4, 6)).len(), 7 + 3 + 5);
    }

    #[test]
    fn idle_days_use_up_no_slot() {
        assert_eq!(
            staying(&days([100, 200, 300, 400]), &keep(0, 3, 0, 0)),
            ["100", "200", "300"]
        );
    }

    #[test]
    fn a_failing_fortnight_deletes_nothing_good() {
        let mut held = days(20..25);
        held.extend((0..14).map(|age| Held {
            good: false,
            ..good(&format!("bad{age}"), age)
        }));
        held.push(Held {
            good: false,
            ..good("old", 15)
        });
        let stays = staying(&held, &keep(1, 7, 0, 0));
        assert!(
            ["20", "21", "22", "23", "24"]
                .iter()
                .all(|id| stays.iter().any(|stay| stay == id))
        );
        assert!(!stays.iter().any(|id| id == "old"), "{stays:?}");
        assert_eq!(stays.len(), 5 + 14);
    }

    #[test]
    fn the_newest_good_one_the_fewest_and_pins_stay_whatever_is_said() {
        let none = Keep {
            min_keep: 2,
            ..keep(0, 0, 0, 0)
        };
        let mut held = days([5, 6, 7, 8]);
        held[3].pinned_until_ms = Some(NOW + 1);
        held[2].pinned_until_ms = Some(NOW - 1);
        held.push(Held {
            good: false,
            ..good("bad", 0)
        });
        assert_eq!(staying(&held, &none), ["bad", "5", "6", "8"]);
    }

    #[test]
    fn what_is_proven_is_not_pushed_out_by_what_is_not() {
        let mut held = days(0..9);
        for (at, proof) in [
            (2, Proof::Verified),
            (3, Proof::Verified),
            (5, Proof::Drilled),
            (6, Proof::Drilled),
            (7, Proof::Verified),
        ] {
            held[at].proof = proof;
        }
        assert_eq!(staying(&held, &keep(1, 0, 0, 0)), ["0", "2", "5"]);
        let plan = plan(&held, &keep(1, 0, 0, 0), &TimeZone::UTC, NOW, true).unwrap();
        assert_eq!(plan[5].stays, [Reason::Drilled]);
        // A drill proves all that reading it does.
        held[0].proof = Proof::Drilled;
        assert_eq!(staying(&held, &keep(1, 0, 0, 0)), ["0"]);
        // What was found to be no copy since is none.
        held[0].good = false;
        assert_eq!(staying(&held, &keep(0, 0, 0, 0)), ["0", "1", "2", "5"]);
    }

    #[test]
    fn a_wrong_clock_and_more_than_half_are_refused() {
        let plan = |held: &[Held]| plan(held, &keep(1, 0, 0, 0), &TimeZone::UTC, NOW, false);
        assert_eq!(plan(&days([-1, 3])), Err(Refusal::Clock("-1".into())));
        assert_eq!(
            plan(&days([1, 2, 3])),
            Err(Refusal::Half { going: 2, all: 3 })
        );
        assert!(plan(&days([1, 2])).is_ok());
        assert_eq!(plan(&[]), Ok(Vec::new()));
    }

    #[test]
    fn days_are_those_of_the_zone() {
        // 23:30 and 00:30 in Berlin are one day in UTC.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = |id: &str, started_ms| Held {
            started_ms,
            ..good(id, 0)
        };
        let held = [
            at("late", 1_787_434_200_000),
            at("early", 1_787_437_800_000),
        ];
        let count = |zone: &TimeZone| {
            let plan = plan(&held, &keep(0, 9, 0, 0), zone, NOW, true).unwrap();
            plan.iter()
                .filter(|verdict| !verdict.stays.is_empty())
                .count()
        };
        assert_eq!((count(&TimeZone::UTC), count(&zone)), (1, 2));
    }
}
