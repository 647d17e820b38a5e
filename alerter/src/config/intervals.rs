//! From the time interval sections to intervals.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::compile::Problems;
use super::{Config, TimeInterval, TimeSpan};
use crate::interval::{self, Interval, Span};

/// Both lists, which share their names.
pub(super) fn compile(config: &Config, problems: &mut Problems) -> Vec<Interval> {
    let mut found = Vec::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let lists: [(&str, &str, &[TimeInterval]); 2] = [
        (
            "mute_time_intervals",
            "mute time interval",
            &config.mute_time_intervals,
        ),
        ("time_intervals", "time interval", &config.time_intervals),
    ];
    for (field, what, list) in lists {
        for (at, section) in list.iter().enumerate() {
            let key = format!("alerter.{field}[{at}]");
            let name = &section.name;
            if name.is_empty() {
                problems.add(format!("{key}.name"), format!("missing name in {what}"));
            } else if names.insert(name, found.len()).is_some() {
                problems.add(
                    format!("{key}.name"),
                    format!("{what} {name:?} is not unique"),
                );
            }
            let spans = section.time_intervals.iter().enumerate();
            let spans = spans
                .map(|(at, section)| {
                    span(section, &format!("{key}.time_intervals[{at}]"), problems)
                })
                .collect();
            found.push(Interval {
                name: name.as_str().into(),
                spans,
            });
        }
    }
    found
}

fn span(section: &TimeSpan, key: &str, problems: &mut Problems) -> Span {
    let mut ranges =
        |name: &str, texts: &[String], read: fn(&str) -> Result<(i32, i32), String>| {
            let mut found = Vec::new();
            for (at, text) in texts.iter().enumerate() {
                match read(text) {
                    Ok(range) => found.push(range),
                    Err(err) => problems.add(format!("{key}.{name}[{at}]"), err),
                }
            }
            found
        };
    let weekdays = ranges("weekdays", &section.weekdays, interval::weekday);
    let days_of_month = ranges(
        "days_of_month",
        &section.days_of_month,
        interval::day_of_month,
    );
    let months = ranges("months", &section.months, interval::month);
    let years = ranges("years", &section.years, interval::year);
    let mut times = Vec::new();
    for (at, section) in section.times.iter().enumerate() {
        match time(&section.start_time, &section.end_time) {
            Ok(range) => times.push(range),
            Err(err) => problems.add(format!("{key}.times[{at}]"), err),
        }
    }
    let zone = zone(&section.location).unwrap_or_else(|err| {
        problems.add(format!("{key}.location"), err);
        TimeZone::UTC
    });
    Span {
        times,
        weekdays,
        days_of_month,
        months,
        years,
        zone,
    }
}

fn time(start: &str, end: &str) -> Result<(i32, i32), String> {
    if start.is_empty() || end.is_empty() {
        return Err("both start and end times must be provided".into());
    }
    let (start, end) = (interval::clock(start)?, interval::clock(end)?);
    match start >= end {
        true => Err("start time cannot be equal or greater than end time".into()),
        false => Ok((start, end)),
    }
}

pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        "Local" => Ok(TimeZone::system()),
        _ => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}")),
    }
}
