use super::*;

fn span() -> Span {
    Span {
        times: vec![],
        weekdays: vec![],
        days_of_month: vec![],
        months: vec![],
        years: vec![],
        zone: TimeZone::UTC,
    }
}

fn holds(span: Span, time: &str) -> bool {
    let interval = Interval {
        name: "x".into(),
        spans: vec![span],
    };
    let now: Timestamp = time.parse().unwrap();
    interval.holds(now.as_millisecond())
}

#[test]
fn the_start_of_a_time_belongs_to_it_and_its_end_does_not() {
    let times = vec![(9 * 60, 17 * 60), (23 * 60, 24 * 60)];
    for (clock, wanted) in [
        ("08:59:59", false),
        ("09:00:00", true),
        ("16:59:59", true),
        ("17:00:00", false),
        ("23:59:59", true),
        ("00:00:00", false),
    ] {
        let span = Span {
            times: times.clone(),
            ..span()
        };
        assert_eq!(
            holds(span, &format!("2026-01-02T{clock}Z")),
            wanted,
            "{clock}"
        );
    }
}

#[test]
fn days_of_the_month_count_from_either_end() {
    for (range, time, wanted) in [
        ((1, 5), "2026-02-05T12:00:00Z", true),
        ((1, 5), "2026-02-06T00:00:00Z", false),
        ((-3, -1), "2026-02-26T00:00:00Z", true),
        ((-3, -1), "2026-02-25T23:59:00Z", false),
        ((-3, -1), "2028-02-29T23:59:00Z", true),
        ((-1, -1), "2028-02-28T23:59:00Z", false),
        ((25, -1), "2026-04-30T00:00:00Z", true),
        ((30, 31), "2026-02-28T00:00:00Z", false),
        ((28, 31), "2026-02-28T00:00:00Z", true),
        ((-31, -30), "2026-02-01T00:00:00Z", false),
        ((-31, -1), "2026-02-01T00:00:00Z", true),
    ] {
        let span = Span {
            days_of_month: vec![range],
            ..span()
        };
        assert_eq!(holds(span, time), wanted, "{range:?} {time}");
    }
}

#[test]
fn all_kinds_of_conditions_have_to_hold_and_one_entry_of_each() {
    let workday = Span {
        weekdays: vec![weekday("Monday:friday").unwrap()],
        months: vec![month("january:march").unwrap(), month("12").unwrap()],
        years: vec![year("2026").unwrap(), year("2028:2030").unwrap()],
        ..span()
    };
    for (time, wanted) in [
        ("2026-01-02T00:00:00Z", true),
        ("2026-01-03T00:00:00Z", false),
        ("2026-12-31T00:00:00Z", true),
        ("2026-06-01T00:00:00Z", false),
        ("2027-01-01T00:00:00Z", false),
        ("2030-01-01T00:00:00Z", true),
    ] {
        assert_eq!(holds(workday.clone(), time), wanted, "{time}");
    }
    assert!(
        holds(span(), "2026-01-03T00:00:00Z"),
        "nothing asked, nothing missed"
    );
}

#[test]
fn the_place_decides_over_the_day_and_the_hour() {
    let there = Span {
        times: vec![(0, 60)],
        weekdays: vec![weekday("sunday").unwrap()],
        zone: TimeZone::get("America/New_York").unwrap(),
        ..span()
    };
    assert!(holds(there.clone(), "2026-01-04T05:30:00Z"));
    assert!(!holds(there.clone(), "2026-01-04T00:30:00Z"));
    // In summer its midnight is an hour earlier.
    assert!(holds(there, "2026-07-05T04:30:00Z"));
}

#[test]
fn ranges_are_read_or_refused_in_known_words() {
    assert_eq!(weekday("saturday"), Ok((6, 6)));
    assert_eq!(day_of_month("-3:-1"), Ok((-3, -1)));
    assert_eq!(day_of_month("1:-1"), Ok((1, -1)));
    assert_eq!(month("March:may"), Ok((3, 5)));
    assert_eq!(month("13"), Ok((13, 13)), "as Alertmanager reads it: never");
    assert_eq!(
        (clock("00:00"), clock("23:59"), clock("24:00")),
        (Ok(0), Ok(1_439), Ok(1_440))
    );
    for (got, wanted) in [
        (weekday("someday"), "someday is not a valid weekday"),
        (
            weekday("friday:monday"),
            "start day cannot be before end day",
        ),
        (
            weekday("a:b:c"),
            "couldn't parse range a:b:c, invalid format",
        ),
        (
            day_of_month("0"),
            "0 is not a valid day of the month: out of range",
        ),
        (
            day_of_month("1:32"),
            "32 is not a valid day of the month: out of range",
        ),
        (
            day_of_month("-3:2"),
            "end day must be negative if start day is negative",
        ),
        (
            day_of_month("5:3"),
            "end day 3 is always before start day 5",
        ),
        (
            day_of_month("20:-15"),
            "end day -15 is always before start day 20",
        ),
        (
            month("may:march"),
            "end month march is before start month may",
        ),
        (month("never"), "never is not a valid month"),
        (year("2026:2025"), "end year 2025 is before start year 2026"),
        (
            clock("9:00").map(|it| (it, it)),
            "couldn't parse timestamp 9:00, invalid format",
        ),
        (
            clock("24:01").map(|it| (it, it)),
            "couldn't parse timestamp 24:01, invalid format",
        ),
        (
            clock("12:60").map(|it| (it, it)),
            "couldn't parse timestamp 12:60, invalid format",
        ),
        (
            clock("+1:00").map(|it| (it, it)),
            "couldn't parse timestamp +1:00, invalid format",
        ),
    ] {
        assert_eq!(got, Err(wanted.to_owned()));
    }
}
