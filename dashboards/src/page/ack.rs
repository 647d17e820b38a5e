//! The page on which somebody takes alerts on: what it would concern, and a
//! form. Looking at it changes nothing, as scanners of mail look at every link.

use serde::Serialize;

use crate::fact::{self, Ack, Severity};
use crate::time::{self, Zone};
use crate::{Error, assets, templates, untrusted};

/// Alerts with a line of their own.
const LINES: usize = 50;

/// What may be taken on.
#[derive(Debug, Clone, Default)]
pub struct AckPage {
    /// The way from the page up to the first one, such as `../`: what stands before that
    /// in the page's address is known to whoever asked for it alone.
    pub up: &'static str,
    /// The host's name.
    pub host: String,
    /// The time of the request, in milliseconds since 1970.
    pub now_ms: i64,
    /// The zone in which times are shown.
    pub zone: Zone,
    /// The alerts that fire; none if all of it is over.
    pub alerts: Vec<AckAlert>,
    /// The name to be proposed; may be empty.
    pub by: String,
    /// Why what was sent was not taken; may be empty.
    pub fault: String,
}

/// One of the alerts.
#[derive(Debug, Clone, Default)]
pub struct AckAlert {
    /// Its identity in hex.
    pub id: String,
    /// The rule's name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line in plain words.
    pub summary: String,
    /// When it began, in milliseconds since 1970.
    pub since_ms: i64,
    /// Who has taken it on, if anybody has.
    pub ack: Option<Ack>,
}

#[derive(Debug, Serialize)]
struct Shown {
    up: &'static str,
    style: String,
    icon: String,
    host: String,
    clock: String,
    fault: String,
    alerts: Vec<Line>,
    more: usize,
    only: String,
    by: String,
    taken: bool,
}

#[derive(Debug, Serialize)]
struct Line {
    severity: &'static str,
    mark: &'static str,
    summary: String,
    since: String,
    ack: String,
}

/// The page as HTML.
///
/// # Errors
/// Only if a built-in template and its view disagree, which the tests exclude.
pub fn ack(page: &AckPage) -> Result<String, Error> {
    let mut alerts: Vec<&AckAlert> = page.alerts.iter().collect();
    alerts.sort_by_key(|alert| (alert.severity, alert.since_ms));
    let only: Vec<&str> = alerts.iter().map(|alert| &*alert.id).collect();
    let taken = !alerts.is_empty() && alerts.iter().all(|alert| alert.ack.is_some());
    templates::render(
        "ack",
        &Shown {
            up: page.up,
            style: below(page.up, "belfry.css"),
            icon: below(page.up, "belfry.svg"),
            host: untrusted::line(&page.host, 80),
            clock: time::full(page.now_ms, &page.zone),
            fault: untrusted::line(&page.fault, 200),
            more: alerts.len().saturating_sub(LINES),
            only: only.join(","),
            by: untrusted::line(&page.by, 100),
            taken,
            alerts: alerts
                .iter()
                .take(LINES)
                .map(|alert| line(alert, page))
                .collect(),
        },
    )
}

/// An asset's address as seen from the page.
fn below(up: &str, asset: &str) -> String {
    format!("{up}{}", assets::url(asset).trim_start_matches('/'))
}

fn line(alert: &AckAlert, page: &AckPage) -> Line {
    let summary = if alert.summary.trim().is_empty() {
        &alert.name
    } else {
        &alert.summary
    };
    let since = time::clock(alert.since_ms, page.now_ms, &page.zone);
    let age = time::duration(page.now_ms - alert.since_ms);
    Line {
        severity: alert.severity.word(),
        mark: alert.severity.mark(),
        summary: untrusted::line(summary, 240),
        since: format!("{since} ({age})"),
        ack: alert.ack.as_ref().map_or_else(String::new, |ack| {
            fact::said(ack, &time::clock(ack.at_ms, page.now_ms, &page.zone))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> AckPage {
        AckPage {
            up: "../../",
            host: "vps1".into(),
            alerts: vec![AckAlert {
                id: "7f3c".into(),
                severity: Severity::Critical,
                summary: "api <b>is</b> down".into(),
                ..AckAlert::default()
            }],
            ..AckPage::default()
        }
    }

    #[test]
    fn what_it_concerns_is_shown_and_sent_along() {
        let html = ack(&page()).unwrap();
        assert!(html.contains("api &lt;b&gt;is&lt;/b&gt; down"), "{html}");
        assert!(html.contains(r#"name="only" value="7f3c""#), "{html}");
        assert!(html.contains("<form method=\"post\">"), "{html}");
        assert!(!html.contains("<script"), "{html}");
        // It works below whatever path.
        assert!(
            !html.contains("=\"/") && html.contains("href=\"../../\""),
            "{html}"
        );
    }

    #[test]
    fn what_is_over_has_no_form_and_what_is_taken_says_by_whom() {
        let mut taken = page();
        taken.alerts[0].ack = Some(Ack {
            by: "kim".into(),
            ..Ack::default()
        });
        let html = ack(&taken).unwrap();
        assert!(html.contains("Taken on by <bdi>kim at"), "{html}");
        let over = AckPage::default();
        let html = ack(&over).unwrap();
        assert!(!html.contains("<form") && html.contains("over"), "{html}");
    }
}
