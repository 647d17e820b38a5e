//! The servers of one kind, those of the configuration and those that were
//! found, each read by a task of its own.
//!
//! Another configuration or another finding replaces only what differs: the
//! others go on with their connections and with what they have counted.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pieces::Pieces;
use crate::served::{Served, Trouble};
use crate::tallies::lock;

/// How reading one server goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What tells it from others of its kind.
    pub name: String,
    /// The label `instance` of its series; empty for none.
    pub instance: String,
    /// Whether the latest reading worked. Nothing before the first has ended,
    /// and for a server that was found and wants a password that we lack.
    pub up: Option<bool>,
    /// Why the latest reading failed; empty when it did not.
    pub trouble: String,
    /// How long ago the latest reading ended.
    pub age: Option<Duration>,
    /// How long the latest reading took.
    pub took: Duration,
}

/// A server that is to be read.
#[derive(Debug)]
pub(crate) struct Wanted<S> {
    /// Everything that its task needs to know.
    pub(crate) setup: S,
    /// Its name in messages.
    pub(crate) name: String,
    /// The label `instance` of its samples; empty for none.
    pub(crate) instance: Arc<str>,
    /// How long a good reading is served.
    pub(crate) keep: Duration,
    /// Nobody named it: it is no fault when it does not let us in.
    pub(crate) found: bool,
}

/// A server that is read.
#[derive(Debug)]
pub(crate) struct Member<S> {
    pub(crate) setup: S,
    pub(crate) served: Served,
    found: bool,
    started: AtomicBool,
    stop: CancellationToken,
}

/// All servers of one kind.
#[derive(Debug)]
pub(crate) struct Fleet<S> {
    /// What kind they are, for messages and names of families.
    kind: &'static str,
    members: Mutex<Vec<Arc<Member<S>>>>,
    changed: Notify,
    readings: watch::Sender<u64>,
}

impl<S> Member<S> {
    /// Whether it was found, and keeps us out because we have no password.
    pub(crate) fn keeps_us_out(&self) -> bool {
        let latest = self.served.latest();
        let trouble = latest.and_then(|latest| latest.trouble);
        self.found && trouble.is_some_and(|trouble| trouble.wants_password)
    }
}

