//! Go templates, as in labels, annotations and mails.

use std::collections::BTreeMap;

use tmpl::{Env, Functions, Limits, Mode, Sample, Set, Value};

use crate::NOW;

/// Parses a template as rules and as mails do, and executes it.
///
/// # Panics
/// If it grows past its limit.
pub fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let labels = BTreeMap::from([
        ("host".to_owned(), "<a>".to_owned()),
        ("job".to_owned(), "b".to_owned()),
    ]);
    let query = |_: &str| {
        let sample = Sample {
            labels: labels.clone(),
            value: 1.5,
        };
        Ok(vec![sample.clone(), sample])
    };
    let url = "http://localhost/";
    let _ = tmpl::rules::expand(&text, &labels, &labels, url, 42.5, NOW, &query);
    let functions = [Functions::prometheus(), Functions::alertmanager()];
    let modes = [Mode::Text, Mode::Html];
    for (functions, mode) in functions
        .into_iter()
        .flat_map(|it| modes.map(|mode| (it, mode)))
    {
        let Ok(template) = Set::new(functions).parse(&text) else {
            continue;
        };
        let limits = Limits {
            steps: 20_000,
            output: 10_000,
        };
        let env = Env {
            query: Some(&query),
            limits,
            ..Env::at(NOW, url)
        };
        let data = Value::texts([("host", "<a>"), ("job", "b")]);
        if let Ok(out) = template.execute(&data, &env, mode) {
            assert!(out.len() <= 20_000, "{} bytes", out.len());
        }
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "{{ $labels.host }} is at {{ $value | humanize }} since {{ printf \"%.2f%%\" 1.5 }}",
        "{{- range $k, $v := . }}{{ if eq $k \"host\" }}{{ $v | toUpper }}{{ else }}{{ break }}{{ end }}{{ end -}}",
        "{{ define \"x\" }}{{ . }}!{{ end }}{{ template \"x\" .host }}{{ with .job }}{{ len . }}{{ end }}",
        "{{ query \"up\" | first | value | humanizeDuration }}{{ /* no */ }}{{ slice \"abc\" 1 2 }}",
        "{{ $a := 1 }}{{ range 3 }}{{ $a = 2 }}{{ end }}<a href=\"{{ .host }}\">{{ reReplaceAll \"(a)\" \"$1b\" .host }}</a>",
        "{{ block \"b\" . }}{{ template \"b\" . }}{{ end }}",
        "{{ $m := dict \"a\" (list 1 2) }}{{ toJson $m }}{{ base64encode .host | base64decode }}{{ join \", \" (stringSlice .host .job) }}",
        "{{ (toDate \"2006-01-02\" \"2024-02-30\").Format \"Jan\" }}{{ now | tz \"Europe/Berlin\" | date \"15:04\" }}{{ title .host | safeHtml }}{{ urlUnescape \"%41%\" }}",
    ])
}
