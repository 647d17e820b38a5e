//! Dates in UTC, out of seconds since 1970.

/// Year, month and day of the month.
fn civil(seconds: i64) -> (i64, i64, i64) {
    // Counted from 1 March of the year 0, so that a leap day ends its year.
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn minute(seconds: i64) -> f64 {
    (seconds.rem_euclid(3600) / 60) as f64
}

pub(crate) fn hour(seconds: i64) -> f64 {
    (seconds.rem_euclid(86_400) / 3600) as f64
}

/// Sunday is 0.
pub(crate) fn day_of_week(seconds: i64) -> f64 {
    (seconds.div_euclid(86_400) + 4).rem_euclid(7) as f64
}

pub(crate) fn day_of_month(seconds: i64) -> f64 {
    civil(seconds).2 as f64
}

pub(crate) fn day_of_year(seconds: i64) -> f64 {
    let (year, month, day) = civil(seconds);
    let before: i64 = (1..month).map(|month| days_of(year, month)).sum();
    (before + day) as f64
}

pub(crate) fn days_in_month(seconds: i64) -> f64 {
    let (year, month, _) = civil(seconds);
    days_of(year, month) as f64
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(crate) fn month(seconds: i64) -> f64 {
    civil(seconds).1 as f64
}

pub(crate) fn year(seconds: i64) -> f64 {
    civil(seconds).0 as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_have_their_dates() {
        for (seconds, date, of_week, of_year) in [
            (0, (1970, 1, 1), 4.0, 1.0),
            (-1, (1969, 12, 31), 3.0, 365.0),
            (951_782_400, (2000, 2, 29), 2.0, 60.0),
            (1_136_239_445, (2006, 1, 2), 1.0, 2.0),
            (1_483_191_420, (2016, 12, 31), 6.0, 366.0),
            (4_107_542_400, (2100, 3, 1), 1.0, 60.0),
        ] {
            assert_eq!(civil(seconds), date);
            assert_eq!(day_of_week(seconds), of_week, "{seconds}");
            assert_eq!(day_of_year(seconds), of_year, "{seconds}");
        }
        assert_eq!(days_in_month(951_782_400), 29.0);
        assert_eq!((hour(-1), minute(-1)), (23.0, 59.0));
    }
}
