use super::*;

fn compiled(pattern: &str) -> Result<regex::Regex, String> {
    let spelt = rust_regex(pattern).map_err(|fault| fault.to_string())?;
    regex::Regex::new(&format!("^(?s:{spelt})$")).map_err(|err| err.to_string())
}

#[test]
fn what_re2_reads_otherwise_is_translated() {
    for (pattern, text, matches) in [
        (r"\Qa.b\E.*", "a.bc", true),
        (r"\Qa.b\E.*", "axbc", false),
        (r"\Qa(b", "a(b", true),
        (r"\Qa\\E", r"a\", true),
        (r"/api/{id}", "/api/{id}", true),
        (r"a{2}", "aa", true),
        (r"a{,2}", "a{,2}", true),
        (r"a{01}", "a{01}", true),
        (r"a{0}", "", true),
        (r"[[]", "[", true),
        (r"[]a]+", "]a", true),
        (r"[^]a]", "]", false),
        (r"[^^]", "^", false),
        (r"[a&&b]+", "a&b", true),
        (r"[a~~b]+", "a~b", true),
        (r"[[:digit:]]", "7", true),
        (r"[[:^digit:]]", "7", false),
        (r"[[:a]+", "a[:", true),
        (r"[\Qa]", "a", false),
        (r"\d", "\u{664}", false),
        (r"\w", "\u{e9}", false),
        (r"\W", "\u{e9}", true),
        (r"\<x\>", "<x>", true),
        (r".", "\n", true),
        (r"(?i:PRO).*", "production", true),
        (r"\bx\b", "x", true),
        (r"\.", ".", true),
        (r"\101\12\0608", "A\n08", true),
        (r"[\101-\103]+", "ABC", true),
        (r"\pL+", "é", true),
        (r"\p{Greek}+[\p{Lu}]\x{1F514}", "αA🔔", true),
        (r"\p{^Greek}", "α", false),
        (r"\p{^Greek}", "a", true),
        (r"[\P{^Greek}x]+", "αx", true),
    ] {
        let taken = compiled(pattern).is_ok_and(|it| it.is_match(text));
        assert_eq!(taken, matches, "{pattern} on {text}");
    }
}

#[test]
fn a_dash_is_itself_wherever_it_makes_no_range() {
    for (pattern, taken, not) in [
        (r"[\w-]", "a-_", ".`"),
        (r"[\w-.]", "a-_.", "`/"),
        (r"[\w-\.]", "a-_.", "`/"),
        (r"[\w-:]", "a-_:", "`;"),
        (r"[\w-x]", "a-_x", "`."),
        (r"[^\W-x]", "aw_", "x-."),
        (r"[\s-z]", "\t-z", "ay_"),
        (r"[\s-_]", "\t-_", "aA\u{b}"),
        (r"[\d-\d]", "0-9", "/:"),
        (r"[\D-5]", "a-5", "46"),
        (r"[\pL-5]", "a-5", "4."),
        (r"[[:digit:]-a]", "5-a", "A_"),
        (r"[-a]", "-a", "+_"),
        (r"[a-]", "-a", "+_"),
        (r"[^-a]", "+_", "-a"),
        (r"[a-c-e]", "abc-e", "d"),
        (r"[a-c--/]", "abc-./", ",d"),
        (r"[+--]", "+,-", "*."),
        (r"[+---]", "+,-", "*."),
        (r"[---]", "-", ",."),
        (r"[--/]", "-./", ",0"),
        (r"[\--/]", "-./", ",0"),
        (r"[!-~]", "!az~", " "),
        (r"[Z-a]", "Z[^a", "Yb"),
        (r"[+-[]", "+A[", "]a"),
    ] {
        let class = compiled(pattern).unwrap_or_else(|err| panic!("{pattern}: {err}"));
        for (signs, wanted) in [(taken, true), (not, false)] {
            for sign in signs.chars() {
                let is_taken = class.is_match(&sign.to_string());
                assert_eq!(is_taken, wanted, "{pattern} on {sign:?}");
            }
        }
    }
}

#[test]
fn what_re2_refuses_in_a_class_or_of_an_escape_is_refused() {
    for pattern in [
        r"[a--b]",
        r"[a-c--e]+[a--]",
        r"[-a--]",
        r"[a-\d]",
        r"[a-\pL]",
        r"[a-[:digit:]]",
        r"[\Qa\E]",
        r"[",
        r"[a",
        r"[]",
        r"[a-",
        r"\1",
        r"\8",
        r"\E",
        r"\_\y",
        r"\p{Nowhere}",
        "\\",
    ] {
        assert!(compiled(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn repetitions_and_flags_that_re2_refuses_are_refused_in_gos_words() {
    // What Go's library says of each.
    for (pattern, wanted) in [
        ("a**", "invalid nested repetition operator: `**`"),
        ("x{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a+?*", "invalid nested repetition operator: `+?*`"),
        ("a???", "invalid nested repetition operator: `???`"),
        ("[a]{2}*", "invalid nested repetition operator: `{2}*`"),
        (r"\pL**", "invalid nested repetition operator: `**`"),
        ("(a|b**c)", "invalid nested repetition operator: `**`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{1001}?", "invalid repeat count: `{1001}`"),
        ("a{1,1001}", "invalid repeat count: `{1,1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
        ("(a{500}){3}", "invalid repeat count: `{3}`"),
        ("(a{500}){3}?", "invalid repeat count: `{3}?`"),
        ("(a{400}|b{2}){3}", "invalid repeat count: `{3}`"),
        ("(b{2}|(?:a{400}b)*){3}", "invalid repeat count: `{3}`"),
        ("(?P<n>a{2,}){501}", "invalid repeat count: `{501}`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?-)a", "invalid or unsupported Perl syntax: `(?-)`"),
        ("(?--i)a", "invalid or unsupported Perl syntax: `(?--`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
        ("(?i", "missing closing ): `(?i`"),
    ] {
        let fault = rust_regex(pattern).unwrap_err().to_string();
        assert_eq!(
            fault,
            format!("error parsing regexp: {wanted}"),
            "{pattern}"
        );
    }
    for pattern in [
        "a{1000}",
        "a*?b+?c??d{2}?",
        "(?:a*)*",
        "(a{500}){2}",
        "(a{1000}){0}",
        "((a{1000}){0}){5}",
        "(a{0,}){1000}",
        "(a{1000})*(a{1000})+",
        "(a{400}){1}b{3}",
        "a{,5}*",
        r"\*\**",
        r"\Qa**\E*",
        r"a*\Q\E*",
        r"[*+?{2}]{2}",
        "^*$+",
        r"\b*",
        "()*",
        "(?-i)a*(?i)b*",
        "(?iU-s)x",
        "(?i-s:a)*",
        "(?P<n>a)*(?<m>b)*",
    ] {
        compiled(pattern).unwrap_or_else(|err| panic!("{pattern}: {err}"));
    }
    for pattern in ["*", "(*)", "a|*", "(?i)*", r"\Q\E*", "(?<=a)b"] {
        assert!(compiled(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn a_megabyte_of_beginnings_is_read_once() {
    for (beginning, spelt) in [("{", r"\{"), ("[[:", ""), (r"\p{", ""), ("(?<", "")] {
        let pattern = beginning.repeat((1 << 20) / beginning.len());
        // Read to its end at each of them, this would take minutes.
        let read = rust_regex(&pattern);
        if !spelt.is_empty() {
            assert_eq!(read.unwrap(), spelt.repeat(1 << 20));
        }
    }
}
