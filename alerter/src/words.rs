//! Go templates that people wrote for their mails, and the names that
//! Alertmanager defines for them.
//!
//! A set holds the files of `templates`; each text of a receiver is parsed with
//! it once and filled in at every message. Nothing here sends anything.

mod filler;
mod glob;
mod route_labels;

use std::path::{Path, PathBuf};

use tmpl::{Env, Functions, Mode, Set, Template};

pub(crate) use filler::Filler;
pub(crate) use glob::files;
pub(crate) use route_labels::{RouteLabels, route_labels};

use crate::notification::Notification;

const DEFAULTS: [&str; 2] = [
    include_str!("words/default.tmpl"),
    include_str!("words/vendors.tmpl"),
];

/// A file of templates is no longer than this, in bytes.
const LONGEST: u64 = 16 << 20;

/// Templates by name: ours, then those of the files in order.
///
/// # Errors
/// The file that cannot be used, and why.
pub(crate) fn set(patterns: &[PathBuf]) -> Result<Set, Vec<String>> {
    let mut set = Set::new(Functions::alertmanager());
    let mut faults = Vec::new();
    for text in DEFAULTS {
        if let Err(err) = set.add(text) {
            faults.push(format!("the built-in templates: {err}"));
        }
    }
    for pattern in patterns {
        match files(pattern) {
            Ok(found) => {
                for file in found {
                    faults.extend(add(&mut set, &file).err());
                }
            }
            Err(err) => faults.push(format!("{}: {err}", pattern.display())),
        }
    }
    match faults.is_empty() {
        true => Ok(set),
        false => Err(faults),
    }
}

fn add(set: &mut Set, file: &Path) -> Result<(), String> {
    let text = settings::read_file(file, LONGEST)
        .map_err(|err| format!("cannot read {}: {err}", file.display()))?;
    set.add(&text)
        .map_err(|err| format!("{}:{err}", file.display()))
}

/// The words of a mail, as far as they are templates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    /// The subject.
    pub subject: Option<Template>,
    /// The page and the text; none of both if the bodies are our own.
    pub body: Option<Body>,
    /// Other header fields.
    pub headers: Vec<(String, Template)>,
}

/// What a mail says. One without a template is left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    pub text: Option<Template>,
    pub html: Option<Template>,
}

/// A filled-in template, or what is wrong with it and where.
pub(crate) fn fill(
    template: &Template,
    notification: &Notification,
    mode: Mode,
) -> Result<String, tmpl::Error> {
    let label = |name: &str| label_of(notification, name);
    let ack_url = notification.ack_url();
    let env = env(notification, &label, &ack_url);
    template.execute(&notice(notification).value(), &env, mode)
}

/// What templates of a message may ask of the world.
fn env<'a>(
    message: &'a Notification,
    label: &'a tmpl::RouteLabel<'a>,
    ack_url: &'a str,
) -> Env<'a> {
    Env {
        route_label: Some(label),
        ack_url,
        ..Env::at(message.now_ms, &message.external_url)
    }
}

/// What the route's label of that name says.
fn label_of(message: &Notification, name: &str) -> Result<String, String> {
    let found = message.route_labels.get(name).cloned();
    found.ok_or_else(|| format!("there is no route label {name:?}"))
}

/// The message as templates see it.
pub(crate) fn notice(notification: &Notification) -> tmpl::notice::Notice {
    let alerts = notification.alerts.iter().map(|told| tmpl::notice::Alert {
        resolved: told.ended_ms.is_some(),
        labels: told.labels.clone(),
        annotations: told.annotations.clone(),
        starts_ms: told.started_ms,
        ends_ms: told.ended_ms,
        generator_url: told.generator_url.clone(),
        fingerprint: format!("{:016x}", told.fingerprint),
    });
    tmpl::notice::Notice {
        receiver: notification.receiver.clone(),
        alerts: alerts.collect(),
        reason: notification.reason.as_str().into(),
        group_labels: notification.group_labels.clone(),
        common_labels: notification.common_labels.clone(),
        common_annotations: notification.common_annotations.clone(),
        route_labels: notification.route_labels.clone(),
        external_url: notification.external_url.clone(),
    }
}

/// The title of a message without a template: the state and the alerts' name.
pub(crate) fn plain_title(message: &Notification) -> String {
    let state = if message.firing() { "FIRING" } else { "OK" };
    let name = message.group_labels.get("alertname");
    format!("[{state}] {}", name.map_or("", String::as_str))
}

/// Alerts that a text without a template lists; a person reads no more of them.
const PLAIN: usize = 100;

/// Everything that is known, line by line, and what is wrong with the template
/// that should have said it, if anything.
pub(crate) fn plain_text(message: &Notification, why: &str) -> String {
    let mut text = format!("{}\n", message.reason.as_str());
    for alert in message.alerts.iter().take(PLAIN) {
        let state = match alert.ended_ms {
            Some(_) => "ended",
            None => "fires",
        };
        let name = alert.labels.get("alertname");
        text.push_str(&format!("\n{} {state}\n", name.map_or("", String::as_str)));
        for (name, value) in alert.labels.iter().chain(&alert.annotations) {
            text.push_str(&format!("  {name}: {value}\n"));
        }
    }
    if let Some(more @ 1..) = message.alerts.len().checked_sub(PLAIN) {
        text.push_str(&format!("\n{more} more are not listed here.\n"));
    }
    if !why.is_empty() {
        text.push_str(
            "\nThe message's template failed; this is what it would have been made of.\n",
        );
        text.push_str(&format!("What is wrong with it: {why}\n"));
    }
    text
}

/// A name as templates see it, to stand in a pattern for itself.
pub(crate) fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in name.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
pub(crate) mod tests;
