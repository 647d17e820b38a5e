//! When cron lines of Celery's beat are due: the exporters are told, since they know
//! no calendar.

use healthchecks::heartbeat::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::Config;

/// The first time after a moment, both in seconds since 1970.
pub(super) fn due(line: &str, zone: &str, after: f64) -> Option<f64> {
    let cron = Cron::parse(line).ok()?;
    let zone = TimeZone::get(zone).ok()?;
    let after = Timestamp::from_microsecond((after * 1e6) as i64).ok()?;
    let due = cron.next(after, &zone)?;
    Some(due.as_microsecond() as f64 / 1e6)
}

/// Lines and zones that are none, as (key, message).
pub(crate) fn faults(config: &Config) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    for (at, beat) in config.exporter.celery.beat.iter().enumerate() {
        let key = format!("exporter.celery.beat[{at}]");
        if beat.cron.is_empty() {
            continue;
        }
        if let Err(message) = Cron::parse(&beat.cron) {
            faults.push((format!("{key}.cron"), message));
        }
        if TimeZone::get(&beat.timezone).is_err() {
            let message = format!("no IANA time zone is named {:?}", beat.timezone);
            faults.push((format!("{key}.timezone"), message));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_by_the_clock_of_its_zone() {
        // The 1st of July 2026 at noon in UTC, a Wednesday.
        let noon = 1_782_907_200.0;
        let hour = 3600.0;
        for (line, zone, want) in [
            ("0 13 * * *", "UTC", Some(noon + hour)),
            ("0 15 * * *", "Europe/Berlin", Some(noon + hour)),
            ("0 12 * * mon-fri", "UTC", Some(noon + 24.0 * hour)),
            ("0 12 * * sat", "UTC", Some(noon + 72.0 * hour)),
            ("noon", "UTC", None),
            ("0 13 * * *", "Nowhere/Here", None),
        ] {
            assert_eq!(due(line, zone, noon), want, "{line} {zone}");
        }
    }

    #[test]
    fn what_is_no_line_or_no_zone_is_a_fault() {
        let text = "celery: {beat: [{task: a}, {task: b, cron: '* *'}, {task: c, cron: '@daily', timezone: Berlin}]}";
        let config = Config {
            exporter: settings::read("x.yml".as_ref(), text, &|_| None).unwrap(),
            ..Config::default()
        };
        let faults = faults(&config);
        let keys: Vec<&str> = faults.iter().map(|(key, _)| key.as_str()).collect();
        let wanted = [
            "exporter.celery.beat[1].cron",
            "exporter.celery.beat[2].timezone",
        ];
        assert_eq!(keys, wanted);
    }
}
