//! Texts that are taken, texts that are refused, and how expressions print.

use super::*;

fn printed(source: &str) -> String {
    parse(source).map_or_else(|err| err.to_string(), |expr| expr.to_string())
}

#[test]
fn canonical_text_is_prometheus_own() {
    for (source, canonical) in [
        ("1+2*3", "1 + 2 * 3"),
        ("-2^2", "-2 ^ 2"),
        ("- - 1", "1"),
        ("SUM(x)BY(a)", "sum by (a) (x)"),
        ("topk  without ( a,b, ) (3,x)", "topk without (a, b) (3, x)"),
        ("sum by () (x)", "sum(x)"),
        ("x{a='b',}", r#"x{a="b"}"#),
        (r#"{__name__="x",a=~"b.*"}"#, r#"x{a=~"b.*"}"#),
        (r#"{"a metric","l.x"!="v"}"#, r#"{"a metric","l.x"!="v"}"#),
        (r#"sum by ("l.x") (x)"#, r#"sum by ("l.x") (x)"#),
        ("x[5m]", "x[5m]"),
        ("x[300] offset 90s", "x[5m] offset 1m30s"),
        ("x offset -5m @ 1.5", "x @ 1.500 offset -5m"),
        ("x @ end()", "x @ end()"),
        ("x[1h:]", "x[1h:]"),
        (
            "(x)[1h:5m] @ start() offset 1d",
            "(x)[1h:5m] @ start() offset 1d",
        ),
        ("a / on(x) group_left(y) b", "a / on (x) group_left (y) b"),
        ("a and ignoring(x) b", "a and ignoring (x) b"),
        ("a >bool b", "a > bool b"),
        ("`a\\d`", r#""a\\d""#),
        ("rate(x[1m])>0.5", "rate(x[1m]) > 0.5"),
        ("1h30m", "1h30m"),
        ("0x1f + 017 + 1_000", "31 + 15 + 1000"),
        ("+Inf", "+Inf"),
        ("x # remark\n+ 1", "x + 1"),
        (r#"x{a=~"\\Qa.b\\E"}"#, r#"x{a=~"\\Qa.b\\E"}"#),
    ] {
        assert_eq!(printed(source), canonical, "{source}");
        assert_eq!(printed(canonical), canonical, "again: {canonical}");
    }
}

#[test]
fn keywords_may_be_names_where_no_keyword_can_stand() {
    for name in [
        "sum", "by", "offset", "and", "or", "unless", "without", "start", "end", "step", "fill",
        "anchored", "smoothed", "range", "topk", "limitk",
    ] {
        assert_eq!(printed(name), name);
        assert_eq!(printed(&format!("x + {name}")), format!("x + {name}"));
        let by = format!("sum by ({name}) (x{{{name}=\"1\"}})");
        assert_eq!(printed(&by), by);
    }
}

#[test]
fn precedence_and_grouping_follow_prometheus() {
    for (source, explicit) in [
        ("a or b and c", "a or (b and c)"),
        ("a ^ b ^ c", "a ^ (b ^ c)"),
        ("a - b - c", "(a - b) - c"),
        ("-a * b", "(-a) * b"),
        ("-a ^ b", "-(a ^ b)"),
        ("a atan2 b + c", "(a atan2 b) + c"),
        ("a > b + c", "a > (b + c)"),
        ("-a offset 5m", "-(a offset 5m)"),
    ] {
        let shape = |node: &Node| shape(node.bare());
        assert_eq!(
            shape(&parse(source).unwrap().root),
            shape(&parse(explicit).unwrap().root),
            "{source}"
        );
    }
}

/// The tree with all its parentheses and no others.
fn shape(node: &Node) -> String {
    match &node.bare().kind {
        Kind::Binary(binary) => format!(
            "[{} {} {}]",
            shape(&binary.left),
            binary.op.as_str(),
            shape(&binary.right)
        ),
        Kind::Minus(inner) => format!("[-{}]", shape(inner)),
        _ => node.bare().to_string(),
    }
}

#[test]
fn faults_are_named_with_their_place() {
    for (source, message) in [
        ("", "1:1: parse error: no expression found in input"),
        ("1 +", "1:4: parse error: unexpected end of input"),
        (
            "x{a}",
            "1:4: parse error: unexpected \"}\" in label matching, expected label matching operator",
        ),
        (
            "\n  foo(1)",
            "2:3: parse error: unknown function with name \"foo\"",
        ),
        (
            "{a=~\".*\"}",
            "1:1: parse error: vector selector must contain at least one non-empty matcher",
        ),
        (
            "x{__name__=\"y\"}",
            "1:1: parse error: metric name must not be set twice: \"x\" or \"y\"",
        ),
        (
            "rate(x)",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
        ),
        (
            "sum(1)",
            "1:5: parse error: expected type instant vector in aggregation expression, got scalar",
        ),
        (
            "1 > 2",
            "1:3: parse error: comparisons between scalars must use BOOL modifier",
        ),
        (
            "1 and x",
            "1:3: parse error: set operator \"and\" not allowed in binary scalar expression",
        ),
        (
            "x + on(a) 1",
            "1:5: parse error: vector matching only allowed between instant vectors",
        ),
        (
            "x and on(a) group_left b",
            "1:3: parse error: no grouping allowed for \"and\" operation",
        ),
        (
            "x + bool y",
            "1:3: parse error: bool modifier can only be used on comparison operators",
        ),
        (
            "x + on(a) group_left(a) y",
            "1:3: parse error: label \"a\" must not occur in ON and GROUP clause at once",
        ),
        (
            "x[5m] + 1",
            "1:1: parse error: binary expression must contain only scalar and instant vector types",
        ),
        (
            "-x[5m]",
            "1:2: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"range vector\"",
        ),
        ("x[0s]", "1:3: parse error: duration must be greater than 0"),
        (
            "(x)[5m]",
            "1:1: parse error: ranges only allowed for vector selectors",
        ),
        (
            "x offset 5m [5m]",
            "1:1: parse error: no offset modifiers allowed before range",
        ),
        (
            "1[5m:]",
            "1:1: parse error: subquery is only allowed on instant vector, got scalar instead",
        ),
        (
            "x offset 1m offset 2m",
            "1:13: parse error: offset may not be set multiple times",
        ),
        (
            "sum(x) offset 1m",
            "1:8: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
        ),
        (
            "x @ 1 @ 2",
            "1:7: parse error: @ <timestamp> may not be set multiple times",
        ),
        (
            "x @ Inf",
            "1:5: parse error: timestamp out of bounds for @ modifier: inf",
        ),
        (
            "clamp(x)",
            "1:1: parse error: expected 3 argument(s) in call to \"clamp\", got 1",
        ),
        (
            "round(x,1,2)",
            "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3",
        ),
        (
            "topk(x)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
        ),
        (
            "x{a=\"b\"",
            "1:8: parse error: unexpected end of input inside braces",
        ),
        ("\"abc", "1:1: parse error: unterminated quoted string"),
        (
            "x{a=~\"(\"}",
            "1:3: parse error: invalid regular expression \"(\": unclosed group",
        ),
        (
            "5mm",
            "1:1: parse error: bad number or duration syntax: \"5mm\"",
        ),
        ("x &", "1:3: parse error: unexpected character: '&'"),
        ("x y", "1:3: parse error: unexpected \"y\""),
    ] {
        assert_eq!(printed(source), message, "{source}");
    }
}

#[test]
fn what_is_experimental_is_refused_in_words() {
    for source in [
        "mad_over_time(x[5m])",
        "info(x)",
        "limitk(1, x)",
        "step()",
        "x + fill(0) y",
        "x[5m] anchored",
        "x smoothed",
        "x[5m+1m]",
        "x offset (2 * 3)",
        "x[step()]",
        "sort_by_label(x, \"a\")",
    ] {
        let message = printed(source);
        assert!(message.ends_with("not supported"), "{source}: {message}");
    }
}

#[test]
fn hostile_texts_end_by_limits() {
    let deep = |open: &str, close: &str, times: usize| {
        format!("{}x{}", open.repeat(times), close.repeat(times))
    };
    for source in [
        deep("(", ")", 30_000),
        deep("-", "", 60_000),
        deep("sum(", ")", 10_000),
        deep("abs(", ")", 201),
        format!("x{}", " or x".repeat(10_000)),
        format!("x{}", "^x".repeat(20_000)),
        "x".repeat(65_537),
        format!("x{{a=~\"{}\"}}", "(a{1000}){1000}"),
        format!("x{{a=~\"{}\"}}", "(".repeat(10_000)),
    ] {
        assert!(parse(&source).is_err(), "{:.40}", source);
    }
    assert!(parse(&deep("(", ")", 150)).is_ok());
    assert!(parse(&format!("x{}", " or x".repeat(150))).is_ok());
}

#[test]
fn an_expression_names_what_it_cannot_do_without() {
    for (source, missing) in [
        ("a > 1", "a"),
        ("a / b", "a,b"),
        ("a or have", ""),
        ("a or b", "a,b"),
        ("absent(a)", ""),
        ("have unless a", ""),
        ("a unless have", "a"),
        ("have and on() absent(b)", ""),
        ("sum(rate(a[5m])) > scalar(b)", "a"),
        ("vector(1) > bool scalar(b)", ""),
        ("max_over_time(a[1h:])", "a"),
        ("histogram_quantile(0.9, sum by (le) (rate(b[5m])))", "b"),
    ] {
        let expr = parse(source).unwrap();
        let engine = crate::Engine::default();
        let blocked = engine.blocked_by(&expr, 0, |selector, _| selector.to_string() == "have");
        let names: Vec<_> = blocked
            .iter()
            .map(|one| one.matchers()[0].value.as_str())
            .collect();
        assert_eq!(names.join(","), missing, "{source}");
    }
    let expr = parse("a + sum(b[1h:]) or c").map(|expr| expr.selectors().len());
    assert!(expr.is_err(), "a subquery is no aggregation's argument");
    assert_eq!(
        parse("a + sum(b) or rate(c[1m])")
            .unwrap()
            .selectors()
            .len(),
        3
    );
}

#[test]
fn a_selector_is_looked_for_as_far_back_as_an_evaluation_sees() {
    // Seconds; it is evaluated at 10,000 and looks back 300.
    for (source, from, to) in [
        ("a", 9_700, 10_000),
        ("-(a) > 1", 9_700, 10_000),
        ("a offset 1h", 6_100, 6_400),
        ("a offset -1m", 9_760, 10_060),
        ("max_over_time(a[2h])", 2_800, 10_000),
        ("sum(rate(a[10m] offset 1h))", 5_800, 6_400),
        ("a @ 500", 200, 500),
        ("max_over_time(a[1m] @ end() offset 1m)", 9_880, 9_940),
        ("max_over_time(a[1h:1m])", 6_100, 10_000),
        ("max_over_time(a[1h:1m] offset 10m)", 5_500, 9_400),
        ("max_over_time(rate(a[5m])[1h:1m])", 6_100, 10_000),
        (
            "max_over_time(min_over_time(a[10m:1m])[1h:1m])",
            5_500,
            10_000,
        ),
        ("max_over_time((a @ start())[1h:1m])", 9_700, 10_000),
    ] {
        let expr = parse(source).unwrap();
        let mut seen = Vec::new();
        crate::Engine::default().blocked_by(&expr, 10_000_000, |_, reach| {
            seen.push(reach);
            true
        });
        assert_eq!(seen, [from * 1000 + 1..=to * 1000], "{source}");
    }
}

#[test]
fn mangled_texts_are_refused_or_mean_what_they_print() {
    const SEEDS: [&str; 6] = [
        r#"sum by (a, "l.x") (rate(x{a=~"b.*", c!="d"}[5m] offset -1h @ end())) > bool 0.5"#,
        "topk(3, a / on(x) group_left(y) b) unless ignoring(z) c or -d ^ 2 atan2 Inf",
        r#"label_replace(x, "d", '$1', `s`, "(.*)") # remark"#,
        "max_over_time((x + 1e3)[1h30m:5m] @ 1.5 offset 0x1f)",
        "histogram_quantile(.9, sum without (le) ({\"a b\"}))",
        "count_values(\"v\", {__name__=~\"\\\\Qa\\\\E|b\", x=\"\\u00e9\"}) + 017",
    ];
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut taken = 0;
    for round in 0..4_000 {
        let mut text: Vec<char> = SEEDS[round % SEEDS.len()].chars().collect();
        for _ in 0..=random(3) {
            if text.is_empty() {
                break;
            }
            let at = random(text.len());
            match random(4) {
                0 => {
                    text.remove(at);
                }
                1 => text.insert(at, text[random(text.len())]),
                2 => text.insert(at, ['(', ')', '[', '"', '\\', '-', 'é', ' '][random(8)]),
                _ => text.truncate(at + 1),
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(expr) = parse(&text) {
            taken += 1;
            let canonical = expr.to_string();
            assert_eq!(printed(&canonical), canonical, "{text}");
        }
    }
    assert!(taken > 200, "{taken}");
}