impl<S: PartialEq> Fleet<S> {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            members: Mutex::default(),
            changed: Notify::new(),
            readings: watch::Sender::new(0),
        }
    }

    /// Puts other servers in place: ends what is wanted no more.
    pub(crate) fn set(&self, wanted: Vec<Wanted<S>>) {
        let mut members = lock(&self.members);
        let before = std::mem::take(&mut *members);
        for one in wanted {
            let same = before.iter().find(|member| {
                member.setup == one.setup
                    && member.served.instance == one.instance
                    && member.found == one.found
            });
            members.push(match same {
                Some(member) => Arc::clone(member),
                None => Arc::new(Member {
                    setup: one.setup,
                    served: Served::new(self.kind, one.name, one.instance, one.keep),
                    found: one.found,
                    started: AtomicBool::new(false),
                    stop: CancellationToken::new(),
                }),
            });
        }
        for member in &before {
            if !members.iter().any(|stays| Arc::ptr_eq(stays, member)) {
                member.stop.cancel();
            }
        }
        drop(members);
        self.changed.notify_one();
    }

    /// Runs `follow` for each server until that is wanted no more, which cuts it off
    /// wherever it waits. Returns when `stop` says so and all have ended.
    pub(crate) async fn run<F>(&self, stop: CancellationToken, follow: impl Fn(Arc<Member<S>>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tasks = TaskTracker::new();
        loop {
            for member in self.members() {
                if !member.started.swap(true, Ordering::Relaxed) {
                    let wanted_no_more = member.stop.clone();
                    let work = follow(member);
                    tasks.spawn(async move {
                        wanted_no_more.run_until_cancelled_owned(work).await;
                    });
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.changed.notified() => {}
            }
        }
        for member in self.members() {
            member.stop.cancel();
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Puts down how a reading went, and tells those who wait for one.
    pub(crate) fn put(
        &self,
        member: &Member<S>,
        read: Result<Vec<Arc<Pieces>>, Trouble>,
        began: Instant,
    ) {
        member.served.put(read, began, Instant::now());
        self.readings.send_modify(|count| *count += 1);
    }

    /// Tells when a reading of any server has ended. The value counts them.
    pub(crate) fn readings(&self) -> watch::Receiver<u64> {
        self.readings.subscribe()
    }

    pub(crate) fn members(&self) -> Vec<Arc<Member<S>>> {
        lock(&self.members).clone()
    }

    /// What a page says of them: of each how reading it goes, as `standing` writes
    /// it, and what was read last as long as that is good.
    pub(crate) fn pieces(
        &self,
        now: Instant,
        standing: impl Fn(&Member<S>, Instant) -> Pieces,
    ) -> Vec<Arc<Pieces>> {
        let mut all = Vec::new();
        for member in self.members() {
            all.push(Arc::new(standing(&member, now)));
            all.extend(member.served.good(now));
        }
        all
    }

    /// How reading each goes.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        let now = Instant::now();
        let members = self.members();
        members
            .iter()
            .map(|member| {
                let latest = member.served.latest();
                let trouble = latest.as_ref().and_then(|latest| latest.trouble.as_ref());
                Standing {
                    name: member.served.name.clone(),
                    instance: member.served.instance.to_string(),
                    up: match &latest {
                        Some(_) if !member.keeps_us_out() => Some(trouble.is_none()),
                        _ => None,
                    },
                    trouble: trouble.map_or_else(String::new, |trouble| trouble.text.clone()),
                    age: latest
                        .as_ref()
                        .map(|latest| now.saturating_duration_since(latest.ended)),
                    took: latest.map_or(Duration::ZERO, |latest| latest.took),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(setup: u32, found: bool) -> Wanted<u32> {
        Wanted {
            setup,
            name: setup.to_string(),
            instance: "".into(),
            keep: Duration::from_secs(60),
            found,
        }
    }

    /// Says when it is dropped that the work on a server has ended.
    struct Ends(u32, tokio::sync::mpsc::UnboundedSender<(u32, &'static str)>);

    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.1.send((self.0, "ended"));
        }
    }

    #[tokio::test]
    async fn what_stays_goes_on_and_what_is_gone_ends() {
        let fleet = Arc::new(Fleet::new("test"));
        fleet.set(vec![wanted(1, false), wanted(2, false)]);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (fleet, stop) = (Arc::clone(&fleet), stop.clone());
            async move {
                let follow = |member: Arc<Member<u32>>| {
                    let ends = Ends(member.setup, tell.clone());
                    async move {
                        let _ = ends.1.send((ends.0, "began"));
                        std::future::pending::<()>().await;
                    }
                };
                fleet.run(stop, follow).await;
            }
        });
        let mut next = async || told.recv().await.unwrap();
        assert_eq!(next().await, (1, "began"));
        assert_eq!(next().await, (2, "began"));
        fleet.set(vec![wanted(2, false), wanted(3, false)]);
        let mut two = [next().await, next().await];
        two.sort_unstable();
        assert_eq!(two, [(1, "ended"), (3, "began")]);
        stop.cancel();
        let mut rest = [next().await, next().await];
        rest.sort_unstable();
        assert_eq!(rest, [(2, "ended"), (3, "ended")]);
        running.await.unwrap();
    }

    #[test]
    fn a_server_that_was_found_is_not_down_because_we_have_no_password() {
        let fleet = Fleet::new("test");
        fleet.set(vec![wanted(1, true), wanted(2, false)]);
        assert_eq!(fleet.standing()[0].up, None);
        for member in fleet.members() {
            let trouble = Trouble {
                text: "a password is wanted".into(),
                wants_password: true,
            };
            fleet.put(&member, Err(trouble), Instant::now());
        }
        let standing = fleet.standing();
        assert_eq!((standing[0].up, standing[1].up), (None, Some(false)));
        assert_eq!(standing[0].trouble, "a password is wanted");
        assert!(standing[0].age.is_some());
    }
}
