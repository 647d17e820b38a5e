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
fn expressions_mean_what_they_mean_to_go() {
    for (pattern, text, hit) in [
        // Letters and digits of ASCII alone.
        (r"\w+", "db_1", true),
        (r"\w+", "düren", false),
        (r"\d+", "٣", false),
        (r"[\w-]+\.example", "a-b.example", true),
        (r"\W", "ü", true),
        (r"a\sb", "a\u{a0}b", false),
        (r"\Qa.b\E.*", "a.b.c", true),
        (r"\Qa.b\E.*", "axb.c", false),
        (r"[a&&b]+", "a&b", true),
        (r"[[a]+", "[a", true),
        (r"[+--]+", "+,-", true),
        (r"[\w-.]+", "a-b.c", true),
        (r"[\s-z]+", "a", false),
        (r"a{b}|{", "a{b}", true),
        (r"\<a\>", "<a>", true),
        (".", "ü", true),
        (r"\pL+", "düren", true),
        (r"\p{Greek}+[\p{Lu}]\x{1F514}", "αA🔔", true),
        // As long as names are.
        (r"\w{1,200}", "db_1", true),
    ] {
        let matcher = Matcher::new("a", Op::Regex, pattern).unwrap_or_else(|err| panic!("{err}"));
        assert_eq!(
            matcher.matches(&set(&[("a", text)])),
            hit,
            "{pattern} {text}"
        );
        assert_eq!(check_regex(pattern), Ok(()));
        assert!(matcher.weight() <= 256 << 10, "{pattern}");
    }
}

#[test]
fn what_go_refuses_is_refused_in_its_words() {
    for (pattern, why) in [
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        // Of one text, and of some with holes.
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("a{2}{3}.*", "invalid nested repetition operator: `{2}{3}`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("(+?a)", "missing argument to repetition operator: `+?`"),
        ("{2}a", "missing argument to repetition operator: `{2}`"),
        // It quotes the anchor too.
        (r"\Qa", r"missing closing ): `^(?:\Qa)$`"),
        (r"\Qa.*", r"missing closing ): `^(?:\Qa.*)$`"),
    ] {
        let why = format!("error parsing regexp: {why}");
        let made = Matcher::new("a", Op::Regex, pattern);
        assert_eq!(made.unwrap_err(), why, "{pattern}");
        let filter = parse_one(&format!("a=~\"{pattern}\""));
        assert_eq!(filter.unwrap_err(), why, "{pattern}");
    }
    assert_eq!(check_regex(r"\Qa"), Ok(()));
}

#[test]
fn quoting_is_gos() {
    assert_eq!(
        go_quoted("a\"b\\\n\u{1}\u{7f}ä\u{a0}"),
        r#""a\"b\\\n\x01\x7fä\u00a0""#
    );
}

#[test]
fn only_what_is_asked_for_its_weight_is_weighed() {
    let matcher = Matcher::new("a", Op::Regex, "x(?:[a-z]{1,400}|b)").unwrap();
    assert!(matcher.matches(&set(&[("a", "xb")])));
    assert_eq!(matcher.weight.get(), None);
    let weight = matcher.weight();
    assert!(weight > 0 && weight <= REGEX_BYTES, "{weight}");
    assert_eq!(matcher.weight.get(), Some(&weight));
    assert_eq!(Matcher::new("a", Op::Equal, "x").unwrap().weight(), 0);
}

/// Asks a process of its own, as other tests beside it take memory too.
#[test]
fn an_expression_remembers_little_of_what_it_has_seen() {
    const ALONE: &str = "BELFRY_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return remember();
    }
    let name = "matcher::tests::an_expression_remembers_little_of_what_it_has_seen";
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--exact", name]).env(ALONE, "1").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

fn remember() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let kib = line.and_then(|it| it.split_whitespace().next()?.parse().ok());
        kib.map(|kib: usize| kib << 10).unwrap()
    };
    // Every text leads to states that no other led to.
    let mut seed = 1_u32;
    let mut text = || -> String {
        let mut letter = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ['a', 'b'][(seed >> 24) as usize % 2]
        };
        (0..4_000).map(|_| letter()).collect()
    };
    let matchers: Vec<Matcher> = (0..10)
        .map(|at| Matcher::new("a", Op::Regex, format!("[ab]*a[ab]{{60}}c{at}")).unwrap())
        .collect();
    let before = resident();
    for matcher in &matchers {
        assert!(!matcher.matches(&set(&[("a", &text())])));
    }
    let each = resident().saturating_sub(before) / matchers.len();
    assert!(each < 10 * CACHE_BYTES, "{each} bytes for each");
}
