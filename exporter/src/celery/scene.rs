//! Everything that is known of one broker, and its page.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use exposition::Kind;

use super::beat::{self, Calendar};
use super::config::Config;
use super::event::{self, Event, Kind as Happened, Task};
use super::queues::Queues;
use super::tally::{Kept, Tally};
use super::workers::{Patience, Workers, hostname};
use super::{control, names};
use crate::pieces::{self, Pieces, Sheet};
use crate::tallies::lock;

/// How long events of a task wait for what its sender tells, in seconds.
const HOLD: f64 = 2.0;
const MOST_HELD: usize = 10_000;

/// What the tasks of one broker share.
#[derive(Debug)]
pub(super) struct Scene {
    /// Whether it is known to be a broker, and not just some Redis.
    is_broker: AtomicBool,
    database: AtomicU32,
    state: Mutex<State>,
}

/// What is known.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tally: Tally,
    pub(super) workers: Workers,
    pub(super) queues: Queues,
    /// Events of tasks whose sender has told nothing yet, and when they came:
    /// a worker may be faster than who gave it the work.
    held: VecDeque<(f64, Event)>,
    /// Whether events are heard.
    pub(super) listening: bool,
    /// Events heard, and times that hearing them was begun anew.
    events: u64,
    connects: u64,
    /// When workers were asked last, and how many answered.
    pub(super) asked: Option<(f64, usize)>,
    /// Since when events are heard, in seconds since 1970.
    began: f64,
}

impl Scene {
    pub(super) fn new(kept: Option<Kept>) -> Self {
        let mut state = State::default();
        state.tally.restore(kept.unwrap_or_default());
        Self {
            is_broker: AtomicBool::new(false),
            database: AtomicU32::new(0),
            state: Mutex::new(state),
        }
    }

