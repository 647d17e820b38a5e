//! Reading ranges: `monday:friday`, `1:5`, `-3:-1`, `january:march`, `09:00`.

const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The shortest month: what is empty in it may be empty in some month, what is
/// backwards in it is so in every one.
const SHORTEST: i32 = 28;

/// Days of the week; Sunday is 0.
pub(crate) fn weekday(text: &str) -> Result<(i32, i32), String> {
    let (first, last) = ends(text, |word| {
        place(&WEEKDAYS, word).ok_or_else(|| format!("{word} is not a valid weekday"))
    })?;
    match first > last {
        true => Err("start day cannot be before end day".into()),
        false => Ok((first, last)),
    }
}

/// Days of the month, counted from its end where they are negative.
pub(crate) fn day_of_month(text: &str) -> Result<(i32, i32), String> {
    let (first, last) = ends(text, number)?;
    for day in [first, last] {
        if day == 0 || day.abs() > 31 {
            return Err(format!(
                "{day} is not a valid day of the month: out of range"
            ));
        }
    }
    if first < 0 && last > 0 {
        return Err("end day must be negative if start day is negative".into());
    }
    let from_start = |day: i32| if day < 0 { SHORTEST + day + 1 } else { day };
    match from_start(first) > from_start(last) {
        true => Err(format!("end day {last} is always before start day {first}")),
        false => Ok((first, last)),
    }
}

/// Months by name or number; January is 1.
pub(crate) fn month(text: &str) -> Result<(i32, i32), String> {
    let (first, last) = ends(text, |word| match place(&MONTHS, word) {
        Some(place) => Ok(place + 1),
        None => word
            .parse()
            .map_err(|_| format!("{word} is not a valid month")),
    })?;
    let name = |month: i32| {
        let place = usize::try_from(month - 1).ok();
        place
            .and_then(|place| MONTHS.get(place))
            .map_or("", |name| *name)
    };
    match first > last {
        true => {
            let (first, last) = (name(first), name(last));
            Err(format!("end month {last} is before start month {first}"))
        }
        false => Ok((first, last)),
    }
}

/// Years.
pub(crate) fn year(text: &str) -> Result<(i32, i32), String> {
    let (first, last) = ends(text, number)?;
    match first > last {
        true => Err(format!("end year {last} is before start year {first}")),
        false => Ok((first, last)),
    }
}

/// A time of the day in minutes; `24:00` is its end.
pub(crate) fn clock(text: &str) -> Result<i32, String> {
    let wrong = || format!("couldn't parse timestamp {text}, invalid format");
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let part = |part: &str, below: i32| {
        let digits = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_digit());
        let value: i32 = part.parse().ok()?;
        (digits && value < below).then_some(value)
    };
    match (part(hours, 25), part(minutes, 60)) {
        (Some(24), Some(0)) => Ok(24 * 60),
        (Some(hours @ 0..24), Some(minutes)) => Ok(hours * 60 + minutes),
        _ => Err(wrong()),
    }
}

fn ends(text: &str, read: impl Fn(&str) -> Result<i32, String>) -> Result<(i32, i32), String> {
    let text = text.to_lowercase();
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [one] => read(one).map(|value| (value, value)),
        [first, last] => Ok((read(first)?, read(last)?)),
        _ => Err(format!("couldn't parse range {text}, invalid format")),
    }
}

fn number(word: &str) -> Result<i32, String> {
    word.parse()
        .map_err(|_| format!("strconv.Atoi: parsing {word:?}: invalid syntax"))
}

fn place(names: &[&str], word: &str) -> Option<i32> {
    let place = names.iter().position(|name| *name == word)?;
    i32::try_from(place).ok()
}
