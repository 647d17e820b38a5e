//! What is refused or goes wrong, and where it is said to be.

use tmpl::{Functions, Mode, rules};

use crate::cases::render;

/// Refused when parsed.
const REFUSED: &[(&str, &str)] = &[
    ("{{", "1:3: unclosed action"),
    ("a\nb {{ .X", "2:8: unclosed action"),
    ("{{ .X }", "1:7: unexpected character in action"),
    ("{{ }}", "1:4: missing value for command"),
    ("{{}}", "1:3: missing value for command"),
    ("{{/* x }}", "1:1: unclosed comment"),
    (
        "{{/* x */ }}",
        "1:10: comment ends before closing delimiter",
    ),
    ("{{ nope }}", "1:4: function \"nope\" not defined"),
    ("x {{ .A | nope 1 }}", "1:11: function \"nope\" not defined"),
    ("{{ tmpl \"x\" . }}", "1:4: function \"tmpl\" not defined"),
    ("é {{ $x }}", "1:6: undefined variable \"$x\""),
    ("{{ $x = 1 }}", "1:4: undefined variable \"$x\""),
    ("{{ $x := $x }}", "1:10: undefined variable \"$x\""),
    (
        "{{ if 1 }}{{ $x := 1 }}{{ end }}{{ $x }}",
        "1:36: undefined variable \"$x\"",
    ),
    (
        "{{ $x := 1 }}{{ define \"d\" }}{{ $x }}{{ end }}",
        "1:33: undefined variable \"$x\"",
    ),
    ("{{ if .A }}", "1:4: unexpected EOF: {{if}} has no {{end}}"),
    (
        "{{ range .A }}{{ else }}",
        "1:4: unexpected EOF: {{range}} has no {{end}}",
    ),
    (
        "{{ define \"x\" }}",
        "1:4: unexpected EOF: {{define}} has no {{end}}",
    ),
    ("{{ end }}", "1:4: unexpected {{end}}"),
    ("{{ else }}", "1:4: unexpected {{else}}"),
    (
        "{{ if 1 }}{{ else }}{{ else }}{{ end }}",
        "1:24: expected end; found {{else}}",
    ),
    ("{{ if }}x{{ end }}", "1:7: missing value for if"),
    ("{{ break }}", "1:4: {{break}} outside {{range}}"),
    (
        "{{ range .A }}{{ else }}{{ continue }}{{ end }}",
        "1:28: {{continue}} outside {{range}}",
    ),
    (
        "{{ if 1 }}{{ define \"x\" }}{{ end }}{{ end }}",
        "1:14: unexpected {{define}}",
    ),
    (
        "{{ define x }}{{ end }}",
        "1:11: unexpected <x> in define clause",
    ),
    (
        "{{ template .X }}",
        "1:13: unexpected \".X\" in template clause",
    ),
    (
        "{{ define \"x\" }}1{{ end }}{{ define \"x\" }}2{{ end }}",
        "1:30: multiple definition of template \"x\"",
    ),
    ("{{ \"abc }}", "1:4: unterminated quoted string"),
    ("{{ `abc }}", "1:4: unterminated raw quoted string"),
    ("{{ 'a }}", "1:4: unterminated character constant"),
    ("{{ 'ab' }}", "1:4: malformed character constant"),
    ("{{ \"\\z\" }}", "1:4: invalid syntax"),
    ("{{ 1x }}", "1:4: bad number syntax: \"1x\""),
    (
        "{{ 99999999999999999999 }}",
        "1:4: 99999999999999999999 overflows int",
    ),
    ("{{ (1 }}", "1:7: unclosed left paren"),
    ("{{ 1) }}", "1:5: unexpected right paren"),
    (
        "{{ 1 | 2 }}",
        "1:8: non executable command in pipeline stage 2",
    ),
    ("{{ | .A }}", "1:4: unexpected \"|\" in command"),
    ("{{ .A+1 }}", "1:6: bad character after a name"),
    (
        "{{ \"x\".y }}",
        "1:7: unexpected . after term \"\\\"x\\\"\"",
    ),
    (
        "{{ $a, $b := .A }}",
        "1:6: too many declarations in command",
    ),
    (
        "{{ range $a, $b, $c := .A }}{{ end }}",
        "1:16: too many declarations in range",
    ),
    ("{{ .A : 1 }}", "1:7: expected :="),
    ("{{ if 1 }}{{ end x }}", "1:18: unexpected <x> in end"),
    ("{{ .X ! }}", "1:7: unexpected character in action"),
    (
        "{{ if .A }}{{ else with .B }}{{ end }}",
        "1:20: unexpected <with> in else",
    ),
];

