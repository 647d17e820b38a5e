use std::sync::Arc;

use alert::Set;

use super::*;
use crate::dedup::Reason;
use crate::notification::Told;
use crate::plan::Integration;
use crate::{Config, Mail as Section};

const EVIL: &str = "x\r\nBcc: evil@example.org\r\n\r\nbody\u{2028}\u{85}\0é";

fn delivery(label: &str, email: &str, message_id: &str) -> Delivery {
    let config = format!(
        "{{route: {{receiver: a}}, receivers: [{{name: a, email_configs: [{{to: 'Öps <ops@example.org>, b@example.org', \
         from: 'Bélfry <belfry@example.org>', smarthost: 'mx:25', {email}}}]}}]}}"
    );
    let config: Config = settings::read("a.yml".as_ref(), &config, &|_| None).unwrap();
    let plan = crate::plan(&config, &Section::default()).unwrap();
    let labels: Set = [("alertname".to_owned(), label.to_owned())].into();
    let email = Arc::clone(plan.receivers[0].emails().next().unwrap());
    let whom = Whom::without(&email.to, &email.from, 0);
    Delivery {
        id: 1,
        to: whom.to[..1].to_vec(),
        whom,
        integration: Integration::Email(email),
        deadline: Duration::from_secs(10),
        notification: Notification {
            receiver: "a".into(),
            group_key: "{}:{}".into(),
            reason: Reason::First,
            severity: label.into(),
            group_labels: labels.clone(),
            common_labels: labels.clone(),
            common_annotations: Set::new(),
            alerts: vec![Told {
                fingerprint: 1,
                labels,
                annotations: [("value".to_owned(), "97 %".to_owned())].into(),
                started_ms: 0,
                ended_ms: None,
                generator_url: String::new(),
                ack: None,
                raised_ms: None,
            }],
            sent_before: 0,
            first_sent_ms: None,
            next_repeat_ms: None,
            raises_ms: None,
            second_ms: None,
            groups: 1,
            route_labels: Set::new(),
            down_at: String::new(),
            flaps: 0,
            inhibits: Vec::new(),
            external_url: String::new(),
            ack_path: String::new(),
            incident: "00ff".into(),
            now_ms: 1_767_323_045_000,
        },
        message_id: message_id.into(),
    }
}

fn render() -> Render {
    Arc::new(|notification| Rendered {
        subject: format!("[SEV-1] {}", notification.group_labels["alertname"]),
        text: "ätsch: 97 %\n.\n".into(),
        html: "<p>ätsch</p>".into(),
    })
}

fn composed(delivery: &Delivery, render: &Render) -> Result<Envelope, Failure> {
    let Integration::Email(email) = &delivery.integration else {
        panic!("it is a mail");
    };
    compose(delivery, email, render)
}

type Pairs = Vec<(String, String)>;

/// A mail as a parser that is not ours reads it: fields and parts.
fn read(envelope: &Envelope) -> (Pairs, Pairs) {
    let mail = mailparse::parse_mail(&envelope.message).unwrap();
    let fields = mail
        .headers
        .iter()
        .map(|it| (it.get_key(), it.get_value()))
        .collect();
    let parts = match mail.subparts.is_empty() {
        true => vec![&mail],
        false => mail.subparts.iter().collect(),
    };
    let parts = parts
        .iter()
        .map(|it| (it.ctype.mimetype.clone(), it.get_body().unwrap()));
    (fields, parts.collect())
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    let mut found = fields
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let (_, value) = found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {fields:?}"));
    assert!(found.next().is_none(), "{name} twice");
    value
}

#[test]
fn a_mail_has_text_first_then_html_and_says_what_it_is() {
    let envelope = composed(&delivery("api down", "", "00ff"), &render()).unwrap();
    assert!(envelope.message.is_ascii(), "no server need know 8BITMIME");
    assert_eq!(envelope.from.to_string(), "belfry@example.org");
    assert_eq!(envelope.to.len(), 1, "only who is to get it");
    let (fields, parts) = read(&envelope);
    for (name, wanted) in [
        ("From", "Bélfry <belfry@example.org>"),
        ("To", "Öps <ops@example.org>, b@example.org"),
        ("Subject", "[SEV-1] api down"),
        ("Date", "Fri, 02 Jan 2026 03:04:05 +0000"),
        ("Message-ID", "<00ff@example.org>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Belfry-Severity", "api down"),
        ("X-Belfry-State", "firing"),
        ("X-Belfry-Incident", "00ff"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(value(&fields, name), wanted, "{name}");
    }
    assert!(!fields.iter().any(|(name, _)| name == "References"));
    let text = ("text/plain".to_owned(), "ätsch: 97 %\r\n.\r\n".to_owned());
    assert_eq!(parts, [text, ("text/html".into(), "<p>ätsch</p>".into())]);
}

#[test]
fn later_mails_of_an_incident_answer_its_first() {
    let envelope = composed(&delivery("x", "", "00ff.1.abcd"), &render()).unwrap();
    let (fields, _) = read(&envelope);
    assert_eq!(value(&fields, "Message-ID"), "<00ff.1.abcd@example.org>");
    assert_eq!(value(&fields, "In-Reply-To"), "<00ff@example.org>");
    assert_eq!(value(&fields, "References"), "<00ff@example.org>");
}

#[test]
fn no_label_can_add_a_field_or_a_body() {
    let email = r#"headers: {Subject: "a\r\nBcc: evil@example.org", X-Mine: "a\n\nb"}"#;
    for email in ["", email] {
        let envelope = composed(&delivery(EVIL, email, "00ff"), &render()).unwrap();
        let (fields, parts) = read(&envelope);
        assert!(
            !fields
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("bcc")),
            "{fields:?}"
        );
        assert_eq!(parts.len(), 2);
        assert!(value(&fields, "Subject").contains("Bcc: evil@example.org"));
        assert!(value(&fields, "X-Belfry-Severity").contains('é'));
    }
}

