use exposition::Labels;

use super::*;

/// What one list of rules makes of a set of labels.
fn made(rules: &str, labels: &[(&str, &str)]) -> String {
    let rules: Vec<Relabel> = read(rules);
    let mut builder = LabelsBuilder::default();
    for (name, value) in labels {
        builder.set(*name, *value);
    }
    if apply(&rules, &mut builder) {
        builder.build().to_string()
    } else {
        "dropped".into()
    }
}

settings::section! {
    /// A list of rules.
    struct Rules {
        /// The rules.
        pub rules: Vec<Relabel> = vec![],
    }
}

fn read(rules: &str) -> Vec<Relabel> {
    let text = format!("rules: [{rules}]");
    let read: Rules = settings::read("r.yml".as_ref(), &text, &|_| None).unwrap();
    read.rules
}

#[test]
fn each_action_does_what_prometheus_documents() {
    let labels = [("a", "foo"), ("b", "bar"), ("c", "baz"), ("__tmp", "Foo")];
    for (rules, wanted) in [
        (
            "{source_labels: [a], target_label: d}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz", d="foo"}"#,
        ),
        (
            "{source_labels: [a, b], separator: '-', target_label: a}",
            r#"{__tmp="Foo", a="foo-bar", b="bar", c="baz"}"#,
        ),
        (
            "{source_labels: [a], regex: f(.*), target_label: d, replacement: 'x${1}y'}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz", d="xooy"}"#,
        ),
        // The whole value has to match.
        (
            "{source_labels: [a], regex: o, target_label: d}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz"}"#,
        ),
        (
            "{source_labels: [a], regex: f(.*), target_label: '${1}', replacement: x}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz", oo="x"}"#,
        ),
        (
            "{source_labels: [a], regex: 'f(o)(o)', target_label: b, replacement: '$2$1$$'}",
            r#"{__tmp="Foo", a="foo", b="oo$", c="baz"}"#,
        ),
        (
            "{source_labels: [a], regex: '(?P<x>f).*', target_label: b, replacement: '$x'}",
            r#"{__tmp="Foo", a="foo", b="f", c="baz"}"#,
        ),
        // No such group is an empty text, and an empty value deletes.
        (
            "{source_labels: [a], target_label: b, replacement: '$1x'}",
            r#"{__tmp="Foo", a="foo", c="baz"}"#,
        ),
        (
            "{source_labels: [missing], target_label: b}",
            r#"{__tmp="Foo", a="foo", c="baz"}"#,
        ),
        (
            "{source_labels: [missing], regex: '(.+)', target_label: b}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz"}"#,
        ),
        (
            "{target_label: a, replacement: ''}",
            r#"{__tmp="Foo", b="bar", c="baz"}"#,
        ),
        (
            "{source_labels: [a], regex: fo+, action: keep}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz"}"#,
        ),
        ("{source_labels: [a], regex: fo, action: keep}", "dropped"),
        ("{source_labels: [a], regex: fo+, action: drop}", "dropped"),
        (
            "{source_labels: [a, b], regex: 'foo;bar', action: drop}",
            "dropped",
        ),
        (
            "{source_labels: [a], target_label: b, action: keepequal}",
            "dropped",
        ),
        (
            "{source_labels: [a], target_label: a, action: keepequal}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz"}"#,
        ),
        (
            "{source_labels: [a], target_label: a, action: dropequal}",
            "dropped",
        ),
        (
            "{source_labels: [a], target_label: b, action: dropequal}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz"}"#,
        ),
        (
            "{source_labels: [a], target_label: b, modulus: 1000, action: hashmod}",
            r#"{__tmp="Foo", a="foo", b="696", c="baz"}"#,
        ),
        (
            "{source_labels: [a, b], target_label: b, modulus: 18446744073709551615, action: hashmod}",
            r#"{__tmp="Foo", a="foo", b="15973639978189266750", c="baz"}"#,
        ),
        (
            "{regex: '__(.*)', action: labelmap}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz", tmp="Foo"}"#,
        ),
        (
            "{regex: '(a|b)', replacement: 'x_$1', action: labelmap}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz", x_a="foo", x_b="bar"}"#,
        ),
        (
            "{regex: 'a|__.*', action: labeldrop}",
            r#"{b="bar", c="baz"}"#,
        ),
        ("{regex: 'a|b', action: labelkeep}", r#"{a="foo", b="bar"}"#),
        (
            "{source_labels: [__tmp], target_label: a, action: lowercase}",
            r#"{__tmp="Foo", a="foo", b="bar", c="baz"}"#,
        ),
        (
            "{source_labels: [a, b], target_label: a, action: uppercase}",
            r#"{__tmp="Foo", a="FOO;BAR", b="bar", c="baz"}"#,
        ),
        (
            "{source_labels: [a], target_label: b}, {source_labels: [b], regex: foo, action: drop}",
            "dropped",
        ),
    ] {
        assert_eq!(made(rules, &labels), wanted, "{rules}");
    }
}

#[test]
fn letters_change_their_size_one_by_one() {
    for (action, wanted) in [("uppercase", "STRAßE ΟΔΟΣ"), ("lowercase", "straße οδοσ")] {
        let rule = format!("{{source_labels: [a], target_label: b, action: {action}}}");
        let labels = Labels::from_pairs([("a", "Straße ΟΔΟΣ"), ("b", wanted)]);
        assert_eq!(made(&rule, &[("a", "Straße ΟΔΟΣ")]), labels.to_string());
    }
}

#[test]
fn a_dot_matches_a_newline_and_names_may_be_any_text() {
    assert_eq!(
        made(
            "{source_labels: [a], regex: (a.b), target_label: 'x y'}",
            &[("a", "a\nb")]
        ),
        Labels::from_pairs([("a", "a\nb"), ("x y", "a\nb")]).to_string()
    );
}
