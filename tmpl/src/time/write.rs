//! Writes a moment by a layout.

use jiff::ZonedDateTime;

use super::layout::{self, Offset, Part, parts};

/// The moment as the layout wants it.
pub(crate) fn write(time: &ZonedDateTime, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 8);
    for part in parts(layout) {
        one(&mut out, time, part);
    }
    out
}

fn one(out: &mut String, time: &ZonedDateTime, part: Part<'_>) {
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let text = match part {
        Part::Text(text) => text.to_owned(),
        Part::LongMonth => layout::month(time.month()).to_owned(),
        Part::Month => layout::month(time.month())[..3].to_owned(),
        Part::NumberMonth => time.month().to_string(),
        Part::ZeroMonth => format!("{:02}", time.month()),
        Part::LongWeekday => weekday(time).to_owned(),
        Part::Weekday => weekday(time)[..3].to_owned(),
        Part::Day => time.day().to_string(),
        Part::SpaceDay => format!("{:2}", time.day()),
        Part::ZeroDay => format!("{:02}", time.day()),
        Part::SpaceYearDay => format!("{:3}", time.day_of_year()),
        Part::ZeroYearDay => format!("{:03}", time.day_of_year()),
        Part::Hour => format!("{:02}", time.hour()),
        Part::Hour12 => hour12.to_string(),
        Part::ZeroHour12 => format!("{hour12:02}"),
        Part::Minute => time.minute().to_string(),
        Part::ZeroMinute => format!("{:02}", time.minute()),
        Part::Second => time.second().to_string(),
        Part::ZeroSecond => format!("{:02}", time.second()),
        Part::LongYear => format!("{:04}", time.year()),
        Part::Year => format!("{:02}", time.year().rem_euclid(100)),
        Part::Half(lower) => match (time.hour() >= 12, lower) {
            (true, false) => "PM".into(),
            (false, false) => "AM".into(),
            (true, true) => "pm".into(),
            (false, true) => "am".into(),
        },
        Part::Zone => zone(time),
        Part::Offset(how) => offset(time.offset().seconds(), how),
        Part::Fraction {
            separator,
            digits,
            trims,
        } => fraction(time.subsec_nanosecond(), separator, digits, trims),
    };
    out.push_str(&text);
}

fn weekday(time: &ZonedDateTime) -> &'static str {
    layout::weekday(time.weekday().to_sunday_zero_offset())
}

/// The abbreviation of the zone, or its offset where it has none.
fn zone(time: &ZonedDateTime) -> String {
    let info = time.time_zone().to_offset_info(time.timestamp());
    let name = info.abbreviation();
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name.to_owned(),
        false => {
            let seconds = time.offset().seconds();
            let minutes = seconds % 3600 != 0;
            offset(
                seconds,
                Offset {
                    z: false,
                    colon: false,
                    minutes,
                    seconds: false,
                },
            )
        }
    }
}

fn offset(seconds: i32, how: Offset) -> String {
    if how.z && seconds == 0 {
        return "Z".into();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    let colon = if how.colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}", seconds / 3600);
    if how.minutes {
        text.push_str(&format!("{colon}{:02}", seconds / 60 % 60));
    }
    if how.seconds {
        text.push_str(&format!("{colon}{:02}", seconds % 60));
    }
    text
}

fn fraction(nanoseconds: i32, separator: char, digits: usize, trims: bool) -> String {
    let all = format!("{nanoseconds:09}");
    let shown = &all[..digits.min(9)];
    let shown = if trims {
        shown.trim_end_matches('0')
    } else {
        shown
    };
    match shown.is_empty() {
        true => String::new(),
        false => format!("{separator}{shown}"),
    }
}
