//! Go's layouts: which parts of the reference time stand where.

/// A part of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    /// PM, in lower case if so asked.
    Half(bool),
    Zone,
    /// An offset from UTC.
    Offset(Offset),
    /// Digits of the second with their separator; those at the end may be left
    /// out if they are zeros.
    Fraction {
        separator: char,
        digits: usize,
        trims: bool,
    },
}

/// How an offset from UTC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    /// UTC itself is Z.
    pub(super) z: bool,
    pub(super) colon: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The name of a month, counted from one.
pub(super) fn month(number: i8) -> &'static str {
    usize::try_from(number - 1).map_or("", |at| MONTHS[at % 12])
}

/// The name of a day, counted from Sunday as zero.
pub(super) fn weekday(number: i8) -> &'static str {
    usize::try_from(number).map_or("", |at| WEEKDAYS[at % 7])
}

/// The month that a text begins with, and how long its name is.
pub(super) fn find_month(text: &str, long: bool) -> Option<(i8, usize)> {
    find(&MONTHS, text, long).map(|(at, length)| (at + 1, length))
}

/// How long the weekday is that a text begins with.
pub(super) fn find_weekday(text: &str, long: bool) -> Option<usize> {
    find(&WEEKDAYS, text, long).map(|(_, length)| length)
}

fn find(names: &[&str], text: &str, long: bool) -> Option<(i8, usize)> {
    (0_i8..).zip(names).find_map(|(at, name)| {
        let length = if long { name.len() } else { 3 };
        let begins = text.get(..length)?.eq_ignore_ascii_case(&name[..length]);
        begins.then_some((at, length))
    })
}

/// Cuts a layout into its parts.
pub(super) fn parts(layout: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while let Some(c) = layout[at..].chars().next() {
        let Some((part, length)) = part(&layout[at..]) else {
            at += c.len_utf8();
            continue;
        };
        if plain < at {
            parts.push(Part::Text(&layout[plain..at]));
        }
        parts.push(part);
        at += length;
        plain = at;
    }
    if plain < layout.len() {
        parts.push(Part::Text(&layout[plain..]));
    }
    parts
}

/// The part that a layout begins with, and its length.
fn part(rest: &str) -> Option<(Part<'static>, usize)> {
    let offset = |z, colon, minutes, seconds| {
        Part::Offset(Offset {
            z,
            colon,
            minutes,
            seconds,
        })
    };
    let known: &[(&str, Part<'static>)] = match *rest.as_bytes().first()? {
        b'J' => &[("January", Part::LongMonth), ("Jan", Part::Month)],
        b'M' => &[
            ("Monday", Part::LongWeekday),
            ("Mon", Part::Weekday),
            ("MST", Part::Zone),
        ],
        b'0' => &[
            ("002", Part::ZeroYearDay),
            ("01", Part::ZeroMonth),
            ("02", Part::ZeroDay),
            ("03", Part::ZeroHour12),
            ("04", Part::ZeroMinute),
            ("05", Part::ZeroSecond),
            ("06", Part::Year),
        ],
        b'1' => &[("15", Part::Hour), ("1", Part::NumberMonth)],
        b'2' => &[("2006", Part::LongYear), ("2", Part::Day)],
        b'_' if rest.starts_with("_2006") => return None,
        b'_' => &[("__2", Part::SpaceYearDay), ("_2", Part::SpaceDay)],
        b'3' => &[("3", Part::Hour12)],
        b'4' => &[("4", Part::Minute)],
        b'5' => &[("5", Part::Second)],
        b'P' => &[("PM", Part::Half(false))],
        b'p' => &[("pm", Part::Half(true))],
        b'-' => &[
            ("-07:00:00", offset(false, true, true, true)),
            ("-070000", offset(false, false, true, true)),
            ("-07:00", offset(false, true, true, false)),
            ("-0700", offset(false, false, true, false)),
            ("-07", offset(false, false, false, false)),
        ],
        b'Z' => &[
            ("Z07:00:00", offset(true, true, true, true)),
            ("Z070000", offset(true, false, true, true)),
            ("Z07:00", offset(true, true, true, false)),
            ("Z0700", offset(true, false, true, false)),
            ("Z07", offset(true, false, false, false)),
        ],
        b'.' | b',' => return fraction(rest),
        _ => return None,
    };
    let found = known.iter().find(|(text, part)| {
        // "Janet" is no month, "January" is.
        let word = matches!(part, Part::Month | Part::Weekday);
        let goes_on = |c: char| c.is_ascii_lowercase();
        rest.starts_with(text) && !(word && rest[text.len()..].starts_with(goes_on))
    });
    found.map(|(text, part)| (*part, text.len()))
}

/// `.000` or `.999`, neither of which may go on with more digits.
fn fraction(rest: &str) -> Option<(Part<'static>, usize)> {
    let separator = rest.chars().next()?;
    let digit = rest[1..]
        .chars()
        .next()
        .filter(|c| matches!(c, '0' | '9'))?;
    let digits = rest[1..].chars().take_while(|c| *c == digit).count();
    let ends = !rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit());
    let trims = digit == '9';
    ends.then_some((
        Part::Fraction {
            separator,
            digits,
            trims,
        },
        1 + digits,
    ))
}
