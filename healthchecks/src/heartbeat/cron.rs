//! Cron lines: five fields, names of months and days, `@daily` and the like.
//!
//! A time that the clocks skip is taken as much later as they skip; one that comes
//! twice counts each time for lines of every hour, and the first time for all others.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// When something is due, as cron says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Cron's rule: with both a day and a weekday, either will do.
    either: bool,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The hours of a line that says `*` of them.
const EVERY_HOUR: u64 = (1 << 24) - 1;
/// So many minutes of a day may come twice.
const REPEATED: usize = 180;
/// The 29th of February comes once in 8 years around 2100; no line waits longer.
const MOST_DAYS: usize = 366 * 9;

impl Cron {
    /// Reads a line; the error says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = match line.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            line => line,
        };
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!(
                "a cron line has 5 fields or is @hourly, @daily, @weekly, @monthly or @yearly; this has {}",
                fields.len()
            ));
        };
        let mut weekday_set = field(weekdays, 0, 7, &WEEKDAYS, 0)?;
        // Sunday is 0 and 7.
        weekday_set |= weekday_set >> 7;
        let cron = Self {
            minutes: field(minutes, 0, 59, &[], 0)?,
            hours: field(hours, 0, 23, &[], 0)?,
            days: field(days, 1, 31, &[], 0)?,
            months: field(months, 1, 12, &MONTHS, 1)?,
            weekdays: weekday_set & 0x7f,
            either: !days.starts_with('*') && !weekdays.starts_with('*'),
        };
        let first = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        match cron.next_civil(first) {
            Some(_) => Ok(cron),
            None => Err("no day is ever like this".to_owned()),
        }
    }

    /// The first due time after `after`, in a time zone. Where the clocks are set back, a
    /// line of every hour is due in both hours of one name, any other in the first alone.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.hours == EVERY_HOUR
            && let Some(soon) = self.soon(after, zone)
        {
            return Some(soon);
        }
        let mut civil = zone.to_datetime(after);
        // Where they were set back, a civil time may lie before `after`.
        for _ in 0..REPEATED {
            civil = self.next_civil(civil)?;
            let due = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
            if due > after {
                return Some(due);
            }
        }
        None
    }

    /// The first due minute of the next two hours, counted as they pass.
    fn soon(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let minute = after.as_second().div_euclid(60);
        (1..=120).find_map(|later| {
            let at = Timestamp::from_second((minute + later) * 60).ok()?;
            let civil = zone.to_datetime(at);
            let due = civil.second() == 0
                && self.minutes >> civil.minute() & 1 == 1
                && self.day_matches(civil.date());
            due.then_some(at)
        })
    }

    /// The first due minute after `from`, on the wall clock.
    fn next_civil(&self, from: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        // Of the first day only what is left of it.
        let mut begin = u32::from(from.hour().unsigned_abs()) * 60
            + u32::from(from.minute().unsigned_abs())
            + 1;
        for _ in 0..MOST_DAYS {
            if self.day_matches(date)
                && let Some(at) = (begin..24 * 60).find(|at| {
                    self.minutes >> (at % 60) & 1 == 1 && self.hours >> (at / 60) & 1 == 1
                })
            {
                return Some(date.at(
                    i8::try_from(at / 60).ok()?,
                    i8::try_from(at % 60).ok()?,
                    0,
                    0,
                ));
            }
            date = date.tomorrow().ok()?;
            begin = 0;
        }
        None
    }

    fn day_matches(&self, date: Date) -> bool {
        let has = |set: u64, value: i8| set >> value & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month())
            && if self.either {
                day || weekday
            } else {
                day && weekday
            }
    }
}

