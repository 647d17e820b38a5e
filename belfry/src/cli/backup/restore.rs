//! `belfry restore`: a database, a folder or a volume from a backup, in place of the
//! live one; or files elsewhere.

mod bootstrap;
mod globals;
mod table;
mod tree;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use backup::catalogue::Copy;
use backup::restore::{Manner, Newer};
use backup::{Job, Setup};
use clap::Args;

use super::super::Place;
use super::copies;
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;
use crate::state::Ended;

/// What a restore is called in the history of runs.
const RESTORE: &str = "restore";

#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreCommand {
    /// The job's name, as belfry.yml gives it
    #[arg(required_unless_present = "bootstrap")]
    job: Option<String>,
    /// Restore everything that lies in the targets onto this empty host: folders, then
    /// volumes, then databases. What is there already is left alone
    #[arg(long, conflicts_with_all = ["job", "from", "target", "into", "confirm", "undo"])]
    bootstrap: bool,
    /// With --bootstrap: a command before the databases, such as 'docker compose up -d'
    #[arg(long, value_name = "COMMAND", requires = "bootstrap")]
    start: Option<String>,
    /// With --bootstrap: a belfry.yml that comes back with the folders; its jobs say how
    /// databases are reached, with their passwords
    #[arg(long, value_name = "FILE", requires = "bootstrap")]
    jobs: Option<PathBuf>,
    /// With --bootstrap: the authorities that vouch for the servers of databases, as a PEM
    /// file, where the `ca_file` of a job is not on this host
    #[arg(long, value_name = "FILE", requires = "bootstrap")]
    ca_file: Option<PathBuf>,
    /// With --bootstrap: seconds that a database's server may take to be there
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 600,
        requires = "bootstrap"
    )]
    wait: u64,
    /// `latest`, an id of `belfry backup list`, or a time: the newest that is no younger
    #[arg(long, default_value = "latest")]
    from: String,
    /// The target to fetch from [default: the nearest that has it]
    #[arg(long)]
    target: Option<String>,
    /// The name of the host whose backup it is [default: this one]
    #[arg(long)]
    host: Option<String>,
    /// Only say what would be done and what would be lost
    #[arg(long)]
    plan: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Unpack files into this folder instead, which must be empty or new
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["confirm", "undo"])]
    into: Option<PathBuf>,
    /// Only files that this means, such as `etc/*.conf`, into a folder beside the live
    /// one or that of --into; may be repeated
    #[arg(long = "path", alias = "file", value_name = "GLOB", conflicts_with_all = ["confirm", "undo"])]
    files: Vec<String>,
    /// Only this table, such as `public.orders`, into a new table beside it
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["into", "files", "confirm", "undo"])]
    table: Option<String>,
    /// What the new table is called, such as `public.orders_before`
    #[arg(long = "as", value_name = "TABLE", requires = "table")]
    name: Option<String>,
    /// A container that is stopped while the backup takes its place, and started again:
    /// by name, or by a label such as com.docker.compose.project=shop; may be repeated
    #[arg(long, value_name = "CONTAINER", conflicts_with_all = ["bootstrap", "table", "confirm"])]
    stop: Vec<String>,
    /// Go on although one of the job's questions is answered wrong
    #[arg(long)]
    unchecked: bool,
    /// Go on although there is now what the backup lacks
    #[arg(long)]
    lose_newer: bool,
    /// Where the disk has no room for two databases: close the live one, dump it into
    /// Belfry's own folder, and drop it before the backup is in its place
    #[arg(long, conflicts_with_all = ["bootstrap", "into", "files", "table", "confirm", "undo"])]
    replace: bool,
    /// What was restored is right: remove what was there before
    #[arg(long, conflicts_with_all = ["from", "plan", "undo"])]
    confirm: bool,
    /// What was restored is wrong: put back what was there before
    #[arg(long, conflicts_with_all = ["from", "plan"])]
    undo: bool,
}

