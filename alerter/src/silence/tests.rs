use super::*;
use crate::pairs::Pairs;

pub(super) const LIMITS: Limits = Limits {
    count: 3,
    bytes: 400,
    keep_ms: 1_000,
};

pub(super) fn matcher(name: &str, value: &str, is_regex: bool, is_equal: bool) -> SilenceMatcher {
    SilenceMatcher {
        name: name.into(),
        value: value.into(),
        is_regex,
        is_equal,
    }
}

pub(super) fn draft(starts_ms: i64, ends_ms: i64) -> SilenceDraft {
    SilenceDraft {
        matchers: vec![matcher("job", "db", false, true)],
        starts_ms,
        ends_ms,
        created_by: "me".into(),
        comment: "why".into(),
        ..SilenceDraft::default()
    }
}

pub(super) fn id(number: u8) -> Id {
    Id::new([number; 16])
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().copied().collect()
}

#[test]
fn what_makes_no_sense_is_refused_in_known_words() {
    for (matchers, wanted) in [
        (vec![], "matcher set 0 is empty"),
        (
            vec![matcher("", "x", false, true)],
            "invalid label matcher 0 in set 0: invalid label name \"\"",
        ),
        (
            vec![
                matcher("a", "x", false, true),
                matcher("b", "(", true, true),
            ],
            "invalid label matcher 1 in set 0: invalid regular expression \"(\": \
             error parsing regexp: missing closing ): `(`",
        ),
        (
            vec![matcher("a", "b{1001}", true, true)],
            "invalid label matcher 0 in set 0: invalid regular expression \"b{1001}\": \
             error parsing regexp: invalid repeat count: `{1001}`",
        ),
        (
            vec![matcher("a", r"\Qb", true, true)],
            "invalid label matcher 0 in set 0: invalid regular expression \"\\\\Qb\": \
             error parsing regexp: missing closing ): `^(?:\\Qb)$`",
        ),
        (
            vec![matcher("a", "b)(c", true, true)],
            "invalid label matcher 0 in set 0: invalid regular expression \"b)(c\": \
             error parsing regexp: unexpected ): `b)(c`",
        ),
        (
            vec![
                matcher("a", "", false, true),
                matcher("b", "c|", true, true),
            ],
            "matcher set 0: at least one matcher must not match the empty string",
        ),
    ] {
        let draft = SilenceDraft {
            matchers,
            ..draft(0, 10)
        };
        let refused = Book::default().set(draft, id(1), LIMITS, 0);
        let wanted = SilenceError::Refused(format!("invalid silence: {wanted}"));
        assert_eq!(refused, Err(wanted));
    }
    let refused = Book::default().set(draft(20, 10), id(1), LIMITS, 0);
    let wanted = "invalid silence: end time must not be before start time";
    assert_eq!(refused, Err(SilenceError::Refused(wanted.into())));
    let lone_negative = SilenceDraft {
        matchers: vec![matcher("a", "x", false, false)],
        ..draft(0, 10)
    };
    assert!(Book::default().set(lone_negative, id(1), LIMITS, 0).is_ok());
}

#[test]
fn an_expression_that_would_take_too_much_memory_is_refused() {
    let bomb = SilenceDraft {
        matchers: vec![matcher("a", "\\pL{1000}", true, true)],
        ..draft(0, 10)
    };
    let refused = Book::default().set(bomb, id(1), LIMITS, 0).unwrap_err();
    assert!(
        refused.to_string().contains("expression too large"),
        "{refused}"
    );
}

#[test]
fn a_change_keeps_the_id_only_where_history_stays_true() {
    let later = |ends_ms| SilenceDraft {
        comment: "more".into(),
        ..draft(1_000, ends_ms)
    };
    let other = SilenceDraft {
        matchers: vec![matcher("job", "web", false, true)],
        ..later(9_000)
    };
    // (time of the change, draft, whether it keeps the id)
    for (now_ms, draft, keeps) in [
        (2_000, later(9_000), true),
        (2_000, later(2_000), true),
        (
            2_000,
            SilenceDraft {
                starts_ms: 1_999,
                ..later(9_000)
            },
            true,
        ),
        (
            2_000,
            SilenceDraft {
                starts_ms: 2_000,
                ..later(9_000)
            },
            false,
        ),
        (2_000, other.clone(), false),
        (
            500,
            SilenceDraft {
                starts_ms: 700,
                ..later(9_000)
            },
            true,
        ),
        (
            500,
            SilenceDraft {
                starts_ms: 400,
                ..later(9_000)
            },
            false,
        ),
        (500, other, false),
        (6_000, later(9_000), false),
    ] {
        let mut book = Book::default();
        book.set(self::draft(1_000, 5_000), id(1), LIMITS, 0)
            .unwrap();
        let draft = SilenceDraft {
            id: Some(id(1).to_string()),
            ..draft
        };
        let wanted = draft.clone();
        let (got, changes) = book.set(draft, id(2), LIMITS, now_ms).unwrap();
        assert_eq!(got == id(1), keeps, "{now_ms}: {wanted:?}");
        let kept = book.get(got).unwrap();
        assert_eq!(
            (kept.ends_ms, &kept.comment),
            (wanted.ends_ms, &wanted.comment)
        );
        if keeps {
            assert_eq!(changes, [Change::Updated(id(1))]);
            assert_eq!(kept.starts_ms, wanted.starts_ms);
        } else {
            assert_eq!(kept.starts_ms, wanted.starts_ms.max(now_ms));
            assert_eq!(
                book.get(id(1)).unwrap().state(now_ms),
                SilenceState::Expired
            );
            assert_eq!(changes.last(), Some(&Change::Made(id(2))));
        }
    }
    let mut book = Book::default();
    for unknown in ["x", "ffffffff-ffff-4fff-bfff-ffffffffffff"] {
        let draft = SilenceDraft {
            id: Some(unknown.into()),
            ..draft(0, 10)
        };
        assert_eq!(
            book.set(draft, id(2), LIMITS, 0),
            Err(SilenceError::NotFound)
        );
    }
}

