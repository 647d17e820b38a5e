//! From what the alerter says to the view that a mail is written from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use alerter::{Notification, Reason, Rendered, Told};
use dashboards::fact::{Event, Severity};
use dashboards::mail::{Hidden, Kind, Links, Mail, MailAlert, Why};
use dashboards::time::Zone;

use super::context::Contexts;
use crate::config::Config;
use crate::runbooks::Shelf;

/// How many steps of a runbook a mail carries.
const STEPS: usize = 3;

/// Writes mails for the configuration in force. It never fails: when a template
/// does, the mail goes out in plain words.
pub(crate) struct Letters {
    writer: RwLock<Arc<Writer>>,
    shelf: Arc<Shelf>,
    contexts: Arc<Contexts>,
}

impl Letters {
    pub(super) fn new(
        config: &Config,
        address: SocketAddr,
        shelf: Arc<Shelf>,
        contexts: Arc<Contexts>,
    ) -> Self {
        Self {
            writer: RwLock::new(Arc::new(Writer::new(config, address))),
            shelf,
            contexts,
        }
    }

    /// Writes for another configuration from now on.
    pub(super) fn renew(&self, config: &Config, address: SocketAddr) {
        *self.writer.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Writer::new(config, address));
    }

    pub(super) fn write(&self, notification: &Notification) -> Rendered {
        let writer = Arc::clone(&self.writer.read().unwrap_or_else(PoisonError::into_inner));
        let mut mail = notification_mail(&writer, &self.shelf, notification);
        mail.links.ack.clone_from(&notification.ack_path);
        if writer.context {
            for (shown, told) in mail.alerts.iter_mut().zip(&notification.alerts) {
                shown.context = self.contexts.of(told.fingerprint);
            }
        }
        writer.write(&mail)
    }
}

/// The mail that `check --send-test` sends.
pub(crate) fn test_letter(config: &Config, now_ms: i64) -> Rendered {
    let writer = Writer::new(config, config.listen);
    let mail = Mail {
        kind: Kind::Test,
        severity: Severity::Info,
        now_ms,
        ..writer.blank()
    };
    writer.write(&mail)
}

struct Writer {
    host: String,
    /// Whether it is told how it was when alerts began.
    context: bool,
    zone: Zone,
    links: Links,
}

impl Writer {
    fn new(config: &Config, address: SocketAddr) -> Self {
        let links = Links {
            public_url: config.external_url.trim_end_matches('/').to_owned(),
            local_port: address.port(),
            ack: String::new(),
        };
        Self {
            host: config.host_name(),
            context: config.mail.context,
            zone: Zone(config.zone()),
            links,
        }
    }

    fn blank(&self) -> Mail {
        Mail {
            host: self.host.clone(),
            zone: self.zone.clone(),
            links: self.links.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Mail::default()
        }
    }

    fn write(&self, mail: &Mail) -> Rendered {
        let written = dashboards::mail::render(mail).unwrap_or_else(|err| {
            tracing::error!("a mail template failed, the mail goes out in plain words: {err:#}");
            dashboards::mail::plain(mail)
        });
        Rendered {
            subject: written.subject,
            text: written.text,
            html: written.html,
        }
    }
}

/// Whether all that fires is critical only by its age.
fn grew_old(from: &Notification) -> bool {
    let mut firing = from.alerts.iter().filter(|alert| alert.ended_ms.is_none());
    firing.all(|alert| alert.raised_ms.is_some())
}

fn notification_mail(writer: &Writer, shelf: &Shelf, from: &Notification) -> Mail {
    let kind = match from.reason {
        _ if !from.firing() => Kind::Resolved,
        Reason::First | Reason::NewAlerts if grew_old(from) => Kind::Raised,
        Reason::First => Kind::First,
        Reason::NewAlerts | Reason::Together => Kind::New,
        _ => Kind::Repeat,
    };
    let ended = from
        .alerts
        .iter()
        .filter(|alert| alert.ended_ms.is_some())
        .count();
    let changed = if !from.down_at.is_empty() {
        let (groups, host) = (from.groups, &from.down_at);
        format!("much of {host} at once: {groups} groups in one mail")
    } else if from.groups > 1 {
        let groups = from.groups;
        format!("{groups} groups in one mail, as there were too many mails in the last hour")
    } else if from.flaps > 0 {
        let times = from.flaps;
        format!("it comes and goes, and ended {times} times lately: its end is told when it lasts")
    } else if from.firing() && ended > 0 {
        format!("{ended} of them ended since the last mail")
    } else {
        String::new()
    };
    Mail {
        now_ms: from.now_ms,
        severity: Severity::from_label(Some(&from.severity)),
        kind,
        alerts: from
            .alerts
            .iter()
            .map(|told| alert(writer, shelf, told))
            .collect(),
        hidden: hidden(&from.inhibits, &writer.host),
        mails_before: from.sent_before,
        changed,
        next: from.next_repeat_ms.map(|at_ms| Event {
            what: "mail again".into(),
            at_ms,
        }),
        then: [
            (from.second_ms, "second contact"),
            (from.raises_ms, "becomes SEV-1"),
        ]
        .into_iter()
        .filter_map(|(at_ms, what)| {
            Some(Event {
                what: what.into(),
                at_ms: at_ms?,
            })
        })
        .collect(),
        why: Why {
            rule: from
                .common_labels
                .get("alertname")
                .cloned()
                .unwrap_or_default(),
            route: route(&from.group_key),
            receiver: from.receiver.clone(),
        },
        ..writer.blank()
    }
}