/// Restores.
pub(in crate::cli) fn run(place: &Place, command: &RestoreCommand) -> Result<Exit, Exit> {
    let config = super::load(place)?;
    let mut setup = super::setup(&config);
    if let Some(host) = &command.host {
        setup.host.clone_from(host);
    }
    if let Some(job) = &command.job {
        super::known(&setup, job)?;
    }
    super::wait(async {
        let done = match &command.job {
            Some(job) => perform(&setup, &config, job, command).await,
            None => bootstrap::perform(setup, (place, &config), command).await,
        };
        done.unwrap_or_else(|err| super::unable(&err))
    })
}

async fn perform(
    setup: &Setup,
    config: &Config,
    job: &str,
    command: &RestoreCommand,
) -> Result<Exit, String> {
    let mut job = setup.config.job(job).ok_or("no such job")?.clone();
    job.restore.stop.extend(command.stop.iter().cloned());
    if command.unchecked {
        job.checks.clear();
    }
    let job = &job;
    if command.confirm {
        let work = Box::pin(backup::restore::confirm(setup, job));
        for name in noted(config, (job, "confirm"), None, work).await? {
            out::line(format_args!("removed {name}"));
        }
        return Ok(exit::OK);
    }
    if command.undo {
        let work = Box::pin(backup::restore::undo(setup, job));
        let restored = match noted(config, (job, "undo"), None, work).await? {
            Some(name) => format!("the restored one is {name}"),
            None => "the restored one is gone".to_owned(),
        };
        out::line(format_args!(
            "back    {} is what it was before; {restored}",
            named(job)
        ));
        return Ok(exit::OK);
    }
    if let Some(done) = backup::restore::recover(setup, job).await? {
        out::line(format_args!("back    {done}"));
    }
    let found = copies::find(setup, job).await?;
    let from = copies::from(&command.from, config)?;
    let (target, copy) = found.pick(&from, command.target.as_deref(), false)?;
    let manifest = &copy.manifest;
    let at = jiff::Timestamp::from_millisecond(manifest.started_ms).unwrap_or_default();
    let at = at.to_zoned_datetime(config.zone());
    out::line(format_args!(
        "backup  {} of {}, from {}",
        manifest.id,
        at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        target.name()
    ));
    if let Some(table) = &command.table {
        let wanted = (command, &**table);
        return Box::pin(table::perform((setup, config), job, (target, copy), wanted)).await;
    }
    if command.replace && manifest.postgres.is_none() {
        return Err("only a database can be replaced".to_owned());
    }
    if manifest.files.is_some() {
        return Box::pin(tree::perform((setup, config), job, (target, copy), command)).await;
    }
    if command.into.is_some() || !command.files.is_empty() {
        return Err("only files can be unpacked into a folder".to_owned());
    }
    if manifest.kind == "globals" {
        return Box::pin(globals::perform(
            (setup, config),
            job,
            (target, copy),
            command,
        ))
        .await;
    }
    let facts = manifest
        .postgres
        .as_ref()
        .ok_or("it is no backup of a database")?;
    let (rows, size) = (
        manifest.rows().unwrap_or(0),
        dashboards::amount::bytes(manifest.raw_bytes()),
    );
    out::line(format_args!(
        "        {} tables, {rows} rows, {size} unpacked",
        facts.tables.len()
    ));
    for line in backup::restore::schema(setup, job, facts).await {
        out::line(format_args!("schema  {line}"));
    }
    let newer = Newer::of_database(setup, job, facts).await?;
    for line in &newer.told {
        out::line(format_args!("lost    {line}"));
    }
    let room = backup::restore::room(setup, job, manifest).await;
    let full = room.is_some_and(|room| !room.is_enough());
    if let Some(room) = room.filter(|_| full || command.replace) {
        let size = dashboards::amount::bytes;
        out::line(format_args!(
            "room    {} free on the server's disk, {} needed for a second database",
            size(room.free),
            size(room.needed)
        ));
    }
    if full && !command.replace {
        out::line("        --replace drops the live one before the backup is in its place");
    }
    if command.plan {
        let names = backup::restore::Names::new(&job.database, &manifest.id);
        tell(&steps(job, &names, command.replace));
        let fine = newer.told.is_empty() && (!full || command.replace);
        return Ok(if fine { exit::OK } else { exit::WARNING });
    }
    if !newer.told.is_empty() && !command.lose_newer {
        return Err(
            "there are rows now that the backup lacks or has otherwise; --lose-newer goes on all the same"
                .to_owned(),
        );
    }
    let say = |line| out::line(line);
    if command.replace {
        out::line(format_args!(
            "DROPS   {} as it is now, if it is there; until --confirm a dump of it is kept",
            job.database
        ));
    }
    meant(command, "database", &job.database).await?;
    let manner = manner(command, newer);
    let work = backup::restore::in_place(setup, job, (target, copy), &manner, &say);
    let names = noted(config, (job, RESTORE), Some(copy), Box::pin(work)).await?;
    out::line(format_args!(
        "next    look at it; then belfry restore {} --confirm, or --undo",
        job.name
    ));
    tracing::info!(job = job.name, before = names.before, "restored");
    Ok(exit::OK)
}

