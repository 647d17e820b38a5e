//! Texts of rules: the table passes with the same data in Prometheus' own rule tests.

use std::collections::BTreeMap;

use tmpl::{Sample, rules};

use crate::cases;

fn set(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// Answers the queries of the table; all others find nothing or fail.
fn query(expression: &str) -> Result<Vec<Sample>, String> {
    let sample = |pairs: &[(&str, &str)], value| Sample {
        labels: set(pairs),
        value,
    };
    let up = |instance, job, value| {
        sample(
            &[("__name__", "up"), ("instance", instance), ("job", job)],
            value,
        )
    };
    match expression {
        "up" => Ok(vec![
            up("a", "z", 1.0),
            up("b", "y", 0.0),
            up("c", "x", 1.0),
        ]),
        "up{instance='b'}" => Ok(vec![up("b", "y", 0.0)]),
        "sum(up)" => Ok(vec![sample(&[], 2.0)]),
        "broken(" => Err("unclosed left parenthesis".into()),
        _ if expression.starts_with("label_replace") => {
            Ok(vec![sample(&[("__value__", "text")], 1.0)])
        }
        _ => Ok(Vec::new()),
    }
}

fn expand(text: &str) -> String {
    let labels = set(&[
        ("__name__", "x"),
        ("instance", "host1.example.com:9100"),
        ("job", "node"),
        ("quote", "say \"hi\" <b>"),
    ]);
    let external = set(&[("cluster", "eu")]);
    rules::expand(
        text,
        &labels,
        &external,
        "http://prom.example/sub",
        1_234_567.0,
        60_000,
        &query,
    )
}

#[test]
fn texts_expand_as_they_do_in_prometheus() {
    cases::check(include_str!("../cases/rules.txt"), 47, |template| {
        Ok(expand(template))
    });
}

#[test]
fn the_newer_functions_do_what_is_documented() {
    let cases = [
        (
            "{{ now }} {{ now | humanizeTimestamp }}",
            "60 1970-01-01 00:01:00 +0000 UTC",
        ),
        (
            "{{ toDuration 90.5 }} {{ toDuration \"3600\" }} {{ (toDuration 90).Minutes }}",
            "1m30.5s 1h0m0s 1.5",
        ),
        ("{{ urlQueryEscape \"a b&c/d\" }}", "a+b%26c%2Fd"),
        (
            "{{ externalURL }} {{ pathPrefix }}",
            "http://prom.example/sub /sub",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(expand(text), expected, "{text}");
    }
}

#[test]
fn a_text_that_goes_wrong_says_so_in_its_place() {
    let cases = [
        (
            "up {{ nope }}",
            "<error expanding template: 1:7: function \"nope\" not defined>",
        ),
        (
            "{{ query \"none\" | first | value }}",
            "<error expanding template: 1:19: error calling first: first() called on vector with no elements>",
        ),
        (
            "{{ query \"broken(\" }}",
            "<error expanding template: 1:4: error calling query: unclosed left parenthesis>",
        ),
        (
            "{{ $value.x }}",
            "<error expanding template: 1:4: can't evaluate field x in type float64>",
        ),
        (
            "{{ .Nope }}",
            "<error expanding template: 1:4: can't evaluate field Nope in type template.tmplData>",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(expand(text), expected, "{text}");
    }
}

#[test]
fn a_parsed_text_serves_every_alert() {
    let text = rules::Text::parse("{{ $labels.a }} at {{ $value }}").unwrap();
    let none = BTreeMap::new();
    for (label, value, expected) in [("x", 1.0, "x at 1"), ("y", 0.5, "y at 0.5")] {
        let labels = set(&[("a", label)]);
        let alert = rules::Alert::new(&labels, &none, "", value);
        assert_eq!(text.expand(&alert, 0, &query), expected);
    }
}
