//! One run of a job: from its source into its targets, committed by manifests.

mod doubt;
mod lock;
mod sink;

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::catalogue;
use crate::flow::{self, Feed, Sent, Stopped};
use crate::id::Id;
use crate::manifest::{FORMAT, Manifest, Piece};
use crate::postgres::{self, Dumped, Server};
use crate::{Job, Setup};

use doubt::{doubt, newest_good};
pub use lock::{Lock, Taken};
use sink::{Sink, alive, nobody};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Every target has it.
    Good,
    /// It is there, but a target lacks it, or it is doubted.
    Partly,
    /// There is nothing.
    Failed,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The backup's id.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it is, if it is anywhere.
    pub manifest: Option<Manifest>,
    /// What each target says, in the order of the configuration.
    pub targets: Vec<(String, Result<(), String>)>,
    /// Why it failed, in one line.
    pub error: Option<String>,
}

/// Told what happens while it happens.
pub type Say<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Runs a job. `now` tells the time in milliseconds since 1970.
///
/// # Errors
/// Only when another run of this job goes on; everything else is in the report.
pub async fn run(
    setup: &Setup,
    job: &Job,
    now: &(dyn Fn() -> i64 + Send + Sync),
    say: Say<'_>,
) -> Result<Report, Taken> {
    let _lock = Lock::take(&setup.work, &job.name)?;
    let started_ms = now();
    let mut report = Report {
        id: String::new(),
        outcome: Outcome::Failed,
        manifest: None,
        targets: Vec::new(),
        error: None,
    };
    let begun = Id::new(started_ms)
        .map_err(|err| err.to_string())
        .and_then(|id| Ok((id, setup.targets(job).map_err(|err| err.to_string())?)));
    let (id, targets) = match begun {
        Ok(begun) => begun,
        Err(err) => {
            report.error = Some(err);
            return Ok(report);
        }
    };
    report.id = id.to_string();
    let mut sinks: Vec<_> = targets
        .into_iter()
        .map(|target| Sink {
            target,
            failed: None,
        })
        .collect();
    let work = Work {
        setup,
        job,
        id: &id,
        started_ms,
        now,
        say,
        deadline: Instant::now() + job.timeout,
    };
    match work.all(&mut sinks).await {
        Ok(manifest) => report.manifest = Some(manifest),
        Err(err) => report.error = Some(err),
    }
    report.outcome = match &report.manifest {
        None => Outcome::Failed,
        Some(manifest)
            if manifest.doubt.is_none() && sinks.iter().all(|sink| sink.failed.is_none()) =>
        {
            Outcome::Good
        }
        Some(_) => Outcome::Partly,
    };
    let failed = report.manifest.is_none();
    let told = sinks.into_iter().map(|sink| {
        let reason = sink
            .failed
            .or_else(|| failed.then(|| "given up".to_owned()));
        (sink.target.name().to_owned(), reason.map_or(Ok(()), Err))
    });
    report.targets = told.collect();
    Ok(report)
}

/// What there was before a run.
struct Before {
    /// The last good backup.
    last: Option<Manifest>,
    /// How many doubted ones came after it.
    doubted: usize,
}

/// So many backups in a row that lost most of what there was are believed.
const DOUBTED: usize = 3;

struct Work<'a> {
    setup: &'a Setup,
    job: &'a Job,
    id: &'a Id,
    started_ms: i64,
    now: &'a (dyn Fn() -> i64 + Send + Sync),
    say: Say<'a>,
    /// Of the sources: the targets then have the time to give up in order.
    deadline: Instant,
}