#[test]
fn fields_of_the_configuration_replace_ours_or_add_to_them() {
    let email = "headers: {subject: Über, x-team: db, Reply-To: ops@example.org}";
    let envelope = composed(&delivery("x", email, "00ff"), &render()).unwrap();
    let (fields, _) = read(&envelope);
    assert_eq!(value(&fields, "Subject"), "Über");
    assert_eq!(value(&fields, "X-Team"), "db");
    assert_eq!(value(&fields, "Reply-To"), "ops@example.org");
}

#[test]
fn an_endless_subject_is_cut() {
    let envelope = composed(&delivery(&"ü".repeat(5_000), "", "00ff"), &render()).unwrap();
    let (fields, _) = read(&envelope);
    assert_eq!(value(&fields, "Subject").chars().count(), SUBJECT + 1);
    let longest = envelope
        .message
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::len)
        .max();
    assert!(longest < Some(1_000), "{longest:?}");
}

#[test]
fn a_template_that_fails_costs_its_looks_but_not_the_page() {
    let fails: Render = Arc::new(|_| panic!("a fault in a template"));
    let empty: Render = Arc::new(|_| Rendered {
        subject: String::new(),
        text: String::new(),
        html: String::new(),
    });
    for render in [fails, empty] {
        let envelope = composed(&delivery("api", "", "00ff"), &render).unwrap();
        let (fields, parts) = read(&envelope);
        assert_eq!(value(&fields, "Subject"), "[FIRING] api");
        assert_eq!(parts.len(), 1);
        assert!(parts[0].1.contains("value: 97 %"), "{parts:?}");
    }
}

fn own_words(email: &str) -> (Pairs, Pairs) {
    let envelope = composed(&delivery("Disk", email, "00ff"), &render()).unwrap();
    read(&envelope)
}

fn find<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    let mut pairs = pairs.iter();
    pairs
        .find(|(key, _)| key == name)
        .map_or("", |(_, value)| value)
}

#[test]
fn the_users_templates_replace_our_words() {
    let (fields, parts) = own_words(
        "html: '<i>{{ .CommonLabels.alertname }} {{ .Status }}</i>', text: '{{ len .Alerts }} x', headers: {subject: 'S {{ .Receiver }}', X-Team: '{{ .GroupLabels.alertname }}', X-Plain: y}",
    );
    assert_eq!(find(&fields, "Subject"), "S a");
    assert_eq!(find(&fields, "X-Team"), "Disk");
    assert_eq!(find(&fields, "X-Plain"), "y");
    assert_eq!(find(&parts, "text/plain").trim_end(), "1 x");
    assert_eq!(find(&parts, "text/html").trim_end(), "<i>Disk firing</i>");
    // Only the subject: the bodies stay ours.
    let (fields, parts) = own_words("headers: {Subject: 'S'}");
    assert_eq!(find(&fields, "Subject"), "S");
    assert!(find(&parts, "text/html").contains("ätsch"));
    // Only the text: the page and the subject are Alertmanager's.
    let (fields, parts) = own_words("text: t");
    assert_eq!(find(&fields, "Subject"), "[FIRING:1] Disk");
    assert!(find(&parts, "text/html").contains("1 alert for alertname=Disk"));
    let (_, parts) = own_words("text: '', html: '<p>x</p>'");
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].0, "text/html");
}

#[test]
fn a_template_that_fails_costs_its_looks_and_never_the_page() {
    for (email, wanted) in [
        ("html: '{{ template \"gone\" . }}'", "html: 1:"),
        ("text: '{{ .CommonLabels.a.b.c }}'", "text: 1:"),
        ("headers: {Subject: '{{ index .Alerts 7 }}'}", "Subject: 1:"),
        ("headers: {X-A: '{{ call 1 }}'}", "X-A: 1:"),
        (
            "html: '{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}'",
            "html: 1:",
        ),
    ] {
        let (fields, parts) = own_words(email);
        assert_eq!(find(&fields, "Subject"), "[FIRING] Disk", "{email}");
        let text = &parts[0].1;
        assert!(text.contains("value: 97 %"), "{email}: {text}");
        assert!(
            text.contains(&format!("What is wrong with it: {wanted}")),
            "{email}: {text}"
        );
    }
}

#[test]
fn all_mails_about_a_group_answer_one_that_nobody_sent_where_that_is_wanted() {
    let answered = |threading: &str, group: &str, id: &str| {
        let email = format!("threading: {{enabled: true, thread_by_date: {threading}}}");
        let mut delivery = delivery("x", &email, id);
        delivery.notification.group_key = group.into();
        let (fields, _) = read(&composed(&delivery, &render()).unwrap());
        assert_eq!(value(&fields, "References"), value(&fields, "In-Reply-To"));
        value(&fields, "References").to_owned()
    };
    // The first 16 digits of the SHA-256 of "abc", an example of the standard's.
    let root = "<alert-ba7816bf8f01cfea-";
    let day = jiff::Timestamp::from_millisecond(1_767_323_045_000).unwrap();
    let day = jiff::tz::TimeZone::system().to_datetime(day).date();
    for id in ["00ff", "00ff.1.abcd"] {
        assert_eq!(answered("none", "abc", id), format!("{root}@alertmanager>"));
        assert_eq!(
            answered("daily", "abc", id),
            format!("{root}{day}@alertmanager>")
        );
    }
    assert_ne!(
        answered("none", "abd", "00ff"),
        answered("none", "abc", "00ff")
    );
    let (fields, _) = own_words("threading: {enabled: false}");
    assert_eq!(find(&fields, "References"), "");
}
