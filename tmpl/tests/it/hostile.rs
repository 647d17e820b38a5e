//! Templates that would loop, explode or exhaust the stack end with an error.

use std::thread;

use tmpl::{Env, Functions, Limits, Mode, Template};

use crate::cases::data;

/// The error of a template on a stack half as large as those of the program.
fn error(text: String) -> String {
    let run = move || {
        let env = Env {
            limits: Limits {
                steps: 200_000,
                output: 100_000,
            },
            ..Env::at(0, "")
        };
        let template = Template::parse(&text, Functions::alertmanager());
        let made = template.and_then(|template| template.execute(&data(), &env, Mode::Text));
        made.map(|text| text.len())
    };
    let thread = thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(run)
        .expect("a thread");
    let made = thread.join().expect("no panic");
    made.expect_err("an error").message
}

#[test]
fn endless_loops_stop() {
    for text in [
        "{{ range 9000000000 }}{{ end }}",
        "{{ range 9000000000 }}{{ range 9000000000 }}{{ continue }}{{ end }}{{ end }}",
        "{{ define \"t\" }}{{ end }}{{ range 9000000000 }}{{ template \"t\" }}{{ end }}",
    ] {
        assert_eq!(error(text.into()), "stopped after 200000 steps", "{text}");
    }
}

#[test]
fn recursion_stops() {
    for text in [
        "{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}",
        "{{ define \"t\" }}{{ range .Words }}{{ with $ }}{{ if . }}{{ template \"t\" . }}{{ end }}{{ end }}{{ end }}{{ end }}{{ template \"t\" . }}",
        "{{ define \"a\" }}{{ template \"b\" (printf \"%s\" (print (print 1))) }}{{ end }}{{ define \"b\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
    ] {
        assert_eq!(error(text.into()), "exceeded the depth of 200", "{text}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = [
        format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("{{{{ {}", "(".repeat(20_000)),
        "{{ if 1 }}".repeat(20_000),
        "{{ if 0 }}{{ else if 1 }}".repeat(20_000),
        format!("{{{{ if 0 }}}}{}", "{{ else if 1 }}".repeat(20_000)),
        "{{ range .Words }}{{ with . }}{{ block \"x\" . }}".repeat(20_000),
        format!("{{{{ {}", "print (print ".repeat(20_000)),
    ];
    for text in deep {
        let start: String = text.chars().take(40).collect();
        assert_eq!(error(text), "nested more than 100 deep", "{start}");
    }
}

#[test]
fn what_may_be_nested_fits_the_stack() {
    let blocks = format!("{}{}", "{{ if 1 }}".repeat(99), "{{ end }}".repeat(99));
    let parens = format!("{{{{ {}1{} }}}}", "(print ".repeat(99), ")".repeat(99));
    for text in [blocks, parens] {
        let run = move || {
            let template = Template::parse(&text, Functions::builtin()).unwrap();
            template
                .execute(&data(), &Env::at(0, ""), Mode::Text)
                .unwrap()
        };
        thread::Builder::new()
            .stack_size(1 << 20)
            .spawn(run)
            .unwrap()
            .join()
            .unwrap();
    }
}

#[test]
fn huge_results_stop() {
    let large = "the result is larger than 100000 bytes";
    let double = "{{ $x := \"aaaaaaaa\" }}{{ range 99 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}";
    let cases = [
        double.to_owned(),
        double.replace("printf \"%s%s\"", "print"),
        "{{ range 100000 }}0123456789{{ end }}".into(),
        "{{ printf \"%999999d\" 1 }}".into(),
        "{{ printf \"%.999999f\" 1.0 }}".into(),
        "{{ printf \"%*d\" 999999 1 }}".into(),
        "{{ $x := printf \"%50000d\" 1 }}{{ reReplaceAll \" \" $x $x }}".into(),
        "{{ $x := printf \"%90000d\" 1 }}{{ html $x \"<\" $x }}".into(),
        "{{ $x := printf \"%90000d\" 1 }}{{ urlquery (reReplaceAll \" \" \"/\" $x) }}".into(),
        "{{ $x := printf \"%5000d\" 1 }}{{ join $x (slice (list $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x) 0) }}".into(),
        "{{ $x := list 1 }}{{ range 25 }}{{ $x = list $x $x }}{{ end }}{{ print $x }}".into(),
        "{{ $x := list 1 }}{{ range 25 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}".into(),
        "{{ $x := list 1 }}{{ range 25 }}{{ $x = list $x $x }}{{ end }}{{ $x }}".into(),
        "a".repeat(100_001),
    ];
    for text in cases {
        let start: String = text.chars().take(60).collect();
        let got = error(text);
        assert!(got.ends_with(large), "{start}: {got}");
    }
}

#[test]
fn values_are_not_nested_without_end() {
    for text in [
        "{{ $x := list 1 }}{{ range 100000 }}{{ $x = list $x }}{{ end }}",
        "{{ $x := list 1 }}{{ range 100000 }}{{ $x = append (list) $x }}{{ end }}",
        "{{ $x := list 1 }}{{ range 100000 }}{{ $x = dict \"a\" $x }}{{ end }}",
    ] {
        let got = error(text.into());
        assert!(got.ends_with("values nested more than 30 deep"), "{got}");
    }
}

#[test]
fn costly_functions_use_up_the_steps() {
    for text in [
        "{{ $x := list 1 }}{{ range 100000 }}{{ $x = append $x . }}{{ end }}",
        "{{ $x := printf \"%90000d\" 1 }}{{ range 100000 }}{{ $y := toUpper $x }}{{ end }}",
        "{{ $x := printf \"%90000d\" 1 }}{{ range 100000 }}{{ if match \"(a|b)*c\" $x }}{{ end }}{{ end }}",
    ] {
        assert_eq!(error(text.into()), "stopped after 200000 steps", "{text}");
    }
}

#[test]
fn a_pattern_too_large_to_compile_is_refused() {
    let got = error("{{ match \"\\\\pL{1000}\" \"a\" }}".into());
    assert!(got.ends_with("is too large"), "{got}");
}

#[test]
fn whatever_is_cut_off_or_spliced_never_panics() {
    let text = "{{ define \"t\" -}} a {{ range $i, $x := .Words }}{{ if and (eq $i 1) .T }}{{ printf \"%5.2f|%[1]v\" .F | html }}{{ else if not .Nil }}{{ $x }}{{ end }}{{ else }}{{ `é` }}{{ 'x' }}{{ end }}{{/* c */}}{{ end }}<a href=\"{{ template \"t\" . }}\">é</a>";
    let ends = (0..=text.len()).filter(|at| text.is_char_boundary(*at));
    for from in ends.clone().step_by(3) {
        for to in ends.clone().filter(|to| *to >= from).step_by(5) {
            let spliced = format!("{}{}", &text[from..to], &text[from..]);
            for part in [&text[from..to], &spliced] {
                if let Ok(template) = Template::parse(part, Functions::alertmanager()) {
                    // Whether it works does not matter here.
                    let _ = template.execute(&data(), &Env::at(0, ""), Mode::Html);
                }
            }
        }
    }
}