/// Does it, and notes it in the history of runs: of which copy it was, and how it ended.
async fn noted<T>(
    config: &Config,
    (job, task): (&Job, &str),
    copy: Option<&Copy>,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let told = |done: &Result<T, String>| Ended {
        status: if done.is_ok() { "ok" } else { "failed" },
        backup: copy.map_or_else(String::new, |copy| copy.manifest.id.clone()),
        bytes: copy.map_or(0, |copy| copy.manifest.raw_bytes()),
        error: done.as_ref().err().cloned().unwrap_or_default(),
    };
    super::noted::noted(config, (&job.name, task), work, told).await
}

/// How it is restored: what was told that would be lost is asked again before it is.
fn manner(command: &RestoreCommand, mut newer: Newer) -> Manner {
    newer.lose = command.lose_newer;
    Manner {
        replace: command.replace,
        newer: Some(newer),
        pin: true,
    }
}

/// The steps of a restore of a database.
fn steps(job: &Job, names: &backup::restore::Names, replace: bool) -> Vec<String> {
    let mut steps = vec!["fetch it, open it, read it through".to_owned()];
    let fill = |steps: &mut Vec<String>| {
        steps.push(format!("restore it as {}, compare all rows", names.beside));
        if !job.checks.is_empty() {
            steps.push(format!("ask {} question(s) of the job", job.checks.len()));
        }
    };
    if !replace {
        fill(&mut steps);
    }
    around(job, &mut steps, |steps| {
        if replace {
            steps.push(format!(
                "close {}, dump it as it is now, read that back, and DROP it",
                names.live
            ));
            fill(steps);
        } else {
            steps.push(format!("rename {} to {}", names.live, names.before));
        }
        steps.push(format!("rename {} to {}", names.beside, names.live));
    });
    steps
}

/// The steps around those in which the backup takes its place.
fn around(job: &Job, steps: &mut Vec<String>, moves: impl FnOnce(&mut Vec<String>)) {
    let around = &job.restore;
    let step = |steps: &mut Vec<String>, word: &str, what: &[String]| {
        if !what.is_empty() {
            steps.push(format!("{word} {}", what.join(" ")));
        }
    };
    step(steps, "run", &around.before);
    step(steps, "stop", &around.stop);
    moves(steps);
    step(steps, "run", &around.migrate);
    step(steps, "start", &around.stop);
    step(steps, "wait until all is well:", &around.healthy);
    step(steps, "run", &around.after);
}

fn tell(steps: &[String]) {
    for (at, step) in steps.iter().enumerate() {
        out::line(format_args!("{:<7} {step}", at + 1));
    }
}

/// What a job is of.
fn named(job: &Job) -> String {
    match job.kind() {
        "postgres" => job.database.clone(),
        "volume" => job.volume.clone(),
        "globals" => job.name.clone(),
        _ => job.directory.display().to_string(),
    }
}

/// Asks for a name, unless --yes says that it is meant: a reflex must not be enough.
async fn meant(command: &RestoreCommand, kind: &str, name: &str) -> Result<(), String> {
    if command.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err("nobody can be asked here; --yes says that it is meant".to_owned());
    }
    out::text(format_args!(
        "Type the name of the {kind} to put the backup in its place ({name}): "
    ));
    let _ = std::io::stdout().flush();
    // Elsewhere: a signal must end it while it waits.
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = read.await.map_err(|err| err.to_string())?;
    let line = line.map_err(|err| err.to_string())?;
    if line.trim() != name {
        return Err("nothing was done".to_owned());
    }
    Ok(())
}
