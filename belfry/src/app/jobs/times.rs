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

    /// When a job of this line runs from one noon to another of Berlin, looked at as the
    /// program does: every 15 seconds.
    fn runs(line: &str, from: &str, to: &str) -> Vec<DateTime> {
        let (cron, zone) = (
            Cron::parse(line).unwrap(),
            TimeZone::get("Europe/Berlin").unwrap(),
        );
        let at = |day: &str| {
            let noon: DateTime = format!("{day}T12:00:00").parse().unwrap();
            let noon = zone.to_ambiguous_timestamp(noon).compatible();
            noon.unwrap().as_millisecond()
        };
        let next = |after_ms| next(&cron, &zone, 7000, after_ms);
        let (mut slot, mut runs) = (Slot::default(), Vec::new());
        for now_ms in (at(from)..at(to)).step_by(TICK.unsigned_abs() as usize) {
            if let Decision::Run(due_ms) = decide(&mut slot, now_ms, 3_600_000, &next) {
                assert!(now_ms - due_ms < TICK, "{line}: it is late");
                runs.push(due_ms - 7000);
            }
        }
        assert!(
            runs.is_sorted_by(|one, next| one < next),
            "{line}: {runs:?}"
        );
        let civil = |ms: &i64| zone.to_datetime(Timestamp::from_millisecond(*ms).unwrap());
        runs.iter().map(civil).collect()
    }

    fn days(runs: &[DateTime]) -> Vec<i8> {
        runs.iter().map(|run| run.day()).collect()
    }

    #[test]
    fn on_the_day_whose_clock_goes_forward_no_run_is_left_out() {
        let of = |line| runs(line, "2026-03-27", "2026-03-30");
        // There is no half past two on the 29th.
        assert_eq!(days(&of("30 2 * * *")), [28, 29, 30]);
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
}
