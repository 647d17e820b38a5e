//! What is the same for both kinds of brokers: when they are asked, what is made of
//! the answers, and how listening goes on after it ended.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::{Duration, Instant};

use super::now;
use super::scene::Scene;
use super::workers::Told;
use super::{Config, amqp, broker, rabbit};
use crate::redis::client;
use crate::served::Trouble;

/// Events are taken in together that come within so short a time: they come one by one,
/// and each would have us woken for it.
pub(super) const GATHER: Duration = Duration::from_millis(250);
/// After a failure the next try waits so long.
const PAUSE: Duration = Duration::from_secs(5);

/// Asks one broker.
pub(super) struct Poll<'a> {
    line: Line<'a>,
    scene: &'a Scene,
    asked: Option<Instant>,
}

/// What a broker is asked by.
pub(super) enum Line<'a> {
    Redis(broker::Line<'a>),
    Rabbit(rabbit::Line<'a>),
}

/// Why a question has no answer.
struct Fault {
    trouble: Trouble,
    /// Whether the connection ended.
    closed: bool,
}

impl<'a> Poll<'a> {
    pub(super) fn new(line: Line<'a>, scene: &'a Scene) -> Self {
        Self {
            line,
            scene,
            asked: None,
        }
    }

    /// Measures the queues. A connection that ended while it lay idle is made
    /// anew.
    pub(super) async fn once(&mut self) -> Result<(), Trouble> {
        let had = self.line.is_open();
        let measured = match self.line.measure().await {
            Err(fault) if fault.closed && had => self.line.measure().await,
            measured => measured,
        };
        measured.map_err(|fault| fault.trouble)
    }

    /// Asks the workers, when it is time.
    pub(super) async fn inspect(&mut self, config: &Config) -> Result<(), Trouble> {
        let waited = self.asked.map(|asked| asked.elapsed());
        if waited.is_some_and(|waited| waited < config.inspect) || !self.line.can_ask() {
            return Ok(());
        }
        self.asked = Some(Instant::now());
        let told = self.line.ask().await.map_err(|fault| fault.trouble)?;
        let now = now();
        let mut state = self.scene.state();
        state.asked = Some((now, told.len()));
        for (node, told) in told {
            for queue in &told.queues {
                state.tally.learn_queue(queue);
            }
            state.workers.told(&node, told, now);
        }
        Ok(())
    }
}

impl Line<'_> {
    fn is_open(&self) -> bool {
        match self {
            Self::Redis(line) => line.is_open(),
            Self::Rabbit(line) => line.is_open(),
        }
    }

    /// RabbitMQ is asked over a connection of its own.
    fn can_ask(&self) -> bool {
        match self {
            Self::Redis(line) => line.is_open(),
            Self::Rabbit(_) => true,
        }
    }

    async fn measure(&mut self) -> Result<(), Fault> {
        match self {
            Self::Redis(line) => Ok(line.measure().await?),
            Self::Rabbit(line) => Ok(line.measure().await?),
        }
    }

    async fn ask(&mut self) -> Result<BTreeMap<String, Told>, Fault> {
        match self {
            Self::Redis(line) => Ok(line.ask().await?),
            Self::Rabbit(line) => Ok(line.ask().await?),
        }
    }
}

impl From<client::Failure> for Fault {
    fn from(failure: client::Failure) -> Self {
        Self {
            closed: matches!(failure, client::Failure::Closed),
            trouble: failure.trouble(),
        }
    }
}

impl From<amqp::Failure> for Fault {
    fn from(failure: amqp::Failure) -> Self {
        Self {
            closed: matches!(failure, amqp::Failure::Closed),
            trouble: failure.trouble(),
        }
    }
}

/// Listens for ever. `hear` listens until that ends; it tells why, and whether it had
/// begun.
pub(super) async fn listen<Hearing, Why>(
    broker: &str,
    interval: Duration,
    scene: &Scene,
    hear: impl Fn() -> Hearing,
) where
    Hearing: Future<Output = (Why, bool)>,
    Why: Display,
{
    let mut failing = false;
    loop {
        let (why, began) = hear().await;
        scene.state().listens(false, now());
        // A connection that could be made is news when it ends.
        if !failing || began {
            tracing::warn!(broker, "cannot hear Celery's events: {why}");
        }
        failing = true;
        tokio::time::sleep(PAUSE.min(interval)).await;
    }
}
