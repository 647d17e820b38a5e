//! Drills: a backup is restored into a scratch database on the same server, or on one
//! in a container of its own, its rows are compared with the manifest, the user's own
//! questions are asked, and all of that is taken away. What passes is proven to restore.
//!
//! A drill can drop nothing but databases named `belfry_drill_...`, and remove nothing
//! but containers that it has marked as its own.

mod apart;
mod container;
mod limits;
mod scratch;
mod told;
mod tree;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};

use crate::catalogue::Copy;
use crate::manifest::{Manifest, Postgres};
use crate::postgres::{Server, Session};
pub use crate::restore::asked::Check;
use crate::restore::asked::ask;
use crate::restore::beside::{self, Purpose};
use crate::restore::fetched::{Fetched, fetched};
use crate::restore::{Room, Schema};
use crate::run::{Lock, Say, Taken};
use crate::target::Target;
use crate::{Job, Setup, tool};
pub use container::sweep;
pub(crate) use scratch::Scratch;

/// What a drill found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The job.
    pub job: String,
    /// The backup.
    pub backup: String,
    /// The target it was fetched from.
    pub target: String,
    /// Where it was restored to.
    pub within: &'static str,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// How long it took: what a restore would take at least.
    pub seconds: f64,
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// Rows that were compared.
    pub rows: Option<u64>,
    /// The revisions of the schema, in words.
    pub schema: Vec<String>,
    /// Files that were compared, hash by hash.
    pub files: Option<u64>,
    /// The user's questions and those of git and SQLite, and how each was answered.
    pub checks: Vec<Check>,
    /// Whether all of it was right.
    pub passed: bool,
    /// Why not.
    pub error: Option<String>,
    /// Whether the backup is at fault, and not what was around it.
    pub unsound: bool,
}

/// Why a drill failed: the backup's fault, or another.
enum Trouble {
    Unsound(String),
    Around(String),
}

/// Drills with a copy, marks it, and keeps the report.
///
/// # Errors
/// Only when another run of the job goes on, or its lock cannot be had; everything else is
/// in the report.
pub async fn drill(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    now_ms: i64,
    say: Say<'_>,
) -> Result<Report, Taken> {
    let _lock = Lock::take(&setup.work, &job.name)?;
    let began = Instant::now();
    let mut report = Report {
        job: job.name.clone(),
        backup: copy.manifest.id.clone(),
        target: target.name().to_owned(),
        within: "a scratch database",
        started_ms: now_ms,
        seconds: 0.0,
        raw_bytes: copy.manifest.raw_bytes(),
        rows: copy.manifest.rows(),
        schema: schema(&copy.manifest),
        files: None,
        checks: Vec::new(),
        passed: false,
        error: None,
        unsound: false,
    };
    let done = if copy.manifest.files.is_some() {
        report.within = "a scratch folder";
        Box::pin(tree::scratch(setup, job, target, copy, &mut report, say)).await
    } else if job.drill_container {
        report.within = "a container of its own";
        Box::pin(apart::drill(setup, job, (target, copy), &mut report, say)).await
    } else {
        Box::pin(database(setup, job, target, copy, &mut report, say)).await
    };
    match done {
        Ok(()) => match report.checks.iter().find(|check| !check.passed) {
            None => report.passed = true,
            Some(check) => report.error = Some(format!("{} is {}", check.sql, check.answer)),
        },
        Err(Trouble::Unsound(err)) => {
            report.unsound = true;
            report.error = Some(err);
        }
        Err(Trouble::Around(err)) => report.error = Some(err),
    }
    report.seconds = began.elapsed().as_secs_f64();
    told::told(&mut report, target, copy, say).await;
    match keep(setup, &report) {
        Ok(file) => say(format!("report  {}", file.display())),
        Err(err) => say(format!("warn    the report cannot be kept: {err}")),
    }
    Ok(report)
}

fn schema(manifest: &Manifest) -> Vec<String> {
    let postgres = manifest.postgres.iter();
    let revisions = postgres.flat_map(|postgres| &postgres.revisions);
    revisions.map(ToString::to_string).collect()
}

async fn database(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    report: &mut Report,
    say: Say<'_>,
) -> Result<(), Trouble> {
    let deadline = Instant::now() + job.timeout;
    let facts = facts(copy)?;
    let scratch = Scratch::new(&setup.mark(), job, &copy.manifest.id);
    let ready = ready(setup, job, (target, copy), (facts, &scratch), say);
    let ready = timeout_at(deadline, ready).await.map_err(|_| late(job))?;
    let (server, mut admin, dump) = ready?;
    let name = &scratch.name;
    let most = limits::disk(job, facts, copy);
    let size = limits::size_of(name);
    let outgrown = limits::grows_beyond(&server, &size, most);
    let filled = async {
        beside::create(&mut admin, facts, name)
            .await
            .map_err(around)?;
        limits::set(&mut admin, name, job, most)
            .await
            .map_err(around)?;
        let schema = beside::fill(
            (&server, &mut admin),
            &dump,
            facts,
            name,
            Purpose::Proof { elsewhere: false },
            say,
        )
        .await;
        report.compared(schema.map_err(|err| sort(copy, err))?)?;
        report.checks = ask(&server, name, job).await.map_err(around)?;
        Ok(())
    };
    let filled = async {
        tokio::select! {
            filled = Box::pin(filled) => filled,
            size = outgrown => Err(limits::outgrown(size, most)),
        }
    };
    let filled = timeout_at(deadline, filled).await;
    let filled = filled.unwrap_or_else(|_| Err(late(job)));
    // Whatever came of it; what stays is swept by the next drill. A session that was
    // left within an answer is not asked anew.
    let dropped = timeout(DROPPING, async {
        let mut admin = Session::open(&server).await?;
        scratch.drop(&mut admin).await
    });
    let dropped = match dropped.await {
        Ok(dropped) => dropped.map_err(around),
        Err(_) => Err(Trouble::Around(format!("the server does not drop {name}"))),
    };
    filled.and(dropped)
}