/// A field as a set of bits.
fn field(text: &str, low: u32, high: u32, names: &[&str], first: u32) -> Result<u64, String> {
    let number = |word: &str| -> Result<u32, String> {
        let lower = word.to_ascii_lowercase();
        if let Some(at) = names.iter().position(|name| *name == lower) {
            return Ok(u32::try_from(at).unwrap_or_default() + first);
        }
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let value = word
            .parse()
            .ok()
            .filter(|value| digits && (low..=high).contains(value));
        value.ok_or_else(|| format!("{word:?} is not between {low} and {high}"))
    };
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                step.parse()
                    .ok()
                    .filter(|step| (1..=high).contains(step))
                    .ok_or_else(|| format!("{step:?} is no step"))?,
            ),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            // `5/10` means from 5 on.
            None => (
                number(range)?,
                if part.contains('/') {
                    high
                } else {
                    number(range)?
                },
            ),
        };
        if from > to {
            return Err(format!("{range:?} runs backwards"));
        }
        for value in (from..=to).step_by(step as usize) {
            set |= 1 << value;
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(line: &str, after: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let after = after.parse::<Timestamp>().unwrap();
        let next = Cron::parse(line).unwrap().next(after, &zone).unwrap();
        next.to_string()
    }

    #[test]
    fn the_next_time_is_found() {
        for (line, after, due) in [
            ("* * * * *", "2026-03-01T10:00:00Z", "2026-03-01T10:01:00Z"),
            (
                "*/15 * * * *",
                "2026-03-01T10:46:00Z",
                "2026-03-01T11:00:00Z",
            ),
            (
                "5/20 * * * *",
                "2026-03-01T10:06:00Z",
                "2026-03-01T10:25:00Z",
            ),
            ("10 3 * * *", "2026-03-01T03:10:00Z", "2026-03-02T03:10:00Z"),
            (
                "0 9-17/4 * * mon-fri",
                "2026-02-27T17:30:00Z",
                "2026-03-02T09:00:00Z",
            ),
            (
                "0 0 13 * fri",
                "2026-02-13T00:00:00Z",
                "2026-02-20T00:00:00Z",
            ),
            ("0 0 31 * *", "2026-02-01T00:00:00Z", "2026-03-31T00:00:00Z"),
            (
                "0 0 29 feb *",
                "2026-02-01T00:00:00Z",
                "2028-02-29T00:00:00Z",
            ),
            ("0 12 * * 7", "2026-03-02T00:00:00Z", "2026-03-08T12:00:00Z"),
            ("@monthly", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ] {
            assert_eq!(next(line, after, "UTC"), due, "{line}");
        }
    }

    #[test]
    fn clocks_that_are_changed_skip_nothing_and_run_nothing_backwards() {
        // In Berlin 02:00 to 03:00 does not exist on 2026-03-29, and comes twice on 2026-10-25.
        for (line, after, due) in [
            ("30 2 * * *", "2026-03-28T02:00:00Z", "2026-03-29T01:30:00Z"),
            ("30 2 * * *", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"),
            ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            (
                "*/30 * * * *",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
            ),
            // Within the second of the two hours: it was due in the first.
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            ("30 2 * * *", "2026-10-25T01:00:00Z", "2026-10-26T01:30:00Z"),
            ("* 2 * * *", "2026-10-25T01:00:00Z", "2026-10-26T01:00:00Z"),
            (
                "*/30 * * * *",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
            ),
            ("0 4 * * *", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"),
        ] {
            assert_eq!(
                next(line, after, "Europe/Berlin"),
                due,
                "{line} after {after}"
            );
        }
    }

    #[test]
    fn what_is_no_cron_line_is_refused() {
        for line in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "x * * * *",
            "+1 * * * *",
            "0 0 30 2 *",
            "@often",
        ] {
            assert!(Cron::parse(line).is_err(), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_every_next_time_is_later(line in "[-*/,0-9a-z ]{0,24}", after in 0_i64..4_000_000_000) {
            if let Ok(cron) = Cron::parse(&line) {
                let after = Timestamp::from_second(after).unwrap();
                if let Some(next) = cron.next(after, &TimeZone::get("America/Sao_Paulo").unwrap()) {
                    assert!(next > after);
                }
            }
        }
    }
}