fn alert(writer: &Writer, shelf: &Shelf, told: &Told) -> MailAlert {
    let note = |name: &str| told.annotations.get(name).cloned().unwrap_or_default();
    MailAlert {
        name: told.labels.get("alertname").cloned().unwrap_or_default(),
        severity: Severity::from_label(told.labels.get("severity").map(String::as_str)),
        summary: note("summary"),
        description: note("description"),
        impact: note("impact"),
        value: if note("limit").is_empty() {
            String::new()
        } else {
            note("value")
        },
        limit: note("limit"),
        labels: told.labels.clone(),
        resolved: told.ended_ms.is_some(),
        new: false,
        started_ms: told.started_ms,
        ended_ms: told.ended_ms,
        runbook: shelf.brief(
            &note("runbook_url"),
            &told.labels,
            &writer.links.public_url,
            STEPS,
        ),
        ack: told.ack.as_ref().map(|ack| dashboards::fact::Ack {
            by: ack.by.clone(),
            note: ack.note.clone(),
            at_ms: ack.at_ms,
        }),
        trends: Vec::new(),
        context: None,
    }
}

/// Labels that say what an alert is about, the one that says most first.
const ABOUT: [&str; 12] = [
    "service",
    "container",
    "name",
    "site",
    "probe",
    "heartbeat",
    "unit",
    "queue_name",
    "datname",
    "mountpoint",
    "job_name",
    "instance",
];

/// What is hidden behind the alerts of a mail of this host.
fn hidden(sets: &[alert::Set], host: &str) -> Vec<Hidden> {
    let mut names: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for set in sets {
        let value = |label: &&str| set.get(*label).map(String::as_str);
        let name = value(&"alertname").unwrap_or_default();
        let (count, about) = names.entry(name).or_default();
        *count += 1;
        let mut known = ABOUT.iter().filter_map(value);
        let said = known.find(|value| !value.is_empty());
        about.extend(said.filter(|value| *value != host));
    }
    let hidden = names.into_iter().map(|(name, (count, about))| Hidden {
        name: name.to_owned(),
        count,
        about: about.into_iter().map(str::to_owned).collect(),
    });
    hidden.collect()
}

/// The matchers of a group key without its labels: `{}/{severity="critical"}:{...}`.
fn route(group_key: &str) -> String {
    let matchers = group_key
        .rsplit_once(":{")
        .map_or(group_key, |(matchers, _)| matchers);
    let inner: Vec<_> = matchers
        .split('/')
        .map(|step| step.trim_start_matches('{').trim_end_matches('}'))
        .filter(|step| !step.is_empty())
        .collect();
    if inner.is_empty() {
        "default".into()
    } else {
        inner.join(", ").replace('"', "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_told_by_name_and_by_what_it_is_about() {
        let set = |labels: &[(&str, &str)]| -> alert::Set {
            let pairs = labels.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let down = ("alertname", "ServiceDown");
        let sets = [
            set(&[down, ("service", "web"), ("instance", "vps1")]),
            set(&[down, ("service", "api"), ("name", "shop-api-1")]),
            set(&[down, ("service", ""), ("name", "lone")]),
            set(&[down, ("service", "api"), ("instance", "vps2")]),
            set(&[("alertname", "HostLoad"), ("instance", "vps1")]),
            set(&[("alertname", "HostLoad"), ("instance", "vps2")]),
            set(&[("job", "x")]),
        ];
        let told: Vec<_> = hidden(&sets, "vps1")
            .into_iter()
            .map(|it| (it.name, it.count, it.about.join(" ")))
            .collect();
        let wanted = [
            ("", 1, ""),
            ("HostLoad", 2, "vps2"),
            ("ServiceDown", 4, "api lone web"),
        ];
        let wanted = wanted.map(|(name, count, about)| (name.to_owned(), count, about.to_owned()));
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_route_is_named_by_its_matchers() {
        for (key, name) in [
            (r#"{}:{alertname="x"}"#, "default"),
            (
                r#"{}/{severity="critical"}:{alertname="x"}"#,
                "severity=critical",
            ),
            (
                r#"{}/{team="db"}/{severity=~"a|b"}:{}"#,
                "team=db, severity=~a|b",
            ),
        ] {
            assert_eq!(route(key), name, "{key}");
        }
    }
}
