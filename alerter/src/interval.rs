//! Time intervals: whether a moment lies in `monday:friday`, `09:00` to `17:00`.
//!
//! Pure: the time and the zone are parameters. Nothing here knows what an
//! interval is used for.

mod range;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub(crate) use range::{clock, day_of_month, month, weekday, year};

/// A named interval: it holds while one of its spans does.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    /// Its name, unique.
    pub name: Arc<str>,
    /// Any of them.
    pub spans: Vec<Span>,
}

/// Conditions on a moment, all of which have to hold. Of each list one entry
/// has to; an empty list is no condition.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// Minutes of the day: from the first, up to but not including the second.
    pub times: Vec<(i32, i32)>,
    /// Days of the week, Sunday being 0.
    pub weekdays: Vec<(i32, i32)>,
    /// Days of the month from 1, or from its end by -1.
    pub days_of_month: Vec<(i32, i32)>,
    /// Months from 1.
    pub months: Vec<(i32, i32)>,
    /// Years.
    pub years: Vec<(i32, i32)>,
    /// Where all that is meant.
    pub zone: TimeZone,
}

impl Interval {
    /// Whether it holds at `now_ms`, milliseconds since 1970.
    #[must_use]
    pub(crate) fn holds(&self, now_ms: i64) -> bool {
        let Ok(now) = Timestamp::from_millisecond(now_ms) else {
            return false;
        };
        self.spans
            .iter()
            .any(|span| span.holds(span.zone.to_datetime(now)))
    }
}

impl Span {
    fn holds(&self, now: DateTime) -> bool {
        let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
        let days = i32::from(now.days_in_month());
        let day = i32::from(now.day());
        let within = |ranges: &[(i32, i32)], value: i32| {
            ranges.is_empty()
                || ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&value))
        };
        let in_month = |(first, last): &(i32, i32)| {
            let from_start = |day: i32| if day < 0 { days + day + 1 } else { day };
            let (first, last) = (from_start(*first), from_start(*last).min(days));
            first <= days && (first..=last).contains(&day)
        };
        (self.times.is_empty()
            || self
                .times
                .iter()
                .any(|(from, to)| (*from..*to).contains(&minute)))
            && within(
                &self.weekdays,
                i32::from(now.weekday().to_sunday_zero_offset()),
            )
            && (self.days_of_month.is_empty() || self.days_of_month.iter().any(in_month))
            && within(&self.months, i32::from(now.month()))
            && within(&self.years, i32::from(now.year()))
    }
}

#[cfg(test)]
mod tests;
