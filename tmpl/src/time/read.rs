//! Reads a moment by a layout.

use jiff::{
    ZonedDateTime,
    civil::{Date, DateTime, Time},
    tz::{self, TimeZone},
};

use super::layout::{self, Offset, Part, parts};

/// The moment that the text says; nothing if it does not fit the layout.
pub(crate) fn read(layout: &str, text: &str) -> Option<ZonedDateTime> {
    let mut read = Read {
        rest: text,
        year: 0,
        month: None,
        day: None,
        day_of_year: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        afternoon: None,
        offset: None,
    };
    let parts = parts(layout);
    for (at, part) in parts.iter().enumerate() {
        read.part(*part, parts.get(at + 1))?;
    }
    read.finish()
}

struct Read<'a> {
    rest: &'a str,
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    afternoon: Option<bool>,
    /// Seconds east of UTC.
    offset: Option<i32>,
}

impl Read<'_> {
    fn part(&mut self, part: Part<'_>, next: Option<&Part<'_>>) -> Option<()> {
        match part {
            Part::Text(text) => self.rest = self.rest.strip_prefix(text)?,
            Part::LongMonth | Part::Month => {
                let (month, length) = layout::find_month(self.rest, part == Part::LongMonth)?;
                self.month = Some(month);
                self.rest = &self.rest[length..];
            }
            Part::LongWeekday | Part::Weekday => {
                let length = layout::find_weekday(self.rest, part == Part::LongWeekday)?;
                self.rest = &self.rest[length..];
            }
            Part::NumberMonth => self.month = Some(self.number(1, 2)?),
            Part::ZeroMonth => self.month = Some(self.number(2, 2)?),
            Part::Day => self.day = Some(self.number(1, 2)?),
            Part::SpaceDay => {
                self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                self.day = Some(self.number(1, 2)?);
            }
            Part::ZeroDay => self.day = Some(self.number(2, 2)?),
            Part::SpaceYearDay | Part::ZeroYearDay => {
                self.rest = self.rest.trim_start_matches(' ');
                self.day_of_year = Some(self.number(1, 3)?);
            }
            Part::Hour => self.hour = self.number(2, 2)?,
            Part::Hour12 => self.hour = self.number(1, 2)?,
            Part::ZeroHour12 => self.hour = self.number(2, 2)?,
            Part::Minute => self.minute = self.number(1, 2)?,
            Part::ZeroMinute => self.minute = self.number(2, 2)?,
            Part::Second | Part::ZeroSecond => {
                self.second = self.number(if part == Part::Second { 1 } else { 2 }, 2)?;
                // Digits after the second are read even where none are laid out.
                if !matches!(next, Some(Part::Fraction { .. })) {
                    self.fraction(None);
                }
            }
            Part::LongYear => self.year = self.number(4, 4)?,
            Part::Year => {
                let year: i16 = self.number(2, 2)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Part::Half(_) => {
                let half = self.rest.get(..2)?;
                self.afternoon = Some(half.eq_ignore_ascii_case("PM"));
                (half.eq_ignore_ascii_case("PM") || half.eq_ignore_ascii_case("AM"))
                    .then_some(())?;
                self.rest = &self.rest[2..];
            }
            Part::Zone => {
                let length = self.rest.bytes().take_while(u8::is_ascii_uppercase).count();
                (3..=5).contains(&length).then_some(())?;
                // Only UTC is a zone by its abbreviation; others are not unique.
                self.offset = self.offset.or(Some(0));
                self.rest = &self.rest[length..];
            }
            Part::Offset(how) => self.offset(how)?,
            Part::Fraction {
                digits,
                trims: false,
                ..
            } => self.fraction(Some(digits)).then_some(())?,
            Part::Fraction { .. } => {
                self.fraction(None);
            }
        }
        Some(())
    }

    /// A number of at least and at most so many digits.
    fn number<T: std::str::FromStr>(&mut self, least: usize, most: usize) -> Option<T> {
        let digits = self
            .rest
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok().filter(|_| digits >= least)
    }

    /// A separator and digits, exactly so many if that is known.
    fn fraction(&mut self, wanted: Option<usize>) -> bool {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else {
            return false;
        };
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || wanted.is_some_and(|wanted| digits != wanted) {
            return false;
        }
        let nine: String = after[..digits]
            .chars()
            .chain("000000000".chars())
            .take(9)
            .collect();
        self.nanosecond = nine.parse().unwrap_or(0);
        self.rest = &after[digits..];
        true
    }

    fn offset(&mut self, how: Offset) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix('Z').filter(|_| how.z) {
            self.rest = rest;
            self.offset = Some(0);
            return Some(());
        }
        let sign = match self.rest.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.rest = &self.rest[1..];
        let mut seconds = self.number::<i32>(2, 2)? * 3600;
        for (there, unit) in [(how.minutes, 60), (how.seconds, 1)] {
            if there {
                if how.colon {
                    self.rest = self.rest.strip_prefix(':')?;
                }
                seconds += self.number::<i32>(2, 2)? * unit;
            }
        }
        self.offset = Some(sign * seconds);
        Some(())
    }

    fn finish(self) -> Option<ZonedDateTime> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = match self.day_of_year {
            Some(day) => Date::new(self.year, 1, 1)
                .ok()?
                .with()
                .day_of_year(day)
                .build()
                .ok()?,
            None => Date::new(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?,
        };
        let time = Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        let zone = match self.offset {
            None | Some(0) => TimeZone::UTC,
            Some(seconds) => TimeZone::fixed(tz::Offset::from_seconds(seconds).ok()?),
        };
        let time = zone
            .to_zoned_datetime(DateTime::from_parts(date, time))
            .ok()?;
        self.rest.is_empty().then_some(time)
    }
}
