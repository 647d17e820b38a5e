//! Very many silences, and those whose expressions would take all memory.

use super::tests::{LIMITS, draft, id, labels, matcher};
use super::*;

/// A name for each of very many.
fn numbered(number: u32) -> Id {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Id::new(bytes)
}

fn on_hosts(value: &str, is_regex: bool) -> SilenceDraft {
    SilenceDraft {
        matchers: vec![matcher("host", value, is_regex, true)],
        ..draft(0, 1_000)
    }
}

#[test]
fn of_a_million_silences_those_beyond_the_limit_are_refused_and_change_nothing() {
    let mut book = Book::default();
    let limits = Limits {
        count: 10_000,
        ..LIMITS
    };
    let mut refused = 0;
    for number in 0..1_000_000 {
        let draft = on_hosts(&format!("h{number}"), false);
        match book.set(draft, numbered(number), limits, 0) {
            Ok(_) => assert!(number < 10_000),
            Err(err) => {
                let words = "exceeded maximum number of silences: 10000 (limit: 10000)";
                assert_eq!(err.to_string(), words);
                refused += 1;
            }
        }
    }
    assert_eq!((refused, book.ids().count()), (990_000, 10_000));
    assert!(book.mutes(&labels(&[("host", "h9999")]), 5));
    assert!(!book.mutes(&labels(&[("host", "h10000")]), 5));
    // What has expired counts until it is forgotten.
    assert_eq!(book.ended(1_001).len(), 10_000);
    let late = SilenceDraft {
        ends_ms: 5_000_000,
        ..on_hosts("late", false)
    };
    assert!(book.set(late.clone(), id(1), limits, 2_000).is_err());
    let forgotten_ms = 1_000 + limits.keep_ms;
    assert_eq!(book.forget(forgotten_ms).len(), 10_000);
    assert!(book.set(late, id(1), limits, forgotten_ms).is_ok());
}

#[test]
fn of_very_many_silences_those_that_can_match_are_found_without_asking_all() {
    let mut book = Book::default();
    let limits = Limits { count: 0, ..LIMITS };
    for number in 0..100_000_u32 {
        let draft = SilenceDraft {
            matchers: vec![matcher("host", &format!("h{number}"), false, true)],
            ..draft(0, 1_000)
        };
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        book.set(draft, Id::new(bytes), limits, 0).unwrap();
    }
    // Asked one after the other this would take days.
    for number in 0..100_000 {
        let host = format!("h{number}");
        assert_eq!(
            book.muting(&labels(&[("host", &host), ("job", "x")]), 5)
                .len(),
            1
        );
    }
    assert!(!book.mutes(&labels(&[("host", "other")]), 5));
    assert_eq!(book.ended(1_001).len(), 100_000);
}

#[test]
fn expressions_that_mean_a_few_texts_take_no_more_than_these_and_are_found_by_them() {
    let mut book = Book::default();
    let limits = Limits { count: 0, ..LIMITS };
    for number in 0..20_000_u32 {
        let draft = on_hosts(&format!("h{number}|other{number}[ab]"), true);
        book.set(draft, numbered(number), limits, 0).unwrap();
    }
    // Asked one after the other this would take hours.
    for number in 0..20_000_u32 {
        for host in [format!("h{number}"), format!("other{number}b")] {
            let found = book.muting(&labels(&[("host", &host), ("job", "x")]), 5);
            assert_eq!(found, [numbered(number)]);
        }
    }
    assert!(!book.mutes(&labels(&[("host", "other1")]), 5));
    assert!(!book.mutes(&labels(&[]), 5));
    book.expire(numbered(7), 1_000, 10);
    assert!(!book.mutes(&labels(&[("host", "h7")]), 10));
    assert!(book.mutes(&labels(&[("host", "h8")]), 10));
    // What an absent label satisfies is not found by a value.
    let absent = SilenceDraft {
        matchers: vec![
            matcher("host", "|none", true, true),
            matcher("job", "db|web", true, true),
        ],
        ..draft(0, 1_000)
    };
    book.set(absent, numbered(20_000), limits, 20).unwrap();
    let found = |pairs: &[(&str, &str)]| book.mutes(&labels(pairs), 20);
    assert!(found(&[("job", "web")]) && found(&[("job", "db"), ("host", "none")]));
    assert!(!found(&[("job", "db"), ("host", "some")]) && !found(&[("job", "mail")]));
}

