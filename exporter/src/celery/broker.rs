//! The connections to one broker: one that listens, and one that asks. Both are
//! made anew whenever they end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::names::Names;
use super::poll::GATHER;
use super::scene::{self, Scene};
use super::workers::Told;
use super::{Setup, control, event, now};
use crate::redis::client::{Failure, Link, Route};
use crate::redis::resp;

/// A broker's workers give signs of life more often than this; when nothing is
/// heard for so long, the connection is tried.
const QUIET: Duration = Duration::from_secs(30);
/// How often a Redis that is no broker is looked at again.
const AGAIN: Duration = Duration::from_secs(60);
/// A message that is too large to look at is left alone for so long.
const SHY: Duration = Duration::from_secs(300);
/// The databases that are looked through for a broker.
const DATABASES: u32 = 16;

/// How a broker is reached.
pub(super) struct Access<'a> {
    pub(super) route: Route,
    pub(super) setup: &'a Setup,
    pub(super) database: u32,
}

impl Access<'_> {
    async fn open(&self, database: u32) -> Result<Link, Failure> {
        let broker = &self.setup.broker;
        let open = async {
            let password = broker.password.expose();
            let mut link = Link::open(&self.route, &broker.username, password).await?;
            let number = database.to_string();
            let answers = link.call(&[vec!["SELECT", &number]]).await?;
            if let Some(resp::Answer::Refusal(code)) = answers.into_iter().next() {
                let what = "the database";
                return Err(Failure::Refused { what, code });
            }
            Ok(link)
        };
        let deadline = self.setup.config.deadline;
        timeout(deadline, open).await.unwrap_or(Err(Failure::Late))
    }

    /// The database in which Celery has left its traces; waits until there is
    /// one.
    pub(super) async fn locate(&self) -> u32 {
        loop {
            for database in 0..DATABASES {
                let Ok(mut link) = self.open(database).await else {
                    break;
                };
                // What a worker binds, and what a first message does.
                let prefix = &self.setup.broker.key_prefix;
                let keys = ["celery.pidbox", "celery"]
                    .map(|exchange| format!("{prefix}_kombu.binding.{exchange}"));
                let call = vec!["EXISTS", keys[0].as_str(), keys[1].as_str()];
                let calls = [call];
                let asked = timeout(self.setup.config.deadline, link.call(&calls)).await;
                if let Ok(Ok(answers)) = asked
                    && answers.first().and_then(|answer| answer.number()) > Some(0)
                {
                    return database;
                }
            }
            tokio::time::sleep(AGAIN.min(self.setup.config.inspect)).await;
        }
    }
}

/// Listens until that ends; tells why, and whether it had begun.
pub(super) async fn hear(access: &Access<'_>, names: &Names, scene: &Scene) -> (Failure, bool) {
    let mut link = match access.open(access.database).await {
        Ok(link) => link,
        Err(err) => return (err, false),
    };
    let mut out = Vec::new();
    resp::ask(&mut out, &["PSUBSCRIBE", &names.events()]);
    if let Err(err) = link.send(&out).await {
        return (err, false);
    }
    let mut began = false;
    let mut tried = false;
    loop {
        let answer = match timeout(QUIET, link.answer()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(err)) => return (err, began),
            Err(_) if tried => return (Failure::Late, began),
            Err(_) => {
                tried = true;
                let mut out = Vec::new();
                resp::ask(&mut out, &["PING"]);
                if let Err(err) = link.send(&out).await {
                    return (err, began);
                }
                continue;
            }
        };
        tried = false;
        let drained = link.is_drained();
        match answer.list() {
            [_, _, _, message] => {
                let now = now();
                let events = message.text().map(|text| event::events(&text));
                let mut state = scene.state();
                for event in events.unwrap_or_default() {
                    state.heard(event, now);
                }
            }
            [_, _, count] if count.number().is_some() => {
                began = true;
                scene.state().listens(true, now());
            }
            _ => {
                if let resp::Answer::Refusal(code) = answer {
                    let what = "the subscription";
                    return (Failure::Refused { what, code }, began);
                }
            }
        }
        if drained {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// The connection by which a broker is asked.
pub(super) struct Line<'a> {
    access: &'a Access<'a>,
    names: &'a Names,
    scene: &'a Scene,
    link: Option<Link>,
    /// Since when the messages themselves are left alone.
    shy: Option<Instant>,
}

impl<'a> Line<'a> {
    pub(super) fn new(access: &'a Access<'a>, names: &'a Names, scene: &'a Scene) -> Self {
        Self {
            access,
            names,
            scene,
            link: None,
            shy: None,
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
            None => self.access.open(self.access.database).await?,
        };
        let broker = &self.access.setup.broker;
        let mut state = std::mem::take(&mut self.scene.state().queues);
        let mut queues = broker.queues.clone();
        let known = |state: &scene::State| {
            let known = state.tally.queues();
            known.map(|queue| queue.to_string()).collect::<Vec<_>>()
        };
        queues.extend(known(&self.scene.state()));
        let measure = state.measure(&mut link, self.names, queues, &broker.priority_steps);
        let deadline = self.access.setup.config.deadline;
        let measured = timeout(deadline, measure).await;
        let measured = measured.unwrap_or(Err(Failure::Late));
        let bold = self.shy.is_none_or(|since| since.elapsed() >= SHY);
        let mut usable = measured.is_ok();
        if usable && bold {
            let look = state.look(&mut link, self.names, now());
            usable = matches!(timeout(deadline, look).await, Ok(Ok(())));
            self.shy = (!usable).then(Instant::now);
        }
        self.scene.state().queues = state;
        if usable {
            self.link = Some(link);
        }
        measured
    }

    /// Asks the workers, over the connection that is kept; nothing without one.
    pub(super) async fn ask(&mut self) -> Result<BTreeMap<String, Told>, Failure> {
        let config = &self.access.setup.config;
        let Some(mut link) = self.link.take() else {
            return Ok(BTreeMap::new());
        };
        let deadline = config.deadline + Duration::from_secs(5);
        let work = async {
            if config.enable_events {
                control::enable_events(&mut link, self.names, now()).await?;
            }
            let expected = self.scene.state().workers.present();
            control::ask(&mut link, self.names, expected, now()).await
        };
        let told = timeout(deadline, work).await;
        let told = told.unwrap_or(Err(Failure::Late))?;
        self.link = Some(link);
        Ok(told)
    }
}
