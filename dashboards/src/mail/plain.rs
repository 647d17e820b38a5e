//! The mail that is sent if a template fails: plain, complete enough to act on,
//! and made of nothing that can go wrong.

use super::{Mail, Rendered, fold, subject};
use crate::{time, untrusted};

/// Alerts with a line of their own.
const LINES: usize = 50;

/// The mail without any template.
#[must_use]
pub fn plain(mail: &Mail) -> Rendered {
    let mut lines = vec![subject::sentence(mail), String::new()];
    for alert in mail.alerts.iter().take(LINES) {
        let mark = if alert.resolved {
            "OK"
        } else {
            alert.severity.mark()
        };
        let since = time::clock(alert.started_ms, mail.now_ms, &mail.zone);
        let name = untrusted::line(&alert.name, 80);
        let summary = untrusted::line(&alert.summary, 240);
        lines.push(format!("{mark}  {name} since {since}: {summary}"));
    }
    if mail.alerts.len() > LINES {
        lines.push(format!("and {} more", mail.alerts.len() - LINES));
    }
    lines.extend([
        String::new(),
        format!("Why you: {}", untrusted::line(&mail.why.receiver, 120)),
        "This mail is plain because its template could not be filled; see the log.".into(),
    ]);
    let text = fold::fold(&lines.join("\n"));
    let html = format!(
        "<!doctype html><html><body><pre>{}</pre></body></html>",
        handlebars::html_escape(&text)
    );
    Rendered {
        subject: subject::subject(mail),
        text,
        html,
    }
}
