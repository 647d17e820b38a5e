//! Moments and spans of time with the methods and layouts of Go.

mod duration;
mod layout;
mod read;
mod write;

use std::sync::Arc;

use jiff::{ZonedDateTime, tz::TimeZone};

pub(crate) use duration::from_seconds as duration_from_seconds;
pub(crate) use read::read;
pub(crate) use write::write;

use crate::Value;

/// How Go shows a moment.
const SHOWN: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

/// RFC 3339 with as many digits as it takes.
pub(crate) const JSON: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// Go's zero time, the first second of the year 1.
const ZERO_MS: i64 = -62_135_596_800_000;

/// The zero time as a value.
pub(crate) fn zero() -> Value {
    Value::time_ms(ZERO_MS)
}

/// The text of a moment, a span or a named number.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Time(time) => write(time, SHOWN),
        Value::Duration(nanoseconds) => duration::text(*nanoseconds),
        Value::Named(_, name) => (*name).to_owned(),
        _ => String::new(),
    }
}

/// Calls a method of a moment, a span or a named number.
pub(crate) fn method(value: &Value, name: &str, given: &[Value]) -> Option<Result<Value, String>> {
    match value {
        _ if name == "String" && given.is_empty() => Some(Ok(text(value).into())),
        Value::Time(time) => moment(time, name, given),
        Value::Duration(nanoseconds) => duration::method(*nanoseconds, name, given),
        _ => None,
    }
}

/// The moment in the zone of the name.
pub(crate) fn in_zone(time: &ZonedDateTime, name: &str) -> Result<ZonedDateTime, String> {
    let zone = match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        "Local" => Ok(TimeZone::system()),
        name => TimeZone::get(name),
    };
    match zone {
        Ok(zone) => Ok(time.with_time_zone(zone)),
        Err(_) => Err(format!("unknown time zone {name}")),
    }
}

fn moment(time: &Arc<ZonedDateTime>, name: &str, given: &[Value]) -> Option<Result<Value, String>> {
    let wrong = || Some(Err(format!("wrong number or type of args for {name}")));
    let value = match given {
        [] => match name {
            "Unix" => Value::Int(time.timestamp().as_second()),
            "UnixMilli" => Value::Int(time.timestamp().as_millisecond()),
            "UnixMicro" => Value::Int(time.timestamp().as_microsecond()),
            "UnixNano" => Value::Int(i64::try_from(time.timestamp().as_nanosecond()).unwrap_or(0)),
            "Year" => Value::Int(time.year().into()),
            "Month" => Value::Named(time.month().into(), layout::month(time.month())),
            "Day" => Value::Int(time.day().into()),
            "Hour" => Value::Int(time.hour().into()),
            "Minute" => Value::Int(time.minute().into()),
            "Second" => Value::Int(time.second().into()),
            "Nanosecond" => Value::Int(time.subsec_nanosecond().into()),
            "YearDay" => Value::Int(time.day_of_year().into()),
            "Weekday" => {
                let day = time.weekday().to_sunday_zero_offset();
                Value::Named(day.into(), layout::weekday(day))
            }
            "IsZero" => (time.timestamp().as_millisecond() == ZERO_MS).into(),
            "UTC" => moved(time.with_time_zone(TimeZone::UTC)),
            "Local" => moved(time.with_time_zone(TimeZone::system())),
            _ if METHODS.contains(&name) => return wrong(),
            _ => return None,
        },
        [Value::Time(other)] => match name {
            "Sub" => Value::Duration(between(other, time)),
            "Before" => (time < other).into(),
            "After" => (time > other).into(),
            "Equal" => (time == other).into(),
            "Compare" => Value::Int(time.cmp(other) as i64),
            _ => return wrong(),
        },
        [Value::Duration(span)] => match name {
            "Add" => match time.checked_add(jiff::SignedDuration::from_nanos(*span)) {
                Ok(time) => moved(time),
                Err(_) => return Some(Err("time out of range".into())),
            },
            _ => return wrong(),
        },
        [Value::Int(years), Value::Int(months), Value::Int(days)] if name == "AddDate" => {
            match add_date(time, *years, *months, *days) {
                Some(time) => moved(time),
                None => return Some(Err("time out of range".into())),
            }
        }
        [layout] => match (name, layout.as_text()) {
            ("Format", Some(layout)) => write(time, layout).into(),
            _ => return wrong(),
        },
        _ => return wrong(),
    };
    Some(Ok(value))
}

/// Methods that take arguments, so that leaving those out is said as such.
const METHODS: &[&str] = &[
    "Format", "Sub", "Before", "After", "Equal", "Compare", "Add", "AddDate",
];

fn moved(time: ZonedDateTime) -> Value {
    Value::Time(Arc::new(time))
}

/// Nanoseconds from one moment to another, at most what Go's spans can hold.
pub(crate) fn between(from: &ZonedDateTime, to: &ZonedDateTime) -> i64 {
    let span = to.timestamp().as_nanosecond() - from.timestamp().as_nanosecond();
    let limit = if span < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(span).unwrap_or(limit)
}

/// Days past the end of a month run on into the next one.
fn add_date(time: &ZonedDateTime, years: i64, months: i64, days: i64) -> Option<ZonedDateTime> {
    let month = i64::from(time.year())
        .checked_add(years)?
        .checked_mul(12)?
        .checked_add(i64::from(time.month()) - 1)?
        .checked_add(months)?;
    let year = i16::try_from(month.div_euclid(12)).ok()?;
    let first = i8::try_from(month.rem_euclid(12) + 1).ok()?;
    let first = jiff::civil::Date::new(year, first, 1).ok()?;
    let days = (i64::from(time.day()) - 1).checked_add(days)?;
    let span = jiff::Span::new().try_days(days).ok()?;
    let date = first.checked_add(span).ok()?;
    let moment = date.to_datetime(time.time());
    time.time_zone().to_zoned_datetime(moment).ok()
}