impl Work<'_> {
    async fn all(&self, sinks: &mut [Sink]) -> Result<Manifest, String> {
        let before = self.before(sinks).await?;
        let server = self.setup.server(self.job)?;
        let prepared = timeout_at(self.deadline, server.prepared()).await;
        let (server, _) = prepared
            .map_err(|_| self.late())?
            .map_err(|err| err.to_string())?;
        let done = self.data(sinks, &server, &before).await;
        let committed = match done {
            Ok(manifest) => self.commit(sinks, manifest).await,
            Err(err) => Err(err),
        };
        self.clean(sinks, committed.as_ref().ok()).await;
        committed
    }

    /// Looks at the targets, takes away what dead runs left, and finds the last
    /// good backup, which tells how large the next will be.
    async fn before(&self, sinks: &mut [Sink]) -> Result<Before, String> {
        let prefix = self.setup.shelf(self.job).prefix();
        let mut last: Option<Manifest> = None;
        let mut doubted = 0;
        for sink in sinks.iter_mut() {
            let looked = async {
                sink.target.sweep(&prefix).await?;
                catalogue::list(&sink.target, &prefix, &self.setup.kept()).await
            };
            match looked.await {
                Ok(listing) => {
                    let newest = newest_good(&listing);
                    if newest.map(|found| found.started_ms)
                        > last.as_ref().map(|last| last.started_ms)
                    {
                        last = newest.cloned();
                    }
                    let newest = listing.copies.iter().rev();
                    doubted = doubted.max(
                        newest
                            .take_while(|copy| copy.manifest.doubt.is_some())
                            .count(),
                    );
                }
                Err(err) => self.fail(sink, err.to_string()),
            }
        }
        let wanted = last.as_ref().map_or(0, Manifest::stored_bytes);
        for sink in alive(sinks) {
            if let Err(err) = sink.target.room_for(wanted + wanted / 2).await {
                self.fail(sink, err.to_string());
            }
        }
        match nobody(sinks) {
            Some(nobody) => Err(nobody),
            None => Ok(Before { last, doubted }),
        }
    }

    /// Dumps into all targets.
    async fn data(
        &self,
        sinks: &mut [Sink],
        server: &Server,
        before: &Before,
    ) -> Result<Manifest, String> {
        let last = before.last.as_ref();
        let expected = |name: &str| {
            let piece = last.and_then(|last| last.pieces.iter().find(|piece| piece.name == name));
            piece.map_or(0, |piece| piece.stored_bytes)
        };
        let mut pieces = Vec::new();
        let (dumped, piece) = self
            .piece(
                sinks,
                "dump",
                "pgdump",
                expected("dump"),
                async |feed: &Feed| {
                    let give = async |bytes| {
                        feed.give(bytes)
                            .await
                            .map_err(|Stopped| postgres::Error::Stopped)
                    };
                    postgres::dump(server, give).await
                },
            )
            .await?;
        pieces.push(piece);
        let Dumped {
            facts,
            mut warnings,
        } = dumped;
        let tables = facts.tables.len();
        let rows: u64 = facts.tables.iter().map(|table| table.rows).sum();
        (self.say)(format!(
            "dump    {}: {tables} tables, {rows} rows, whole",
            facts.dumped_by
        ));
        let (warning, piece) = self
            .piece(
                sinks,
                "globals",
                "globals.sql",
                expected("globals"),
                async |feed: &Feed| {
                    let (text, warning) = postgres::globals(server).await?;
                    feed.give(text.into())
                        .await
                        .map_err(|Stopped| postgres::Error::Stopped)?;
                    Ok::<_, postgres::Error>(warning)
                },
            )
            .await?;
        pieces.push(piece);
        warnings.extend(warning);
        let shelf = self.setup.shelf(self.job);
        let mut manifest = Manifest {
            format: FORMAT,
            id: self.id.to_string(),
            host: shelf.host,
            kind: shelf.kind,
            source: shelf.source,
            started_ms: self.started_ms,
            finished_ms: (self.now)(),
            made_by: self.setup.version.clone(),
            pieces,
            postgres: Some(facts),
            doubt: None,
            warnings,
        };
        manifest.doubt = last.and_then(|last| doubt(&manifest, last));
        if before.doubted >= DOUBTED
            && let Some(doubt) = manifest.doubt.take()
        {
            manifest.warnings.push(format!(
                "{doubt}; taken as right after {DOUBTED} backups that say so"
            ));
        }
        Ok(manifest)
    }

    /// Sends one stream to all targets that are still in.
    async fn piece<T>(
        &self,
        sinks: &mut [Sink],
        name: &str,
        ending: &str,
        expected: u64,
        source: impl AsyncFnOnce(&Feed) -> Result<T, postgres::Error>,
    ) -> Result<(T, Piece), String> {
        let sealing = self.setup.sealing();
        let age = if sealing.recipients.is_empty() {
            ""
        } else {
            ".age"
        };
        let key = self
            .setup
            .shelf(self.job)
            .key(self.id, &format!("{ending}.zst{age}"));
        let targets: Vec<_> = alive(sinks).map(|sink| sink.target.clone()).collect();
        let in_time = async |feed: &Feed| {
            let value = timeout_at(self.deadline, source(feed)).await;
            value.unwrap_or_else(|_| Err(postgres::Error::Late(self.late())))
        };
        let sent = flow::send(&targets, &key, expected, &sealing, in_time).await;
        let Sent {
            value,
            sum,
            targets,
        } = match sent {
            Ok(sent) => sent,
            Err(postgres::Error::Stopped) => return Err("every target has failed".to_owned()),
            Err(err) => return Err(err.to_string()),
        };
        for (sink, result) in alive(sinks).zip(targets) {
            if let Err(err) = result {
                self.fail(sink, err.to_string());
            }
        }
        if let Some(nobody) = nobody(sinks) {
            return Err(nobody);
        }
        let sum = sum.ok_or("every target has failed")?;
        let piece = Piece {
            name: name.to_owned(),
            key,
            raw_bytes: sum.raw_bytes,
            raw_sha256: sum.raw_sha256,
            stored_bytes: sum.stored_bytes,
            stored_sha256: sum.stored_sha256,
            recipients: sealing.recipients.iter().map(ToString::to_string).collect(),
        };
        Ok((value, piece))
    }

    /// Writes the manifests: from then on it is a backup.
    async fn commit(&self, sinks: &mut [Sink], manifest: Manifest) -> Result<Manifest, String> {
        let key = self.setup.shelf(self.job).manifest(self.id);
        let text = manifest.text();
        for sink in alive(sinks) {
            if let Err(err) = sink.target.put(&key, text.clone()).await {
                self.fail(sink, err.to_string());
            }
        }
        if let Some(nobody) = nobody(sinks) {
            return Err(nobody);
        }
        for sink in alive(sinks) {
            (self.say)(format!("stored  {}: {key}", sink.target.name()));
        }
        Ok(manifest)
    }

    /// Takes away the pieces of this run where it did not come to a manifest.
    async fn clean(&self, sinks: &[Sink], committed: Option<&Manifest>) {
        let shelf = self.setup.shelf(self.job);
        for sink in sinks
            .iter()
            .filter(|sink| sink.failed.is_some() || committed.is_none())
        {
            for ending in [
                "pgdump.zst",
                "pgdump.zst.age",
                "globals.sql.zst",
                "globals.sql.zst.age",
            ] {
                let key = shelf.key(self.id, ending);
                let there = timeout(CLEANING, sink.target.size(&key)).await;
                if matches!(there, Ok(Ok(_))) {
                    // What stays has no manifest, and is swept when it is old.
                    let _ = timeout(CLEANING, sink.target.delete(&key)).await;
                }
            }
        }
    }

    fn late(&self) -> String {
        let limit = settings::format_duration(self.job.timeout);
        format!("it took longer than {limit}")
    }

    fn fail(&self, sink: &mut Sink, reason: String) {
        (self.say)(format!("FAILED  {}: {reason}", sink.target.name()));
        sink.failed = Some(reason);
    }
}

/// A target that does not answer must not hold up the end.
const CLEANING: Duration = Duration::from_secs(20);
