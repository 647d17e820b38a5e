//! The times of a job: its cron line in its zone, moved a little.

use healthchecks::heartbeat::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The first due time after one, both in milliseconds since 1970; `moved` is by how much
/// the job's times are later than its line says.
pub(super) fn next(cron: &Cron, zone: &TimeZone, moved: i64, after_ms: i64) -> Option<i64> {
    let after = Timestamp::from_millisecond(after_ms - moved).ok()?;
    let due = cron.next(after, zone)?;
    Some(due.as_millisecond() + moved)
}

#[cfg(test)]
mod tests {
    use backup::schedule::{Decision, Slot, decide};
    use jiff::civil::DateTime;

    use super::*;

    const TICK: i64 = 15_000;
    const HOUR: i64 = 3_600_000;
    /// By how much the job is moved.
    const MOVED: i64 = 7000;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    /// A wall clock's time in Berlin; the first of two.
    fn at(text: &str) -> i64 {
        let civil: DateTime = text.parse().unwrap();
        let at = berlin().to_ambiguous_timestamp(civil).compatible();
        at.unwrap().as_millisecond()
    }

    fn utc(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    /// When a job of this line runs from one time to another, looked at as the program
    /// does every 15 seconds, but while nobody is there.
    fn runs_but(line: &str, from_ms: i64, to_ms: i64, away: std::ops::Range<i64>) -> Vec<i64> {
        let (cron, zone) = (Cron::parse(line).unwrap(), berlin());
        let next = |after_ms| next(&cron, &zone, MOVED, after_ms);
        let (mut slot, mut runs) = (Slot::default(), Vec::new());
        for now_ms in (from_ms..to_ms).step_by(TICK.unsigned_abs() as usize) {
            if away.contains(&now_ms) {
                continue;
            }
            match decide(&mut slot, now_ms, 12 * HOUR, &next) {
                Decision::Wait => {}
                Decision::Run(due_ms) => {
                    let late_ms = now_ms - due_ms;
                    assert!(
                        late_ms < TICK || away.contains(&due_ms),
                        "{line}: it is late"
                    );
                    runs.push(due_ms - MOVED);
                }
                missed @ Decision::Missed(_) => panic!("{line}: {missed:?}"),
            }
        }
        assert!(
            runs.is_sorted_by(|one, next| one < next),
            "{line}: {runs:?}"
        );
        runs
    }

    /// The same from one noon to another, on Berlin's clocks, with somebody there all
    /// the time.
    fn runs(line: &str, from: &str, to: &str) -> Vec<DateTime> {
        let noon = |day: &str| at(&format!("{day}T12:00:00"));
        let civil = |ms: &i64| berlin().to_datetime(Timestamp::from_millisecond(*ms).unwrap());
        let runs = runs_but(line, noon(from), noon(to), 0..0);
        runs.iter().map(civil).collect()
    }

    fn days(runs: &[DateTime]) -> Vec<i8> {
        runs.iter().map(|run| run.day()).collect()
    }

    #[test]
    fn on_the_day_whose_clock_goes_forward_no_run_is_left_out() {
        let of = |line| runs(line, "2026-03-27", "2026-03-30");
        // There is no half past two on the 29th: it is as much later as the clock skips.
        let skipped = of("30 2 * * *");
        assert_eq!(days(&skipped), [28, 29, 30]);
        let times: Vec<_> = skipped
            .iter()
            .map(|run| (run.hour(), run.minute()))
            .collect();
        assert_eq!(times, [(2, 30), (3, 30), (2, 30)]);
        let later = of("30 3 * * *");
        assert_eq!(days(&later), [28, 29, 30]);
        assert!(
            later
                .iter()
                .all(|run| (run.hour(), run.minute()) == (3, 30))
        );
        assert_eq!(of("0 * * * *").len(), 3 * 24 - 1);
        assert_eq!(of("*/30 * * * *").len(), 2 * (3 * 24 - 1));
    }

    #[test]
    fn on_the_day_whose_clock_goes_back_no_run_is_done_twice() {
        let of = |line| runs(line, "2026-10-23", "2026-10-26");
        for line in ["30 2 * * *", "0 2 * * *", "0 3 * * *", "59 1 * * *"] {
            assert_eq!(days(&of(line)), [24, 25, 26], "{line}");
        }
        // Half past two comes twice on the 25th, and the first is meant.
        let noon = |day: &str| at(&format!("{day}T12:00:00"));
        assert_eq!(
            runs_but("30 2 * * *", noon("2026-10-24"), noon("2026-10-25"), 0..0),
            [utc("2026-10-25T00:30:00Z")]
        );
        // What is done every hour is done in both.
        assert_eq!(of("0 * * * *").len(), 3 * 24 + 1);
        assert_eq!(of("*/30 * * * *").len(), 2 * (3 * 24 + 1));
    }

    #[test]
    fn whoever_comes_back_on_such_a_day_makes_up_for_it_once() {
        for (line, day, away, due) in [
            // Away over the hour that is not there, back right behind it or much later.
            ("30 2 * * *", "2026-03-29", "00:50..01:40", "01:30"),
            ("30 2 * * *", "2026-03-29", "00:50..07:00", "01:30"),
            // Away in the first of the two hours alone, in the second alone, in both.
            ("30 2 * * *", "2026-10-25", "00:10..00:50", "00:30"),
            ("30 2 * * *", "2026-10-25", "01:10..01:50", "00:30"),
            ("30 2 * * *", "2026-10-25", "00:10..01:50", "00:30"),
            ("30 2 * * *", "2026-10-25", "00:10..09:00", "00:30"),
        ] {
            let on = |time: &str| utc(&format!("{day}T{time}:00Z"));
            let (gone, back) = away.split_once("..").unwrap();
            let (gone, back) = (on(gone), on(back));
            let runs = runs_but(line, on("00:00") - 12 * HOUR, on("10:00"), gone..back);
            assert_eq!(runs, [on(due)], "{line} on {day}, away {away}");
        }
        // Every hour: those that were missed are one.
        let on = |time: &str| utc(&format!("2026-10-25T{time}:00Z"));
        assert_eq!(
            runs_but(
                "0 * * * *",
                on("00:01"),
                on("03:30"),
                on("00:30")..on("02:30")
            ),
            ["01:00", "03:00"].map(on)
        );
    }
}
