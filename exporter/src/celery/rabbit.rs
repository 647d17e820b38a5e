//! Celery over RabbitMQ: events from the exchange that workers tell them to, and
//! queues as the broker counts them.
//!
//! Nothing is made on the broker but queues of our own, which end with our
//! connections.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{timeout, timeout_at};

use super::control::{self, PATIENCE, QUESTIONS};
use super::poll::GATHER;
use super::queues::MOST;
use super::scene::Scene;
use super::workers::Told;
use super::{Setup, event, now};
use crate::amqp::{Failure, Link, Login, NOT_FOUND};
use crate::tls::Renewable;

/// Where workers tell what happens.
const EVENTS: &str = "celeryev";
/// Where workers are asked.
const QUESTIONS_TO: &str = "celery.pidbox";
/// Each side gives a sign of life so often, in seconds.
const HEARTBEAT: u16 = 30;
/// And we more often.
const SIGN: Duration = Duration::from_secs(10);
/// How often a RabbitMQ that no Celery uses is looked at again.
const AGAIN: Duration = Duration::from_secs(60);
/// Questions that were not heard by then are void, in seconds.
const EXPIRES: u32 = 10;

/// How a broker is reached.
pub(super) struct Access<'a> {
    pub(super) place: Place<'a>,
    /// What TLS is set up with, where it is wanted.
    pub(super) tls: Option<Renewable>,
    pub(super) setup: &'a Setup,
}

/// Where a RabbitMQ is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    /// Whether the connection is encrypted.
    pub(super) tls: bool,
}

impl Access<'_> {
    async fn open(&self, heartbeat: u16) -> Result<Link, Failure> {
        let broker = &self.setup.broker;
        let or_guest = |text: &str| match text {
            "" => "guest".to_owned(),
            text => text.to_owned(),
        };
        let (username, password) = (
            or_guest(&broker.username),
            or_guest(broker.password.expose()),
        );
        let login = Login {
            host: self.place.host,
            port: self.place.port,
            tls: self.tls.as_ref(),
            vhost: &broker.vhost,
            username: &username,
            password: &password,
        };
        let open = Link::open(&login, heartbeat);
        let deadline = self.setup.config.deadline;
        timeout(deadline, open).await.unwrap_or(Err(Failure::Late))
    }

    /// Waits until a worker of Celery has been there.
    pub(super) async fn locate(&self) {
        let config = &self.setup.config;
        loop {
            let look = async {
                let mut link = self.open(0).await?;
                let there = link.has_exchange(EVENTS).await;
                link.close().await;
                there
            };
            if let Ok(Ok(true)) = timeout(config.deadline * 2, look).await {
                return;
            }
            tokio::time::sleep(AGAIN.min(config.inspect)).await;
        }
    }
}

