//! Mails under way: a few at a time, each on a task of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{info, warn};

use super::writer::Writer;
use crate::Render;
use crate::health::{Class, Failure, MailHealth};
use crate::message;
use crate::metrics::Latency;
use crate::plan::{Integration, Kind, Plan};
use crate::smtp::{self, Open, Sent, Server};
use crate::state::{Alerter, Delivery, Outcome};

/// Mails under way to a server at a time. Each costs a connection and a
/// rendered mail.
const PARALLEL: usize = 4;

/// Requests under way to a server over HTTP at a time.
const REQUESTS: usize = 64;

pub(crate) struct Mails {
    tasks: JoinSet<Sent>,
    under_way: BTreeMap<Id, UnderWay>,
    render: Render,
    /// Connections that mails left open, for those that wait.
    open: Vec<Open>,
    /// Servers that took nothing since then.
    failing: BTreeMap<Arc<str>, i64>,
    pub(crate) health: MailHealth,
    pub(crate) latency: BTreeMap<Kind, Latency>,
}

struct UnderWay {
    delivery: u64,
    receiver: String,
    server: Arc<str>,
    kind: Kind,
    began: Instant,
}

/// A task of [`Mails`] that ended.
pub(crate) struct Done(Result<(Id, Sent), JoinError>);

impl Mails {
    pub(crate) fn new(render: Render) -> Self {
        Self {
            tasks: JoinSet::new(),
            under_way: BTreeMap::new(),
            render,
            open: Vec::new(),
            failing: BTreeMap::new(),
            health: MailHealth::default(),
            latency: BTreeMap::new(),
        }
    }

    /// Sends what is to be sent now, as far as there is room.
    pub(crate) fn start(&mut self, alerter: &mut Alerter, now_ms: i64) {
        loop {
            let under_way = &self.under_way;
            let has_room = |address: &str| {
                let to_it = under_way.values().filter(|it| *it.server == *address);
                // The names of servers over HTTP have two words.
                let most = if address.contains(' ') {
                    REQUESTS
                } else {
                    PARALLEL
                };
                to_it.count() < most
            };
            let Some(delivery) = alerter.next_delivery(now_ms, has_room) else {
                break;
            };
            let under_way = UnderWay {
                delivery: delivery.id,
                receiver: delivery.notification.receiver.clone(),
                server: Arc::clone(delivery.integration.address()),
                kind: delivery.integration.kind(),
                began: Instant::now(),
            };
            let render = Render::clone(&self.render);
            let open = match &delivery.integration {
                Integration::Email(email) => self.open_to(&email.servers),
                Integration::Channel(_) => None,
            };
            let task = self.tasks.spawn(deliver(delivery, open, render));
            self.under_way.insert(task.id(), under_way);
        }
        // Only mails that were waiting anyway share a connection.
        for open in self.open.drain(..) {
            tokio::spawn(open.quit());
        }
    }

    /// A connection to one of these servers that the mail before left open.
    fn open_to(&mut self, servers: &[Arc<Server>]) -> Option<Open> {
        let at = self.open.iter().position(|open| open.leads_to(servers))?;
        Some(self.open.swap_remove(at))
    }

    /// The next one that ended; nothing if none is under way.
    pub(crate) async fn next(&mut self) -> Option<Done> {
        self.tasks.join_next_with_id().await.map(Done)
    }

    pub(crate) fn done(
        &mut self,
        Done(result): Done,
        alerter: &mut Alerter,
        writer: &mut Writer,
        now_ms: i64,
    ) {
        let (id, mut sent) = match result {
            Ok((id, sent)) => (id, sent),
            Err(err) => {
                let failure =
                    Failure::new(Class::Refused, format!("the mail's task failed: {err}"));
                (err.id(), Sent::failed(failure))
            }
        };
        let Some(under_way) = self.under_way.remove(&id) else {
            return;
        };
        let latency = self.latency.entry(under_way.kind).or_default();
        latency.note(under_way.began.elapsed());
        match sent.open.take() {
            Some(open) if sent.outcome.failed.is_none() => self.open.push(open),
            Some(open) => drop(tokio::spawn(open.quit())),
            None => {}
        }
        let works_again = self.note(&sent.outcome, &under_way, now_ms);
        alerter.sent(under_way.delivery, &sent.outcome, now_ms);
        if works_again {
            alerter.hurry(&under_way.server, now_ms);
        }
        writer.hold_until_stored(sent.lane);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(crate) fn shift(&mut self, delta_ms: i64) {
        let health = &mut self.health;
        health.last_success_ms = health.last_success_ms.map(|time_ms| time_ms + delta_ms);
        for since_ms in self.failing.values_mut() {
            *since_ms += delta_ms;
        }
        health.failing_since_ms = self.failing.values().min().copied();
        if let Some((time_ms, _)) = &mut health.last_failure {
            *time_ms += delta_ms;
        }
    }

    /// Forgets servers that no mail goes to any more.
    pub(crate) fn keep(&mut self, plan: &Plan) {
        let emails = plan.receivers.iter().flat_map(|receiver| receiver.emails());
        let servers: BTreeSet<_> = emails.map(|email| &*email.server().address).collect();
        self.failing
            .retain(|address, _| servers.contains(&**address));
        self.health.failing_since_ms = self.failing.values().min().copied();
    }

    /// Keeps how a mail went; true if the server works again.
    fn note(&mut self, outcome: &Outcome, under_way: &UnderWay, now_ms: i64) -> bool {
        let UnderWay {
            receiver, server, ..
        } = under_way;
        for (to, failure) in &outcome.refused {
            warn!(receiver, to, "recipient refused, will retry: {failure}");
            self.health.last_failure = Some((now_ms, failure.clone()));
        }
        if under_way.kind != Kind::Email {
            if let Some(failure) = outcome.reason() {
                warn!(
                    receiver,
                    server = &**server,
                    "message failed, will retry: {failure}"
                );
            }
            return false;
        }
        let mut works_again = false;
        if let Some(failure) = outcome.reason() {
            warn!(
                receiver,
                server = &**server,
                "mail failed, will retry: {failure}"
            );
            self.failing.entry(Arc::clone(server)).or_insert(now_ms);
            self.health.last_failure = Some((now_ms, failure));
        } else {
            self.health.last_success_ms = Some(now_ms);
            works_again = self.failing.remove(server).is_some();
            if works_again {
                info!(server = &**server, "mail works again");
            }
        }
        self.health.failing_since_ms = self.failing.values().min().copied();
        works_again
    }
}

async fn deliver(delivery: Delivery, open: Option<Open>, render: Render) -> Sent {
    let email = match &delivery.integration {
        Integration::Email(email) => Arc::clone(email),
        Integration::Channel(it) => {
            let outcome = it.send(&delivery.notification, delivery.deadline).await;
            return Sent::without_connection(outcome);
        }
    };
    let envelope = match message::compose(&delivery, &email, &render) {
        Ok(envelope) => envelope,
        Err(failure) => return Sent::failed(failure),
    };
    let astray = delivery.whom.faults.clone();
    // What it says is in the envelope now; a big group need not be held twice.
    drop(delivery);
    let mut sent = smtp::send(&email.servers, open, &envelope).await;
    if !sent.outcome.accepted.is_empty() {
        sent.outcome.refused.extend(astray);
    }
    sent
}
