//! Mails that are no pages: the daily digest, what was held back, the canary.

use serde::Serialize;

use super::{Rendered, fold};
use crate::fact::Severity;
use crate::time::{self, Zone};
use crate::{Error, amount, templates, untrusted};

/// Lines that a part shows.
const LINES: usize = 40;

/// A mail that nobody has to get up for.
#[derive(Debug, Clone, Default)]
pub struct Notice {
    /// What stands first in the subject: `DIGEST`, `HELD BACK`, `CANARY`.
    pub mark: &'static str,
    /// The host's name.
    pub host: String,
    /// What it is about, in one line, without the host.
    pub title: String,
    /// More words; may be empty.
    pub words: String,
    /// When it is written, in milliseconds since 1970.
    pub now_ms: i64,
    /// The zone in which times are shown.
    pub zone: Zone,
    /// What it tells.
    pub parts: Vec<NoticePart>,
    /// Belfry's version, for the last line.
    pub version: String,
}

/// A part of a notice.
#[derive(Debug, Clone, Default)]
pub struct NoticePart {
    /// What its lines are.
    pub title: String,
    /// Alerts.
    pub lines: Vec<NoticeLine>,
}

/// An alert, on one line.
#[derive(Debug, Clone, Default)]
pub struct NoticeLine {
    /// How bad it is.
    pub severity: Severity,
    /// The rule's name.
    pub name: String,
    /// One line in plain words; may be empty.
    pub summary: String,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended, if it has.
    pub ended_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Shown {
    mark: &'static str,
    title: String,
    words: String,
    parts: Vec<Part>,
    version: String,
    written: String,
}

#[derive(Debug, Serialize)]
struct Part {
    title: String,
    lines: Vec<Line>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct Line {
    mark: &'static str,
    summary: String,
    when: String,
}

/// The notice in its three parts.
///
/// # Errors
/// Only if a built-in template and its view disagree, which the tests exclude.
pub fn notice(notice: &Notice) -> Result<Rendered, Error> {
    let host = untrusted::line(&notice.host, 40);
    let title = format!("{} on {host}", untrusted::line(&notice.title, 120));
    let shown = Shown {
        mark: notice.mark,
        title: title.clone(),
        words: untrusted::block(&notice.words, 600),
        parts: notice
            .parts
            .iter()
            .filter(|part| !part.lines.is_empty())
            .map(|it| part(it, notice))
            .collect(),
        version: untrusted::line(&notice.version, 40),
        written: time::full(notice.now_ms, &notice.zone),
    };
    Ok(Rendered {
        subject: format!("[{}] {title}", notice.mark),
        text: fold::fold(&templates::render("notice_text", &shown)?),
        html: templates::render("notice", &shown)?,
    })
}

fn part(part: &NoticePart, notice: &Notice) -> Part {
    let mut lines: Vec<&NoticeLine> = part.lines.iter().collect();
    lines.sort_by_key(|line| (line.severity, line.started_ms));
    Part {
        title: format!("{} ({})", part.title, amount::count(lines.len(), "alert")),
        more: lines.len().saturating_sub(LINES),
        lines: lines
            .into_iter()
            .take(LINES)
            .map(|it| line(it, notice))
            .collect(),
    }
}

fn line(line: &NoticeLine, notice: &Notice) -> Line {
    let clock = |ms| time::clock(ms, notice.now_ms, &notice.zone);
    let summary = match line.summary.trim() {
        "" => &line.name,
        _ => &line.summary,
    };
    Line {
        mark: line.severity.mark(),
        summary: untrusted::line(summary, 200),
        when: match line.ended_ms {
            Some(ended_ms) => format!(
                "{}, took {}",
                clock(line.started_ms),
                time::duration(ended_ms - line.started_ms)
            ),
            None => format!(
                "since {} ({})",
                clock(line.started_ms),
                time::duration(notice.now_ms - line.started_ms)
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_complete_in_text_and_makes_no_tags() {
        let line = |summary: &str, ended_ms| NoticeLine {
            name: "Note".into(),
            summary: summary.into(),
            started_ms: 0,
            ended_ms,
            ..NoticeLine::default()
        };
        let mail = Notice {
            mark: "DIGEST",
            host: "vps1".into(),
            title: "3 notes".into(),
            now_ms: 7_200_000,
            parts: vec![
                NoticePart {
                    title: "Fires now".into(),
                    lines: vec![line("<b>disk</b>", None), line("", None)],
                },
                NoticePart::default(),
                NoticePart {
                    title: "Came and went".into(),
                    lines: vec![line("x", Some(60_000)); 50],
                },
            ],
            ..Notice::default()
        };
        let written = notice(&mail).unwrap();
        assert_eq!(written.subject, "[DIGEST] 3 notes on vps1");
        for words in [
            "Fires now (2 alerts)",
            "SEV-3  <b>disk</b>",
            "since 00:00:00 UTC (2 h 00)",
            "Note",
            "took 1 min",
            "and 10 more",
        ] {
            assert!(written.text.contains(words), "{words}: {}", written.text);
        }
        assert!(written.html.contains("&lt;b&gt;disk"), "{}", written.html);
        assert!(written.text.lines().all(|line| line.chars().count() <= 78));
    }
}