/// Listens until that ends; tells why, and whether it had begun.
pub(super) async fn hear(access: &Access<'_>, scene: &Scene) -> (Failure, bool) {
    let begin = async {
        let mut link = access.open(HEARTBEAT).await?;
        // No worker has been there yet.
        if !link.has_exchange(EVENTS).await? {
            return Err(Failure::Refused(NOT_FOUND));
        }
        link.take(Some((EVENTS, "#"))).await?;
        Ok(link)
    };
    let begun = timeout(access.setup.config.deadline * 2, begin).await;
    let mut link = match begun.unwrap_or(Err(Failure::Late)) {
        Ok(link) => link,
        Err(err) => return (err, false),
    };
    scene.state().listens(true, now());
    let (mut said, mut heard) = (Instant::now(), Instant::now());
    loop {
        match timeout(SIGN, link.message()).await {
            Ok(Ok(message)) => {
                heard = Instant::now();
                if let Some((_, body)) = message {
                    let now = now();
                    let mut state = scene.state();
                    for event in event::bare_events(&body) {
                        state.heard(event, now);
                    }
                }
            }
            Ok(Err(err)) => return (err, true),
            Err(_) if heard.elapsed() > Duration::from_secs(u64::from(HEARTBEAT) * 2) => {
                return (Failure::Late, true);
            }
            Err(_) => {}
        }
        if said.elapsed() >= SIGN {
            said = Instant::now();
            if let Err(err) = link.heartbeat().await {
                return (err, true);
            }
        }
        if link.is_drained() {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// The connection by which a broker is asked.
pub(super) struct Line<'a> {
    access: &'a Access<'a>,
    scene: &'a Scene,
    link: Option<Link>,
}

impl<'a> Line<'a> {
    pub(super) fn new(access: &'a Access<'a>, scene: &'a Scene) -> Self {
        Self {
            access,
            scene,
            link: None,
        }
    }

    /// Whether a connection is kept.
    pub(super) fn is_open(&self) -> bool {
        self.link.is_some()
    }

    /// Measures the queues.
    pub(super) async fn measure(&mut self) -> Result<(), Failure> {
        // Taken out: what is cut off in the middle must not be used again.
        let mut link = match self.link.take() {
            Some(link) => link,
            // Nothing is said between two readings.
            None => self.access.open(0).await?,
        };
        let mut queues = self.access.setup.broker.queues.clone();
        queues.extend(
            self.scene
                .state()
                .tally
                .queues()
                .map(|queue| queue.to_string()),
        );
        // The name of the queue of those who name none.
        queues.push("celery".to_owned());
        queues.sort_unstable();
        queues.dedup();
        queues.truncate(MOST);
        let measure = async {
            let mut found = BTreeMap::new();
            for queue in queues {
                if let Some(counted) = link.look(&queue).await? {
                    found.insert(queue, counted);
                }
            }
            Ok((link, found))
        };
        let measured = timeout(self.access.setup.config.deadline, measure).await;
        let (link, found) = measured.unwrap_or(Err(Failure::Late))?;
        self.link = Some(link);
        self.scene.state().queues.counted(found);
        Ok(())
    }

    /// Asks the workers, over a connection of its own, with which all that it made
    /// goes.
    pub(super) async fn ask(&mut self) -> Result<BTreeMap<String, Told>, Failure> {
        let config = &self.access.setup.config;
        let expected = self.scene.state().workers.present();
        let work = ask(self.access, config.enable_events, expected);
        let told = timeout(config.deadline * 2 + PATIENCE, work).await;
        told.unwrap_or(Err(Failure::Late))
    }
}

/// Asks all workers, and returns what those say who answer in time.
async fn ask(
    access: &Access<'_>,
    enable_events: bool,
    expected: usize,
) -> Result<BTreeMap<String, Told>, Failure> {
    let mut link = access.open(0).await?;
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    // To publish to what is not there would end the channel.
    if !link.has_exchange(QUESTIONS_TO).await? {
        link.close().await;
        return Ok(told);
    }
    if enable_events {
        let body = control::bare("enable_events").to_string();
        link.publish(QUESTIONS_TO, "", &body, EXPIRES).await?;
    }
    // A queue for the answers to each: workers publish under its name. All of
    // them before the first question, whose answers may come at once.
    let mut queues = Vec::with_capacity(QUESTIONS.len());
    for _ in QUESTIONS {
        queues.push(link.take(None).await?);
    }
    for (method, queue) in QUESTIONS.iter().zip(&queues) {
        let mut body = control::bare(method);
        body["ticket"] = json!(queue);
        body["reply_to"] = json!({ "exchange": "", "routing_key": queue });
        link.publish(QUESTIONS_TO, "", &body.to_string(), EXPIRES)
            .await?;
    }
    let until = tokio::time::Instant::now() + PATIENCE;
    let mut heard = 0;
    while expected == 0 || heard < expected * QUESTIONS.len() {
        let Ok(message) = timeout_at(until, link.message()).await else {
            break;
        };
        let Some((key, body)) = message? else {
            continue;
        };
        let Some(at) = queues.iter().position(|queue| *queue == key) else {
            continue;
        };
        if let Ok(Value::Object(answers)) = serde_json::from_slice(&body) {
            for (node, answer) in answers {
                heard += 1;
                told.entry(node).or_default().learn(QUESTIONS[at], &answer);
            }
        }
    }
    link.close().await;
    Ok(told)
}
