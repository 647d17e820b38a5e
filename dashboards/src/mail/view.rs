//! What a mail tells: facts, with times in milliseconds since 1970.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fact::{Ack, Context, Event, Runbook, Severity, Trend};
use crate::time::Zone;

/// One mail about one group of alerts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Mail {
    /// The host's name.
    pub host: String,
    /// When the mail is written.
    pub now_ms: i64,
    /// The zone in which times are shown.
    pub zone: Zone,
    /// The worst severity of the group.
    pub severity: Severity,
    /// Why the mail is written.
    pub kind: Kind,
    /// The alerts, worst first; those beyond the first 20 are only counted.
    pub alerts: Vec<MailAlert>,
    /// Alerts that these hide, by name.
    pub hidden: Vec<Hidden>,
    /// How many mails about this went out before.
    pub mails_before: u32,
    /// What changed since the last mail, in one line; may be empty.
    pub changed: String,
    /// What happens next: `mail again` at a time.
    pub next: Option<Event>,
    /// What else will happen if nobody does anything: `second contact`.
    pub then: Vec<Event>,
    /// Why this reader gets it.
    pub why: Why,
    /// Where to look.
    pub links: Links,
    /// Belfry's version, for the last line.
    pub version: String,
}

/// Why a mail is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The first about this group.
    #[default]
    First,
    /// Alerts have joined a group of which a mail told before.
    New,
    /// Nothing changed; it still fires.
    Repeat,
    /// It is critical by its age, and was a warning before.
    Raised,
    /// All of it has ended.
    Resolved,
    /// Somebody asked whether mail arrives.
    Test,
}

/// Alerts of one name that others hide.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Hidden {
    /// The rule's name.
    pub name: String,
    /// How many they are.
    pub count: usize,
    /// The services, containers and the like that they are about, each once.
    pub about: Vec<String>,
}

/// One alert in a mail.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MailAlert {
    /// The rule's name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line in plain words: `api is down: 0 of 2 containers healthy`.
    pub summary: String,
    /// More words; may be empty and may have several lines.
    pub description: String,
    /// What users notice; may be empty.
    pub impact: String,
    /// The present value in words, with unit; may be empty.
    pub value: String,
    /// The limit in words; may be empty.
    pub limit: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it has ended.
    pub resolved: bool,
    /// Whether the last mail about the group did not have it.
    pub new: bool,
    /// When it began.
    pub started_ms: i64,
    /// When it ended, if it has.
    pub ended_ms: Option<i64>,
    /// Who has taken it on, if anybody has.
    pub ack: Option<Ack>,
    /// What to do.
    pub runbook: Option<Runbook>,
    /// Lines of the last hours, drawn as Unicode blocks.
    pub trends: Vec<Trend>,
    /// How it was when it began, if that was gathered.
    pub context: Option<Context>,
}

/// The way from a rule to a reader.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Why {
    /// The rule's name; empty if several.
    pub rule: String,
    /// The route: `severity=critical`.
    pub route: String,
    /// The receiver's name or address.
    pub receiver: String,
}

/// Where the reader can look.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Links {
    /// The address of the page as readers reach it; empty if it is only local.
    pub public_url: String,
    /// The port on the host's loopback, for the `ssh -L` line.
    pub local_port: u16,
    /// The path behind either where the reader can take it on: `/ack/mail/...`;
    /// empty if there is nothing to be taken on.
    pub ack: String,
}
