//! The state in virtual time: what is sent when.

mod bounced;
mod bundle;
mod collapse;
mod episodes;
mod escalate;
mod fallback;
mod intake;
mod kept;
mod mail;
mod quiet;
mod recover;
mod symptoms;
mod timing;
mod why;
mod windows;

use std::collections::BTreeMap;

use alert::{Alert, Set};

use super::*;
use crate::health::Failure;
use crate::{Config, Mail};

const MAIL: &str =
    "{to: 'ops@example.org, dev@example.org', from: b@example.org, smarthost: 'mx:25'}";

/// A tree of Alertmanager's grammar with the given keys in its root.
fn tree(route: &str, email: &str) -> Plan {
    let yaml = format!(
        "{{route: {{receiver: a, {route}}}, receivers: [{{name: a, email_configs: \
         [{{to: ops@example.org, from: b@example.org, smarthost: 'mx:25', {email}}}]}}]}}"
    );
    with(&yaml, "{}")
}

/// The built-in tree, in which nothing escalates and every end is believed.
fn own() -> Plan {
    with("{escalation: [], recovery: {confirm: 0s, flaps: 0}}", MAIL)
}

fn with(config: &str, mail: &str) -> Plan {
    let config: Config = settings::read("a.yml".as_ref(), config, &|_| None).unwrap();
    let mail: Mail = settings::read("a.yml".as_ref(), mail, &|_| None).unwrap();
    crate::plan(&config, &mail).unwrap()
}

/// An alert from its labels: `alertname=x severity=critical`.
fn alert(labels: &str, starts_s: i64, ends_s: Option<i64>) -> Alert {
    Alert {
        labels: labels
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        annotations: Set::new(),
        starts_at: Some(starts_s * 1_000),
        ends_at: ends_s.map(|ends_s| ends_s * 1_000),
        generator_url: String::new(),
    }
}

/// Runs the state as the task does, in virtual seconds.
struct World {
    alerter: Alerter,
    now_ms: i64,
    /// What the mail server says to each recipient; absent is "accepted".
    refuses: BTreeMap<String, Class>,
    /// A mail that tells of this alert is refused for good.
    unwanted: Option<&'static str>,
    /// Why the server is away, if it is.
    away: Option<Class>,
    /// What was accepted: second, reason, firing and ended alert names.
    mails: Vec<(i64, String)>,
    attempts: Vec<Delivery>,
}

impl World {
    fn new(plan: Plan) -> Self {
        Self {
            alerter: Alerter::new(Arc::new(plan), "http://b".into(), 86_400_000, 0),
            now_ms: 0,
            refuses: BTreeMap::new(),
            unwanted: None,
            away: None,
            mails: Vec::new(),
            attempts: Vec::new(),
        }
    }

    /// Puts an alert that fires for an hour unless it is heard of again.
    fn fire(&mut self, labels: &str) {
        let now_s = self.now_ms / 1_000;
        self.put(alert(labels, now_s, Some(now_s + 86_400 * 7)));
    }

    fn end(&mut self, labels: &str, started_s: i64) {
        self.put(alert(labels, started_s, Some(self.now_ms / 1_000)));
    }

    fn put(&mut self, alert: Alert) {
        assert_eq!(self.alerter.put(vec![alert], self.now_ms), []);
        self.settle();
    }

    /// Goes on to `until_s`, doing everything when it is due.
    fn run(&mut self, until_s: i64) {
        loop {
            let due_ms = self.alerter.next_due_ms();
            if due_ms > until_s * 1_000 {
                break;
            }
            self.now_ms = self.now_ms.max(due_ms);
            self.settle();
        }
        self.now_ms = until_s * 1_000;
    }

    fn settle(&mut self) {
        self.alerter.tick(self.now_ms);
        while let Some(delivery) = self.alerter.next_delivery(self.now_ms, |_| true) {
            self.attempts.push(delivery.clone());
            self.deliver(&delivery);
        }
    }

    fn deliver(&mut self, delivery: &Delivery) {
        let mut outcome = Outcome::default();
        let unwanted = self.unwanted.filter(|name| says(delivery).contains(name));
        if let Some(class) = self.away.or(unwanted.map(|_| Class::Permanent)) {
            outcome = Outcome::failure(Failure::new(class, "away"));
        } else {
            for to in &delivery.to {
                let to = to.email.to_string();
                match self.refuses.get(&to) {
                    Some(class) => outcome.refused.push((to, Failure::new(*class, "no"))),
                    None => outcome.accepted.push(to),
                }
            }
        }
        if !outcome.accepted.is_empty() {
            self.mails.push((self.now_ms / 1_000, says(delivery)));
        }
        self.alerter.sent(delivery.id, &outcome, self.now_ms);
    }

    fn sent(&self) -> Vec<(i64, &str)> {
        self.mails
            .iter()
            .map(|(at_s, says)| (*at_s, &**says))
            .collect()
    }
}

/// `first notification +x +y -z`: firing alerts and ended ones.
fn says(delivery: &Delivery) -> String {
    let mut says = delivery.notification.reason.as_str().to_owned();
    for alert in &delivery.notification.alerts {
        let sign = if alert.ended_ms.is_some() { '-' } else { '+' };
        let name = alert.labels.get("alertname").or(alert.labels.get("x"));
        says.push_str(&format!(" {sign}{}", name.map_or("", String::as_str)));
    }
    says
}
