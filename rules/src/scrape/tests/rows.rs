//! Samples without a page, beside the page that says the same.

use exposition::Kind;

use super::*;

#[test]
fn rows_are_stored_as_the_page_would_be_that_says_the_same() {
    let write = |page: &mut Writer, round: u8| {
        page.family("b", "B.", Kind::Gauge);
        page.sample(&[("x", "1}"), ("instance", "other")], f64::from(round));
        page.sample(&[], 0.1 + 0.2);
        // Some come, go, and come back in another place.
        for at in (0..40_u8)
            .filter(|at| !(at + round).is_multiple_of(3))
            .rev()
        {
            page.sample(&[("at", &at.to_string())], f64::from(at));
        }
        page.family("a_total", "A.", Kind::Counter);
        page.sample(&[("y", "\n\"")], 1e300);
    };
    for honor_labels in [false, true] {
        let target = || Target {
            honor_labels,
            ..target()
        };
        let (as_page, as_rows) = (Store::new(), Store::new());
        let (mut pages, mut rows) = (Intake::new(target()), Intake::new(target()));
        for round in 0..6 {
            let time_ms = STEP * i64::from(round);
            let mut page = Writer::new();
            write(&mut page, round);
            assert!(take(&mut pages, Ok(&page.finish()), time_ms, &as_page));
            let took = Duration::from_millis(250);
            let said = Writer::rows(|page| write(page, round));
            assert!(rows.take_rows(&said, time_ms, took, &as_rows));
            let said = stored(&as_rows, time_ms);
            assert_eq!(said, stored(&as_page, time_ms));
            assert!(said.len() > 30);
            assert_eq!(rows.status(), pages.status());
        }
        // Then the source fails once.
        assert!(!take(&mut rows, Err("gone"), STEP * 6, &as_rows));
        assert!(!take(&mut pages, Err("gone"), STEP * 6, &as_page));
        assert_eq!(stored(&as_rows, STEP * 6), stored(&as_page, STEP * 6));
    }
}

#[test]
fn rows_that_the_store_gave_up_come_back_under_their_own_labels() {
    let (store, mut intake) = (Store::new(), Intake::new(target()));
    let rows = Writer::rows(|page| {
        page.single("b", "B.", Kind::Gauge, 4.0);
        page.family("a", "A.", Kind::Gauge);
        page.sample(&[("x", "1")], 2.0);
    });
    assert!(intake.take_rows(&rows, 0, Duration::ZERO, &store));
    let first = pages(&store, 0);
    store.maintain(100_000_000);
    assert!(pages(&store, 0).is_empty());
    assert!(intake.take_rows(&rows, 100_000_000, Duration::ZERO, &store));
    assert_eq!((first.len(), pages(&store, 100_000_000)), (2, first));
}

#[test]
fn rows_are_refused_as_the_page_would_be_that_says_the_same() {
    let limits = Limits {
        samples: 20,
        value_bytes: 100,
        ..Limits::default()
    };
    let target = || Target { limits, ..target() };
    let long = "x".repeat(limits.value_bytes + 1);
    let many: Vec<_> = (0..21).map(|at| at.to_string()).collect();
    let good = [("x", "1")];
    type Labels<'a> = Vec<(&'a str, &'a str)>;
    let bad: [(Vec<Labels<'_>>, &str); 4] = [
        (vec![vec![("a-b", "1")]], "a: bad label name"),
        (
            vec![vec![("x", "1"), ("x", "2")]],
            "a: a label stands twice",
        ),
        (
            vec![vec![("x", &long)]],
            "too many bytes in a label value: 101, the limit is 100, in x",
        ),
        (
            many.iter().map(|at| vec![("at", &**at)]).collect(),
            "too many samples: 21, the limit is 20",
        ),
    ];
    for (series, why) in bad {
        let (as_page, as_rows) = (Store::new(), Store::new());
        let (mut pages, mut rows) = (Intake::new(target()), Intake::new(target()));
        for (round, refused) in [false, true, true, false].into_iter().enumerate() {
            let time_ms = STEP * round as i64;
            let write = |page: &mut Writer| {
                page.family("a", "A.", Kind::Gauge);
                if !refused || series.len() == 1 {
                    page.sample(&good, 1.0);
                }
                for labels in series.iter().filter(|_| refused) {
                    page.sample(labels, 2.0);
                }
            };
            let mut page = Writer::new();
            write(&mut page);
            let taken = take(&mut pages, Ok(&page.finish()), time_ms, &as_page);
            let took = Duration::from_millis(250);
            let up = rows.take_rows(&Writer::rows(write), time_ms, took, &as_rows);
            assert_eq!((up, taken), (!refused, !refused), "{why}");
            let said = stored(&as_rows, time_ms);
            assert_eq!(said, stored(&as_page, time_ms), "{why}");
            let value = ["1", "stale"][usize::from(refused)];
            let of_good = format!(r#"a{{instance="a", job="host", x="1"}} {value}"#);
            // The second refusal ends nothing any more.
            assert_eq!(said.contains(&of_good), round != 2, "{said:?}");
            let last = rows.status().last_error.as_deref();
            assert_eq!(last, refused.then_some(why));
            assert_eq!(rows.status().samples, pages.status().samples);
        }
    }
}
