use alert::Set;

use super::*;

fn set(pairs: &[(&str, &str)]) -> Set {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

#[test]
fn both_grammars_are_read_and_print_in_one_form() {
    for (text, printed) in [
        (r#"severity="critical""#, r#"{severity="critical"}"#),
        ("severity = critical", r#"{severity="critical"}"#),
        (r#"{a="b",c=~"d|e",}"#, r#"{a="b",c=~"d|e"}"#),
        (r#"a!="b", c !~ "d""#, r#"{a!="b",c!~"d"}"#),
        ("a=", r#"{a=""}"#),
        (r#"a="x\"y\\z\n""#, r#"{a="x\"y\\z\n"}"#),
        (r#"a="\d""#, r#"{a="\\d"}"#),
        (r#"a="b,c""#, r#"{a="b,c"}"#),
        (r#""server.name"="x""#, r#"{server.name="x"}"#),
        (r#""a b"="\u00e4\x41""#, r#"{"a b"="äA"}"#),
        ("blå=1", r#"{blå="1"}"#),
        ("", "{}"),
    ] {
        let matchers = parse(text).unwrap_or_else(|err| panic!("{text}: {err}"));
        assert_eq!(print(&matchers), printed, "{text}");
    }
}

#[test]
fn nonsense_is_refused_with_its_place() {
    for text in [
        "a",
        "=b",
        r#"a="b"#,
        r#"a="b"c""#,
        r#"a=~"(""#,
        r#""a" "b""#,
        "ä b=c",
        r#""x"="\q""#,
        "a=~\"(a{900}){900}\"",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert_eq!(parse("a").unwrap_err(), "bad matcher format: a");
    assert_eq!(
        utf8::parse("a b").unwrap_err(),
        "2:3: b: expected an operator such as '=', '!=', '=~' or '!~'"
    );
    assert_eq!(
        utf8::parse("{a=b").unwrap_err(),
        "4:4: end of input: expected a comma or close brace"
    );
}

#[test]
fn an_absent_label_is_empty_and_an_expression_matches_the_whole_value() {
    let labels = set(&[("team", "db"), ("sev", "critical")]);
    for (text, hit) in [
        ("team=db", true),
        ("team!=db", false),
        ("team=~d", false),
        ("team=~d.", true),
        ("team!~d", true),
        ("absent=", true),
        ("absent!=", false),
        ("absent=~.*", true),
        ("absent=~.+", false),
        ("team=db,sev=critical", true),
        ("team=db,sev=warning", false),
    ] {
        assert_eq!(all_match(&parse(text).unwrap(), &labels), hit, "{text}");
    }
}

#[test]
fn quoting_is_gos() {
    assert_eq!(
        go_quoted("a\"b\\\n\u{1}\u{7f}ä\u{a0}"),
        r#""a\"b\\\n\x01\x7fä\u00a0""#
    );
}
