use super::*;
use crate::dedup::Reason;
use crate::notification::Told;

fn labels(pairs: &[(&str, &str)]) -> alert::Set {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

pub(crate) fn notification(fires: bool) -> Notification {
    let told = |host: &str, fires: bool| Told {
        fingerprint: 1,
        labels: labels(&[("alertname", "Disk"), ("host", host), ("job", "n")]),
        annotations: labels(&[("summary", "<b>full</b>")]),
        started_ms: 1_767_323_045_000,
        ended_ms: (!fires).then_some(1_767_323_046_000),
        generator_url: "http://p/g?a=b&c".into(),
        ack: None,
        raised_ms: None,
    };
    Notification {
        receiver: "a.b".into(),
        group_key: "{}:{}".into(),
        reason: Reason::First,
        severity: String::new(),
        group_labels: labels(&[("alertname", "Disk")]),
        common_labels: labels(&[("alertname", "Disk"), ("job", "n")]),
        common_annotations: labels(&[("summary", "<b>full</b>")]),
        alerts: vec![told("a", fires), told("b", false)],
        sent_before: 0,
        first_sent_ms: None,
        next_repeat_ms: None,
        raises_ms: None,
        second_ms: None,
        groups: 1,
        route_labels: alert::Set::new(),
        down_at: String::new(),
        flaps: 0,
        inhibits: Vec::new(),
        external_url: "http://am".into(),
        ack_path: String::new(),
        incident: "00ff".into(),
        now_ms: 1_767_323_047_000,
    }
}

fn filled(text: &str, fires: bool, mode: Mode) -> String {
    let template = set(&[]).unwrap().parse(text).unwrap();
    fill(&template, &notification(fires), mode).unwrap()
}

#[test]
fn the_names_that_alertmanager_defines_are_there() {
    for (name, wanted) in [
        ("__alertmanager", "Alertmanager"),
        ("__description", ""),
        ("__alertmanagerURL", "http://am/#/alerts?receiver=a%5C.b"),
        ("__subject", "[FIRING:1] Disk (n)"),
        ("email.default.subject", "[FIRING:1] Disk (n)"),
    ] {
        let text = format!("{{{{ template {name:?} . }}}}");
        assert_eq!(filled(&text, true, Mode::Text), wanted, "{name}");
    }
    let subject = filled("{{ template \"__subject\" . }}", false, Mode::Text);
    assert_eq!(subject, "[RESOLVED] Disk (n)");
    assert_eq!(
        filled(
            "{{ template \"__text_alert_list\" .Alerts.Firing }}",
            true,
            Mode::Text
        ),
        "Labels:\n - alertname = Disk\n - host = a\n - job = n\nAnnotations:\n - summary = <b>full</b>\nSource: http://p/g?a=b&c\n"
    );
}

#[test]
fn the_page_escapes_what_alerts_say() {
    let page = filled("{{ template \"email.default.html\" . }}", true, Mode::Html);
    assert!(
        page.contains("&lt;b&gt;full&lt;/b&gt;") && !page.contains("<b>full"),
        "{page}"
    );
    assert!(
        page.contains("[1] Firing") && page.contains("[1] Resolved"),
        "{page}"
    );
    assert!(page.contains("2 alerts for alertname=Disk"), "{page}");
    assert!(page.contains("href=\"http://p/g?a=b&amp;c\""), "{page}");
}

#[test]
fn a_text_without_a_template_stays_one_that_a_person_reads() {
    let mut message = notification(true);
    let one = message.alerts[0].clone();
    message.alerts = vec![one; 500];
    let text = plain_text(&message, "it has no end");
    assert_eq!(text.matches("\nDisk fires\n").count(), 100, "{text}");
    assert!(text.contains("\n400 more are not listed here.\n"), "{text}");
    assert!(
        text.ends_with("What is wrong with it: it has no end\n"),
        "{text}"
    );
    message.alerts.truncate(100);
    assert!(!plain_text(&message, "").contains("more are not listed"));
}

#[test]
fn files_define_names_and_replace_ours() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "1.tmpl",
        "{{ define \"mine\" }}1{{ end }}{{ define \"__alertmanager\" }}Tower{{ end }}",
    );
    write(
        "2.tmpl",
        "{{ define \"mine\" }}2 {{ template \"__alertmanager\" . }}{{ end }}",
    );
    let set = set(&[folder.path().join("*.tmpl")]).unwrap();
    let template = set.parse("{{ template \"mine\" . }}").unwrap();
    assert_eq!(
        fill(&template, &notification(true), Mode::Text).unwrap(),
        "2 Tower"
    );
    write("3.tmpl", "{{ define \"broken\" }}{{ nothing }}");
    write("4.tmpl", "{{ end }}");
    let faults = super::set(&[folder.path().join("*.tmpl")]).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("3.tmpl:1:"), "{faults:?}");
}