#[test]
fn limits_hold_for_new_silences_and_big_ones() {
    let mut book = Book::default();
    for number in 1..=3 {
        book.set(draft(0, 1_000), id(number), LIMITS, 0).unwrap();
    }
    book.expire(id(3), 1_000, 10);
    let one_more = book.set(draft(0, 1_000), id(4), LIMITS, 20).unwrap_err();
    assert_eq!(
        one_more.to_string(),
        "exceeded maximum number of silences: 3 (limit: 3)"
    );
    let change = SilenceDraft {
        id: Some(id(1).to_string()),
        ..draft(0, 2_000)
    };
    assert!(book.set(change.clone(), id(4), LIMITS, 20).is_ok());
    let big = SilenceDraft {
        comment: "x".repeat(400),
        ..change
    };
    let refused = book.set(big, id(4), LIMITS, 20).unwrap_err().to_string();
    assert!(
        refused.starts_with("silence exceeded maximum size: 4")
            && refused.ends_with(" bytes (limit: 400 bytes)"),
        "{refused}"
    );
    assert_eq!(book.get(id(1)).unwrap().comment, "why", "nothing changed");
}

#[test]
fn whatever_all_matchers_match_is_muted_while_it_is_active() {
    let mut book = Book::default();
    let silences = [
        vec![matcher("job", "db", false, true)],
        vec![
            matcher("job", "db|web", true, true),
            matcher("env", "test", false, false),
        ],
        vec![
            matcher("job", "", false, true),
            matcher("env", "prod", false, true),
        ],
        vec![matcher("env", "p.*", true, false)],
    ];
    for (number, matchers) in (1..).zip(silences) {
        let draft = SilenceDraft {
            matchers,
            ..draft(100, 200)
        };
        let limits = Limits { count: 0, ..LIMITS };
        book.set(draft, id(number), limits, 0).unwrap();
    }
    for (pairs, wanted) in [
        (labels(&[("job", "db"), ("env", "prod")]), vec![1, 2]),
        (labels(&[("job", "db"), ("env", "test")]), vec![1, 4]),
        (labels(&[("job", "web")]), vec![2, 4]),
        (labels(&[("env", "prod")]), vec![3]),
        (labels(&[("env", "prod"), ("job", "other")]), vec![]),
        (labels(&[("x", "y")]), vec![4]),
    ] {
        let wanted: Vec<Id> = wanted.into_iter().map(id).collect();
        for (now_ms, active) in [(99, false), (100, true), (200, true), (201, false)] {
            let found = book.muting(&pairs, now_ms);
            assert_eq!(
                found,
                if active { wanted.clone() } else { vec![] },
                "{pairs:?}"
            );
            assert_eq!(book.mutes(&pairs, now_ms), !found.is_empty());
        }
    }
}

#[test]
fn an_end_is_at_once_and_can_be_asked_for_twice() {
    let mut book = Book::default();
    let mut set = |number, starts_ms| {
        book.set(draft(starts_ms, 1_000), id(number), LIMITS, 100)
            .unwrap();
    };
    set(1, 100);
    set(2, 500);
    for number in [1, 2] {
        assert_eq!(
            book.expire(id(number), 50, 100),
            Some(Change::Ended(id(number)))
        );
        assert_eq!(book.expire(id(number), 50, 120), None);
        let kept = book.get(id(number)).unwrap();
        assert_eq!(kept.state(100), SilenceState::Expired);
        assert_eq!((kept.updated_ms, kept.forget_ms), (100, 150));
    }
    assert_eq!(book.expire(id(9), 50, 100), None);
    assert!(!book.mutes(&labels(&[("job", "db")]), 100));
    assert_eq!(book.next_end_ms(), None);
    assert_eq!(book.forget(149), []);
    assert_eq!(book.forget(150), [id(1), id(2)]);
    assert_eq!(book.ids().count(), 0);
}

#[test]
fn lists_show_what_mutes_first() {
    let mut book = Book::default();
    let limits = Limits { count: 0, ..LIMITS };
    for (number, starts_ms, ends_ms) in [
        (1, 0, 50),
        (2, 0, 60),
        (3, 0, 900),
        (4, 0, 800),
        (5, 500, 600),
        (6, 400, 600),
    ] {
        book.set(draft(starts_ms, ends_ms), id(number), limits, 0)
            .unwrap();
    }
    let order = book.order(100, |_| true);
    assert_eq!(order, [4, 3, 6, 5, 2, 1].map(id));
    assert_eq!(book.ended(100), [id(1), id(2)]);
    let counts = book.count(100).map(|(_, count)| count);
    assert_eq!(counts, [2, 2, 2]);
}