#[test]
fn expressions_with_holes_are_taken_in_any_number_too() {
    let mut book = Book::default();
    let limits = Limits { count: 0, ..LIMITS };
    for number in 0..10_000_u32 {
        let hosts = format!("h-{number}.example.org:9100|other-{number}-.+");
        book.set(on_hosts(&hosts, true), numbered(number), limits, 0)
            .unwrap();
    }
    // Asked one after the other this would take hours.
    for number in 0..10_000_u32 {
        let host = format!("h-{number}.example.org:9100");
        assert!(book.mutes(&labels(&[("host", &host), ("job", "x")]), 5));
    }
    // One beginning is that of another, and of the same silence.
    book.set(on_hosts("é.*|éa.*", true), numbered(10_000), limits, 0)
        .unwrap();
    assert_eq!(
        book.muting(&labels(&[("host", "éab")]), 5),
        [numbered(10_000)]
    );
    book.expire(numbered(10_000), 1_000, 3);
    assert!(!book.mutes(&labels(&[("host", "éab")]), 5));
    let found = |host: &str| book.muting(&labels(&[("host", host)]), 5);
    assert_eq!(found("h-9999.example.org:9100"), [numbered(9_999)]);
    assert_eq!(found("other-7-a"), [numbered(7)]);
    assert_eq!(found("other-7-"), []);
}

#[test]
fn an_expression_is_let_go_of_when_its_silence_is_over() {
    let mut book = Book::default();
    let limits = Limits {
        count: 0,
        bytes: 0,
        ..LIMITS
    };
    // Each takes a quarter of a MiB, and all may take 32.
    let bomb = |number: u32| on_hosts(&format!("x{number}(?:[a-z]{{1,900}}|b)"), true);
    for number in 0..200 {
        book.set(bomb(number), numbered(number), limits, 0).unwrap();
        book.expire(numbered(number), 1_000, 10);
    }
    let shown = book.order(20, |_| true);
    assert_eq!(shown.len(), 200);
    let told = |id: &Id| book.get(*id).unwrap().view(*id, 20);
    assert!(
        shown
            .iter()
            .all(|id| told(id).matchers[0].value.contains("[a-z]"))
    );
    let weighs = |book: &Book, number| book.get(numbered(number)).unwrap().weight();
    assert!((0..200).all(|number| weighs(&book, number) == 0));
    // Nor is one taken up from the database that was over when it was.
    book.set(bomb(200), numbered(200), limits, 0).unwrap();
    let stored = book.get(numbered(200)).unwrap().clone();
    for (now_ms, lives) in [(1_000, true), (1_001, false)] {
        let mut reborn = Book::default();
        reborn.load(numbered(200), stored.clone(), now_ms);
        assert_eq!(weighs(&reborn, 200) > 0, lives, "{now_ms}");
    }
}

#[test]
fn expressions_that_would_take_all_memory_are_refused() {
    for (bomb, why) in [
        ("(a{1,100}){1,100}{1,10}", "invalid repeat count: `{1,100}`"),
        ("(?:\\pL{50}){50}", "invalid repeat count: `{50}`"),
        (
            "((a+)+)+{1,99}{1,99}",
            "invalid nested repetition operator: `+{1,99}`",
        ),
        (
            "(?:(?:(?:(?:(?:a{16}){16}){16}){16}){16})",
            "invalid repeat count: `{16}`",
        ),
        ("(?:\\pL{50}){20}", "expression too large: "),
    ] {
        let err = matcher("a", bomb, true, true).compile().unwrap_err();
        let why = format!("error parsing regexp: {why}");
        assert!(err.contains(&why), "{err}");
    }
    // Those that only take long elsewhere are sound here, and quick.
    let slow = matcher("a", "(x+x+)+y|(x*)*z", true, true)
        .compile()
        .unwrap();
    assert!(!slow.matches(&labels(&[("a", &"x".repeat(60_000))])));
    // Each is sound; there may not be ever more of them.
    let mut book = Book::default();
    let limits = Limits {
        count: 0,
        bytes: 0,
        ..LIMITS
    };
    let mut taken = 0;
    let refused = loop {
        let draft = SilenceDraft {
            matchers: vec![matcher(
                "a",
                &format!("x{taken}(?:[a-z]{{1,1000}}|b)"),
                true,
                true,
            )],
            ..draft(0, 1_000)
        };
        match book.set(draft, id(taken), limits, 0) {
            Ok(_) => taken += 1,
            Err(err) => break err.to_string(),
        }
    };
    assert!(
        refused.starts_with("the regular expressions of all silences take too much memory"),
        "{refused}"
    );
    assert!(taken > 10, "{taken}");
    // One that goes makes room.
    book.expire(id(0), 0, 10);
    book.forget(20);
    assert!(book.set(draft(0, 1_000), id(250), limits, 30).is_ok());
    let again = SilenceDraft {
        matchers: vec![matcher("a", "y(?:[a-z]{1,1000}|b)", true, true)],
        ..draft(0, 1_000)
    };
    assert!(book.set(again, id(251), limits, 30).is_ok());
}
