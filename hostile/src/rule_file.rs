//! Rule files.

use rules::{RuleSet, Site, Source};

use crate::{NOW, engine, store};

/// Reads a rule file, checks it, lays it out, and evaluates what is in it.
///
/// # Panics
/// If a file that is taken is refused once it is laid out.
pub fn rule_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let source = Source {
        name: "rules.yml".into(),
        text,
    };
    let loaded = RuleSet::load(std::slice::from_ref(&source), Site::default());
    let _ = rules::check(std::slice::from_ref(&source));
    let laid_out = rules::format(&source);
    let Ok(mut set) = loaded else {
        return;
    };
    if let Ok(laid_out) = laid_out {
        let source = Source {
            text: laid_out.text,
            ..source
        };
        let again = RuleSet::load(std::slice::from_ref(&source), Site::default());
        assert!(again.is_ok(), "{}", source.text);
    }
    let (engine, store) = (engine(), store());
    for time_ms in [NOW, NOW + 60_000] {
        for due in set.due_on_data(time_ms) {
            set.evaluate(due.group, due.at_ms, &store, &engine);
        }
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "groups:\n- name: g\n  interval: 30s\n  limit: 10\n  labels: {team: ops}\n  rules:\n\
         \x20 - alert: Down\n    expr: up == 0\n    for: 5m\n    keep_firing_for: 1m\n\
         \x20   labels: {severity: '{{ $labels.host }}'}\n\
         \x20   annotations: {summary: '{{ $value | humanize }} of {{ $labels.host }}'}\n\
         \x20 - record: a:b:c\n    expr: |\n      sum by (host) (\n        rate(x_total[5m])\n      )\n",
        "groups: [{name: a, rules: [{record: x, expr: 'vector(1)'}, {alert: Y, expr: x > 0}]}]\n",
        "groups:\n- name: \"q\\u00e9\"\n  query_offset: 1m\n  rules: &r\n  - {alert: A, expr: absent(z)}\n- name: b\n  rules: *r\n",
        "# only a remark\ngroups: []\n",
    ])
}