/// How long dropping may take: the time for the drill may be over by then.
const DROPPING: Duration = Duration::from_secs(60);

/// What a copy tells of its database.
fn facts(copy: &Copy) -> Result<&Postgres, Trouble> {
    let facts = copy.manifest.postgres.as_ref();
    facts.ok_or_else(|| Trouble::Around("it is no backup of a database or of files".into()))
}

/// No more time is given to a drill.
fn late(job: &Job) -> Trouble {
    let limit = settings::format_duration(job.timeout);
    Trouble::Around(format!("it took longer than {limit}"))
}

fn around(err: crate::postgres::Error) -> Trouble {
    Trouble::Around(err.to_string())
}

/// What comes before anything is made: the server, and the dump at hand.
async fn ready(
    setup: &Setup,
    job: &Job,
    (target, copy): (&Target, &Copy),
    (facts, scratch): (&Postgres, &Scratch),
    say: Say<'_>,
) -> Result<(Server, Session, Fetched), Trouble> {
    let identities = setup.identities().map_err(Trouble::Around)?;
    let admin = setup.admin(job).map_err(Trouble::Around)?;
    let (server, version) = admin.prepared().await.map_err(around)?;
    let mut admin = Session::open(&server).await.map_err(around)?;
    scratch.sweep(setup, &mut admin).await.map_err(around)?;
    beside::preflight(&mut admin, facts, version)
        .await
        .map_err(Trouble::Around)?;
    if let Some(room) = Room::of(&server, &copy.manifest).await
        && !room.is_enough()
    {
        return Err(Trouble::Around(format!(
            "{} bytes are free where the server keeps its data, and a scratch database needs {}",
            room.free, room.needed
        )));
    }
    let folder = setup.scratch(job).map_err(Trouble::Around)?;
    let dump = fetched(target, copy, &identities, &folder, say).await;
    let dump = dump.map_err(|err| sort(copy, err))?;
    say(format!(
        "fetch   {} from {}: whole",
        copy.manifest.id,
        target.name()
    ));
    Ok((server, admin, dump))
}

/// Only a backup that is damaged, or that pg_restore refuses, is at fault; a target
/// that is down is not, nor a server without room or a program that was killed.
fn sort(copy: &Copy, err: String) -> Trouble {
    let unsound = [
        "is damaged",
        "is not whole",
        "it ends within",
        "is missing",
        " and the backup has ",
        "pg_restore ended with code",
    ]
    .iter()
    .any(|word| err.contains(word));
    if unsound && !tool::is_of_surroundings(&err) || copy.broken.is_some() {
        Trouble::Unsound(err)
    } else {
        Trouble::Around(err)
    }
}

impl Report {
    /// Takes in what was found of the schema's revisions.
    fn compared(&mut self, schema: Schema) -> Result<(), Trouble> {
        match schema {
            Schema::Same => Ok(()),
            Schema::Other(other) => Err(Trouble::Unsound(other)),
            Schema::Unasked => {
                self.schema.clear();
                Ok(())
            }
        }
    }

    /// The report as people read it.
    #[must_use]
    pub fn markdown(&self) -> String {
        let at = jiff::Timestamp::from_millisecond(self.started_ms).unwrap_or_default();
        let mut text = format!(
            "# Drill of {}: {}\n\n",
            self.job,
            if self.passed { "passed" } else { "FAILED" }
        );
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "- {name}: {value}");
        };
        row("when", &at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
        row("backup", &self.backup);
        row("fetched from", &self.target);
        row("restored into", self.within);
        row("took", &format!("{:.1} s", self.seconds));
        row("unpacked", &format!("{} bytes", self.raw_bytes));
        let compared = self.error.is_none() || !self.checks.is_empty();
        if let Some(rows) = self.rows.filter(|_| compared) {
            row(
                "rows",
                &format!("{rows}, the same in every table as when it was dumped"),
            );
        }
        for revision in self.schema.iter().filter(|_| compared) {
            row("schema", &format!("{revision}, as when it was dumped"));
        }
        if let Some(files) = self.files {
            row(
                "files",
                &format!("{files}, each with the hash that it was packed with"),
            );
        }
        for check in &self.checks {
            row(
                if check.passed { "right" } else { "WRONG" },
                &format!("`{}` is `{}`", check.sql, check.answer),
            );
        }
        if let Some(error) = &self.error {
            row("failed", error);
        }
        text
    }
}

fn keep(setup: &Setup, report: &Report) -> std::io::Result<PathBuf> {
    let folder = setup.work.join("drills");
    std::fs::create_dir_all(&folder)?;
    let at = jiff::Timestamp::from_millisecond(report.started_ms).unwrap_or_default();
    let name = format!("{}-{}", report.job, at.strftime("%Y%m%dT%H%M%SZ"));
    std::fs::write(
        folder.join(format!("{name}.json")),
        serde_json::to_vec_pretty(report)?,
    )?;
    let file = folder.join(format!("{name}.md"));
    std::fs::write(&file, report.markdown())?;
    Ok(file)
}