/// Stopped when executed.
const STOPPED: &[(&str, &str)] = &[
    (
        "{{ .Any.s.x }}",
        "1:4: can't evaluate field x in type string",
    ),
    (
        "{{ .Name 1 }}",
        "1:4: Name is not a method but has arguments",
    ),
    ("{{ nil }}", "1:4: nil is not a command"),
    ("{{ 1 2 }}", "1:4: can't give argument to non-function"),
    ("{{ 1 | $ }}", "1:8: can't give argument to non-function"),
    (
        "{{ eq .F 1 }}",
        "1:4: error calling eq: incompatible types for comparison",
    ),
    (
        "\n\n  {{ if gt .F 1 }}x{{ end }}",
        "3:9: error calling gt: incompatible types for comparison",
    ),
    (
        "{{ eq 1 }}",
        "1:4: error calling eq: missing argument for comparison",
    ),
    (
        "{{ eq .Words .Words }}",
        "1:4: error calling eq: uncomparable type []string",
    ),
    (
        "{{ lt true false }}",
        "1:4: error calling lt: invalid type for comparison",
    ),
    (
        "{{ lt 1 \"a\" }}",
        "1:4: error calling lt: incompatible types for comparison",
    ),
    ("{{ len 3 }}", "1:4: error calling len: len of type int"),
    (
        "{{ len nil }}",
        "1:4: error calling len: len of untyped nil",
    ),
    (
        "{{ index .Words 3 }}",
        "1:4: error calling index: index out of range: 3",
    ),
    (
        "{{ index .Words -1 }}",
        "1:4: error calling index: index out of range: -1",
    ),
    (
        "{{ index .None 0 }}",
        "1:4: error calling index: index out of range: 0",
    ),
    (
        "{{ index .Words \"a\" }}",
        "1:4: error calling index: cannot index slice/array with type string",
    ),
    (
        "{{ index .Map 1 }}",
        "1:4: error calling index: value has type int; should be string",
    ),
    (
        "{{ index nil 1 }}",
        "1:4: error calling index: index of untyped nil",
    ),
    (
        "{{ slice .Name 2 1 }}",
        "1:4: error calling slice: invalid slice index: 2 > 1",
    ),
    (
        "{{ slice .Name 9 }}",
        "1:4: error calling slice: index out of range: 9",
    ),
    (
        "{{ slice .Name 0 1 2 }}",
        "1:4: error calling slice: cannot 3-index slice a string",
    ),
    (
        "{{ not 1 2 }}",
        "1:4: wrong number of args for not: want 1 got 2",
    ),
    (
        "{{ index }}",
        "1:4: wrong number of args for index: want at least 1 got 0",
    ),
    (
        "{{ printf 1 }}",
        "1:4: error calling printf: wrong type for value; expected string; got int",
    ),
    (
        "{{ printf .Nil }}",
        "1:4: error calling printf: invalid value; expected string",
    ),
    (
        "{{ range .Name }}x{{ end }}",
        "1:10: range can't iterate over string",
    ),
    (
        "{{ range 1.5 }}x{{ end }}",
        "1:10: range can't iterate over float64",
    ),
    (
        "{{ template \"none\" }}",
        "1:4: template \"none\" not defined",
    ),
    (
        "{{ call .Name }}",
        "1:4: error calling call: non-function of type string",
    ),
    (
        "{{ .T0.Format }}",
        "1:4: error calling Format: wrong number or type of args for Format",
    ),
    (
        "{{ .T0.Nope }}",
        "1:4: can't evaluate field Nope in type time.Time",
    ),
    (
        "{{ first .None }}",
        "1:4: error calling first: first() called on vector with no elements",
    ),
    (
        "{{ query \"up\" }}",
        "1:4: error calling query: queries are not possible here",
    ),
    (
        "{{ value 1 }}",
        "1:4: error calling value: wrong type for value; expected *template.sample; got int",
    ),
    (
        "{{ humanize \"x\" }}",
        "1:4: error calling humanize: strconv.ParseFloat: parsing \"x\": invalid syntax",
    ),
    (
        "{{ humanize true }}",
        "1:4: error calling humanize: can't convert bool to float",
    ),
    (
        "{{ humanizeTimestamp 1e20 }}",
        "1:4: error calling humanizeTimestamp: 1e+20 cannot be represented as a nanoseconds timestamp since it overflows int64",
    ),
    (
        "{{ toTime \"NaN\" }}",
        "1:4: error calling toTime: value is NaN or Inf",
    ),
    (
        "{{ parseDuration \"1x\" }}",
        "1:4: error calling parseDuration: not a valid duration string: \"1x\"",
    ),
    (
        "{{ parseDuration \"1s1m\" }}",
        "1:4: error calling parseDuration: not a valid duration string: \"1s1m\"",
    ),
    (
        "{{ parseDuration \"\" }}",
        "1:4: error calling parseDuration: empty duration string",
    ),
    (
        "{{ match \"(\" \"x\" }}",
        "1:4: error calling match: error parsing regexp: \"(\"",
    ),
    (
        "{{ toUpper 1 }}",
        "1:4: error calling toUpper: wrong type for value; expected string; got int",
    ),
];