    /// It is a broker, in this database.
    pub(super) fn located(&self, database: u32) {
        self.database.store(database, Ordering::Relaxed);
        self.is_broker.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_broker(&self) -> bool {
        self.is_broker.load(Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Events are heard from now on, or no more.
    pub(super) fn listens(&mut self, listening: bool, now: f64) {
        if listening && !self.listening {
            self.connects += 1;
            self.began = now;
            self.workers.listening(now);
        }
        self.listening = listening;
    }

    /// Takes over an event, maybe a little later.
    pub(super) fn heard(&mut self, event: Event, now: f64) {
        self.events += 1;
        self.release(now);
        match &event.kind {
            Happened::Task {
                uuid,
                what: Task::Sent { .. },
            } => {
                let uuid = uuid.clone();
                self.count(&event, now);
                let held = std::mem::take(&mut self.held);
                for (at, event) in held {
                    match &event.kind {
                        Happened::Task { uuid: of, .. } if *of == uuid => self.count(&event, now),
                        _ => self.held.push_back((at, event)),
                    }
                }
            }
            Happened::Task { uuid, .. } if !self.tally.tasks.knows_queue(uuid) => {
                self.held.push_back((now, event));
            }
            _ => self.count(&event, now),
        }
    }

    /// Counts events whose sender has told nothing, and will not.
    fn release(&mut self, now: f64) {
        while let Some((came, _)) = self.held.front() {
            // A clock that was set back must not hold them for ever.
            let waited = (now - came).abs();
            if waited < HOLD && self.held.len() < MOST_HELD {
                return;
            }
            if let Some((_, event)) = self.held.pop_front() {
                self.count(&event, now);
            }
        }
    }

    fn count(&mut self, event: &Event, now: f64) {
        let node = event.node.as_str();
        match &event.kind {
            Happened::Alive {
                active, processed, ..
            } => self.workers.alive(node, *active, *processed, now),
            Happened::Offline => self.workers.left(node, now),
            Happened::Task { uuid, what } => {
                let hostname = match what {
                    // Who sends is no worker: `gen123@web`.
                    Task::Sent { .. } => node.rsplit('@').next().unwrap_or(node),
                    _ => hostname(node),
                };
                let usual = self.workers.only_queue(node);
                let times = (event.at, now);
                self.tally.happened((hostname, usual), uuid, what, times);
            }
        }
    }

    /// The page of this broker.
    pub(super) fn encode(
        &mut self,
        (config, calendar): (&Config, Calendar),
        now: f64,
        mut sheet: Sheet,
    ) -> Pieces {
        let patience = Patience {
            alive: config.worker_timeout.as_secs_f64(),
            shown: config.worker_forget.as_secs_f64(),
        };
        self.release(now);
        if self.listening {
            self.workers.tidy(patience, now);
        }
        self.tally.tidy(now);
        let queues = self.queues.names();
        // Nobody can be said to be silent by one who does not listen.
        if self.listening {
            self.workers.encode(&queues, patience, now, &mut sheet);
        }
        self.queues.encode(&self.tally.tasks, now, &mut sheet);
        self.tally.encode(&mut sheet);
        let moment = beat::Moment {
            now,
            began: self.listening.then_some(self.began),
            calendar,
        };
        let last_sent = |task: &str| self.tally.last_sent(task);
        beat::encode(config, moment, last_sent, &mut sheet);
        for (name, help, kind, value) in [
            (
                "belfry_celery_listening",
                "Whether events are heard.",
                Kind::Gauge,
                f64::from(u8::from(self.listening)),
            ),
            (
                "belfry_celery_events_total",
                "Events heard.",
                Kind::Counter,
                self.events as f64,
            ),
            (
                "belfry_celery_connects_total",
                "Times that hearing events was begun.",
                Kind::Counter,
                self.connects as f64,
            ),
        ] {
            sheet.single(name, help, kind, value);
        }
        if let Some((at, answers)) = self.asked {
            sheet.single(
                "belfry_celery_inspect_age_seconds",
                "How long ago workers were asked.",
                Kind::Gauge,
                (now - at).max(0.0),
            );
            sheet.single(
                "belfry_celery_inspect_workers",
                "Workers that answered.",
                Kind::Gauge,
                answers as f64,
            );
        }
        sheet.finish()
    }
}

/// Takes the bytes as what workers and brokers say, for those who throw any at it.
///
/// # Panics
/// If what is told of them is no page.
pub(super) fn any(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = (event::task_of(&text), names::bound(&text));
    let mut state = State::default();
    state.listens(true, 1.0);
    let events = event::events(&text).into_iter();
    for (at, event) in (1_u32..).zip(events.chain(event::bare_events(bytes))) {
        state.heard(event, f64::from(at));
    }
    for (node, told) in control::any(&text) {
        state.workers.told(&node, told, 2.0);
    }
    let set = (&Config::default(), (|_, _, _| None) as Calendar);
    let written = state.encode(set, 3.0, Sheet::new(&"any".into()));
    pieces::check(&pieces::page(&[Arc::new(written)]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::page;

    fn task(what: Task, at: f64) -> Event {
        Event {
            kind: Happened::Task {
                uuid: "u".into(),
                what,
            },
            node: "celery@w".into(),
            at,
        }
    }

    fn text(state: &mut State, now: f64) -> String {
        let sheet = Sheet::new(&"".into());
        let set = (&Config::default(), (|_, _, _| None) as Calendar);
        page(&[Arc::new(state.encode(set, now, sheet))])
    }

    #[test]
    fn a_worker_may_be_faster_than_who_sends_but_is_not_waited_for_long() {
        let received = || Task::Received {
            name: "t".into(),
            eta: None,
        };
        let sent = Task::Sent {
            name: "t".into(),
            queue: "mail".into(),
            eta: None,
        };
        let of = |queue: &str| {
            format!(
                "celery_task_received_total{{hostname=\"w\",name=\"t\",queue_name=\"{queue}\"}} 1\n"
            )
        };
        let mut state = State::default();
        state.heard(task(received(), 10.0), 10.0);
        assert!(!text(&mut state, 10.5).contains("celery_task_received_total{"));
        state.heard(task(sent, 10.0), 10.6);
        assert!(text(&mut state, 10.6).contains(&of("mail")));

        let mut silent = State::default();
        silent.heard(task(received(), 10.0), 10.0);
        assert!(text(&mut silent, 12.0).contains(&of("celery")));
    }
}
