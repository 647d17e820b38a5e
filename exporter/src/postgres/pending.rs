//! Connections that are not to be had yet: being made, or in the middle of an
//! answer that takes too long.
//!
//! They are waited for in the background and not replaced at once. A server
//! whose catalogue is locked, or whose disk hangs, keeps a process for each
//! client that gave up on it: asking again and again would take all of its
//! connections.

use std::time::{Duration, Instant};

use tokio::time::{Instant as Deadline, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::link::{Failure, Link};
use super::target::Target;

/// How long the first is waited for before another connection is tried, and
/// the most that this grows to.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// A connection that is waited for.
#[derive(Debug)]
pub(super) struct Pending {
    task: AbortOnDropHandle<Result<Link, Failure>>,
    since: Instant,
}

impl Pending {
    /// Begins to connect.
    pub(super) fn connect(target: &Target, database: Option<&str>) -> Self {
        let target = target.clone();
        let database = database.map(str::to_owned);
        Self::begin(async move {
            let (tls, patience) = (target.tls.as_ref(), target.patience());
            Link::connect(&target.access, tls, database.as_deref(), patience).await
        })
    }

    /// Waits for a connection to come out of an answer.
    pub(super) fn recover(link: Link) -> Self {
        Self::begin(async move {
            link.rows("SELECT 1").await?;
            Ok(link)
        })
    }

    fn begin(work: impl Future<Output = Result<Link, Failure>> + Send + 'static) -> Self {
        Self {
            task: AbortOnDropHandle::new(tokio::spawn(work)),
            since: Instant::now(),
        }
    }

    /// The connection, if it is to be had by then.
    async fn by(&mut self, until: Deadline) -> Option<Result<Link, Failure>> {
        let ended = timeout_at(until, &mut self.task).await.ok()?;
        Some(ended.unwrap_or(Err(Failure::Closed)))
    }

    /// Whether waiting has ended, with a connection or without.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished() || self.since.elapsed() >= LONGEST
    }

    /// Turns it into the connection, or gives it back when that takes too long.
    pub(super) async fn ready(mut self, until: Deadline) -> Result<Result<Link, Failure>, Self> {
        match self.by(until).await {
            Some(ended) => Ok(ended),
            None => Err(self),
        }
    }
}

/// A server's own connection, in whichever state it is.
#[derive(Debug, Default)]
pub(super) struct Own {
    kept: Option<Link>,
    pending: Option<Pending>,
    /// How often a pending one was given up since the server last answered.
    given_up: u32,
}

impl Own {
    /// A connection that answers, and whether it is a new one.
    pub(super) async fn awake(
        &mut self,
        target: &Target,
        until: Deadline,
    ) -> Result<(Link, bool), Failure> {
        let mut new = false;
        if let Some(link) = self.kept.take() {
            self.pending = Some(Pending::recover(link));
        }
        let wait = FIRST * 2u32.saturating_pow(self.given_up.min(10));
        let stuck = |pending: &Pending| pending.since.elapsed() >= wait.min(LONGEST);
        if self.pending.as_ref().is_some_and(stuck) {
            self.pending = None;
            self.given_up += 1;
        }
        loop {
            let pending = match self.pending.take() {
                Some(pending) => pending,
                None => {
                    new = true;
                    Pending::connect(target, None)
                }
            };
            match pending.ready(until).await {
                Err(pending) => {
                    self.pending = Some(pending);
                    return Err(Failure::Late);
                }
                Ok(Ok(link)) => {
                    self.given_up = 0;
                    return Ok((link, new));
                }
                // The kept one ended, maybe long ago: a new one is made.
                Ok(Err(Failure::Closed)) if !new => {}
                Ok(Err(err)) => return Err(err),
            }
        }
    }

    /// Keeps a connection for the next time.
    pub(super) fn keep(&mut self, link: Link) {
        self.kept = Some(link);
    }

    /// Keeps one that was left in the middle of an answer.
    pub(super) fn keep_busy(&mut self, link: Link) {
        self.pending = Some(Pending::recover(link));
    }
}
