//! Mails as they occur.

use dashboards::fact::{Ack, Context, ContextPart, Event, Severity, Unit};
use dashboards::mail::*;

use crate::states::{NOW, berlin, wave};
use crate::trouble::runbook;

const MINUTE: i64 = 60_000;

/// Every mail by name.
pub(crate) fn all() -> Vec<(&'static str, Mail)> {
    vec![
        ("first", first()),
        ("repeat", repeat()),
        ("new", group()),
        ("resolved", resolved()),
        ("test", test()),
        ("many", many()),
        ("hostile", hostile()),
    ]
}

fn alert() -> MailAlert {
    MailAlert {
        name: "ApiDown".into(),
        severity: Severity::Critical,
        summary: "api is down: 0 of 2 containers healthy".into(),
        description: "shop-api-1 exited 1 three times after the image change at 02:58.\n\nLast error: ModuleNotFoundError: No module named 'billing'".into(),
        impact: "Every site answers 502.".into(),
        value: "0 of 2 healthy".into(),
        limit: "at least 1".into(),
        labels: [("alertname", "ApiDown"), ("project", "shop"), ("service", "api"), ("severity", "critical")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        started_ms: NOW - 4 * MINUTE - 4_000,
        runbook: Some(runbook()),
        trends: vec![wave("memory", Unit::Ratio, 0.66, 0.2), wave("5xx/min", Unit::None, 20.0, 20.0)],
        ..MailAlert::default()
    }
}

pub(crate) fn context() -> Context {
    let part = |title: &str, lines: &[&str]| ContextPart {
        title: title.into(),
        lines: lines.iter().map(|line| (*line).into()).collect(),
    };
    Context {
        at_ms: NOW - 4 * MINUTE,
        parts: vec![
            part(
                "Last log lines",
                &["db_password=<secret>", "No module named 'billing'"],
            ),
            part(
                "Recent change",
                &["shop-api-1 has had the image api:2.1 for 6 m"],
            ),
        ],
    }
}

fn disk() -> MailAlert {
    MailAlert {
        name: "DiskFilling".into(),
        severity: Severity::Warning,
        summary: "disk / is 71 % full and fills up in about 19 days".into(),
        value: "71 %, 53 of 75 GiB".into(),
        limit: "70 %".into(),
        started_ms: NOW - 2 * 24 * 60 * MINUTE,
        runbook: None,
        trends: Vec::new(),
        description: String::new(),
        impact: String::new(),
        ..alert()
    }
}

fn hidden(name: &str, count: usize, about: &[&str]) -> Hidden {
    Hidden {
        name: name.into(),
        count,
        about: about.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn first() -> Mail {
    Mail {
        host: "vps1".into(),
        now_ms: NOW,
        zone: berlin(),
        severity: Severity::Critical,
        kind: Kind::First,
        alerts: vec![MailAlert {
            context: Some(context()),
            ..alert()
        }],
        hidden: vec![
            hidden("SiteDown", 3, &["blog", "docs", "shop"]),
            hidden("ProbeSlow", 1, &["shop"]),
        ],
        next: Some(Event {
            what: "mail again".into(),
            at_ms: NOW + 56 * MINUTE,
        }),
        why: Why {
            rule: "ApiDown".into(),
            route: "severity=critical".into(),
            receiver: "ops@example.org".into(),
        },
        links: Links {
            public_url: String::new(),
            local_port: 9911,
            ack: "/ack/mail/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
        },
        version: "0.1.0".into(),
        ..Mail::default()
    }
}

fn repeat() -> Mail {
    let mut mail = first();
    mail.kind = Kind::Repeat;
    mail.mails_before = 1;
    mail.changed = "restarts went from 3 to 9".into();
    mail.then = vec![Event {
        what: "second contact".into(),
        at_ms: NOW + 11 * MINUTE,
    }];
    mail.alerts[0].ack = Some(Ack {
        by: "kim <script>".into(),
        note: "looking\nat it".into(),
        at_ms: NOW - 20 * MINUTE,
    });
    mail.alerts[0].started_ms = NOW - 60 * MINUTE;
    mail.links.public_url = "https://belfry.example.org/".into();
    mail
}

pub(crate) fn group() -> Mail {
    let mut mail = first();
    mail.kind = Kind::New;
    mail.mails_before = 2;
    mail.why.rule = String::new();
    let joined = MailAlert {
        new: true,
        ..disk()
    };
    let over = MailAlert {
        name: "QueueStuck".into(),
        summary: "celery queue is stuck".into(),
        resolved: true,
        ended_ms: Some(NOW - MINUTE),
        started_ms: NOW - 30 * MINUTE,
        ..disk()
    };
    mail.alerts.extend([joined, over]);
    mail
}

fn resolved() -> Mail {
    let mut mail = first();
    mail.kind = Kind::Resolved;
    mail.hidden.clear();
    mail.next = None;
    mail.mails_before = 1;
    let alert = &mut mail.alerts[0];
    alert.resolved = true;
    alert.value = "2 of 2 healthy".into();
    alert.description = String::new();
    alert.ended_ms = Some(NOW);
    alert.started_ms = NOW - 14 * MINUTE;
    mail
}

fn test() -> Mail {
    Mail {
        kind: Kind::Test,
        severity: Severity::Info,
        alerts: Vec::new(),
        hidden: Vec::new(),
        next: None,
        why: Why {
            receiver: "ops@example.org".into(),
            ..Why::default()
        },
        ..first()
    }
}

/// 500 alerts in one group.
pub(crate) fn many() -> Mail {
    let mut mail = first();
    mail.alerts = (0..500)
        .map(|at| if at % 5 == 0 { alert() } else { disk() })
        .collect();
    mail
}

/// Everything that others write is an attack.
pub(crate) fn hostile() -> Mail {
    let attack = "\"><script>alert(1)</script><img src=x onerror=alert(2)>\r\nBcc: all@example.org \u{202e}txet {{host}} \u{0}\u{1b}[31m";
    let long = "x".repeat(10_240);
    let mut mail = first();
    mail.host = format!("vps1; rm -rf /{attack}");
    mail.changed = attack.into();
    mail.hidden = vec![hidden(attack, 3, &[attack, &long])];
    mail.why.route = attack.into();
    mail.links.public_url = "javascript:alert(1)".into();
    let alert = &mut mail.alerts[0];
    alert.name = attack.into();
    alert.summary = format!("{attack} {long}");
    alert.description = format!("{attack}\n{long}");
    alert.impact = long.clone();
    alert.value = attack.into();
    alert.labels = [("alertname", attack), ("<b>long</b>", &long)]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    alert.trends[0].name = attack.into();
    alert.context = Some(Context {
        at_ms: NOW,
        parts: vec![
            ContextPart {
                title: attack.into(),
                lines: vec![format!("{attack}{long}"); 100],
            };
            9
        ],
    });
    alert.runbook = Some(dashboards::fact::Runbook {
        name: attack.into(),
        url: "data:text/html,<script>alert(1)</script>".into(),
        steps: vec![attack.into(), long],
        steps_total: 2,
        only_look: true,
    });
    mail
}

#[test]
fn the_text_fits_a_terminal() {
    for (name, mail) in all() {
        for text in [render(&mail).unwrap().text, plain(&mail).text] {
            for line in text.lines().filter(|line| !line.contains("://")) {
                assert!(line.chars().count() <= 78, "{name}: {line}");
            }
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{name}");
        }
    }
}

#[test]
fn five_hundred_alerts_stay_one_readable_mail() {
    let mail = render(&many()).unwrap();
    assert_eq!(
        mail.subject,
        "[SEV-1] 500 alerts on vps1: api is down and 499 more"
    );
    assert!(
        mail.text.lines().count() < 250,
        "{}",
        mail.text.lines().count()
    );
    assert!(
        mail.text
            .contains("And 480 more:\n  384 x DiskFilling\n  96 x ApiDown\n")
    );
    assert_eq!(
        mail.text.matches("Do this").count(),
        1,
        "the same steps twenty times help nobody"
    );
    // Large mail services cut a mail at 102 KB.
    assert!(mail.html.len() < 60_000, "{}", mail.html.len());
    assert!(plain(&many()).text.lines().count() < 120);
}

#[test]
fn of_much_that_is_hidden_each_name_is_listed_and_the_rest_counted() {
    let sites: Vec<String> = (0..12).map(|at| format!("site{at}")).collect();
    let sites: Vec<&str> = sites.iter().map(String::as_str).collect();
    let mut mail = first();
    mail.hidden = vec![
        hidden("ProbeSlow", 1, &[]),
        hidden("SiteDown", 12, &sites),
        hidden("ServiceDown", 3, &["api", "web"]),
    ];
    let text = |mail: &Mail| {
        let text = render(mail).unwrap().text;
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let ten = sites[..10].join(", ");
    let line = format!(
        "Hidden by this: 16 (12 x SiteDown: {ten}, and 2 more; 3 x ServiceDown: api, web; 1 x ProbeSlow)"
    );
    assert!(text(&mail).contains(&line), "{}", text(&mail));
    let names = (0..40).map(|at| hidden(&format!("Rule{at}"), 1, &[]));
    mail.hidden = names.collect();
    let line = "1 x Rule29; and 10 other names)";
    assert!(text(&mail).contains(line), "{}", text(&mail));
}

#[test]
fn html_mail_fetches_nothing_and_styles_only_inline() {
    for (name, mail) in all() {
        let html = render(&mail).unwrap().html;
        for bad in [
            "<style", "<script", "<link", "<img", "<svg", "src=", "url(", "@import",
        ] {
            assert!(!html.contains(bad), "{name}: {bad}");
        }
    }
}

#[test]
fn the_hint_is_safe_to_paste() {
    let text = render(&hostile()).unwrap().text;
    assert!(text.contains("ssh -L 9911:127.0.0.1:9911 HOST "), "{text}");
    assert!(!text.contains("javascript:"));
}

#[test]
fn subjects_fit_a_lock_screen() {
    for (name, mail) in all().into_iter().filter(|(name, _)| *name != "hostile") {
        let subject = render(&mail).unwrap().subject;
        assert!(subject.chars().count() <= 60, "{name}: {subject}");
    }
}