#[test]
fn what_is_no_template_is_refused_with_its_place() {
    for (text, expected) in REFUSED {
        let got = render(text, Functions::prometheus(), Mode::Text);
        assert_eq!(got.unwrap_err().to_string(), *expected, "{text}");
    }
}

#[test]
fn what_goes_wrong_at_run_time_is_said_with_its_place() {
    for (text, expected) in STOPPED {
        let got = render(text, Functions::prometheus(), Mode::Text);
        assert_eq!(got.unwrap_err().to_string(), *expected, "{text}");
    }
}

#[test]
fn functions_of_one_program_are_unknown_to_the_other() {
    assert!(render("{{ trimSpace \"x\" }}", Functions::prometheus(), Mode::Text).is_err());
    assert!(render("{{ humanize 1.0 }}", Functions::alertmanager(), Mode::Text).is_err());
    assert!(render("{{ title \"x\" }}", Functions::builtin(), Mode::Text).is_err());
}

#[test]
fn newer_forms_of_the_language_are_understood() {
    let cases = [
        (
            "{{ range 3 }}{{ . }}{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}",
            "01201",
        ),
        ("{{ range 0 }}x{{ else }}none{{ end }}", "none"),
        (
            "{{ with .Empty }}a{{ else with .Name }}{{ . }}{{ else }}c{{ end }}",
            "Ann",
        ),
        (
            "{{ with .Empty }}a{{ else with .Nil }}b{{ else }}{{ .N }}{{ end }}",
            "7",
        ),
        ("<p title={{ .Empty }}>", "<p title=ZgotmplZ>"),
    ];
    for (text, expected) in cases {
        let got = render(text, Functions::builtin(), Mode::Html).unwrap();
        assert_eq!(got, expected, "{text}");
    }
}

#[test]
fn values_inside_scripts_are_refused() {
    for text in [
        "<script>var x = {{ .N }}</script>",
        "<a onclick=\"go({{ .N }})\">x</a>",
        "<iframe srcdoc='{{ .Html }}'>",
    ] {
        let got = render(text, Functions::builtin(), Mode::Html).unwrap_err();
        assert_eq!(got.message, "a value inside a script is refused", "{text}");
    }
}

#[test]
fn rules_know_their_variables_and_are_checked_when_loaded() {
    assert_eq!(rules::check("plain"), Ok(()));
    assert_eq!(
        rules::check("{{ $labels.a }} {{ $value }} {{ $externalLabels }} {{ $externalURL }}"),
        Ok(())
    );
    let err = rules::check("on {{ $labels.a }}:\n{{ $label.a }}").unwrap_err();
    assert_eq!((err.line, err.column), (2, 4));
    assert_eq!(err.message, "undefined variable \"$label\"");
    let err = rules::check("{{ define \"x\" }}{{ $labels.a }}{{ end }}").unwrap_err();
    assert_eq!(err.to_string(), "1:20: undefined variable \"$labels\"");
}
