//! The page: what is known of backups, as samples.

use std::io;

use exposition::{Kind, Writer};

use crate::known::{Had, Known};
use crate::{Copies, Coverage, Served, Volume, Watch};

type Read = Result<Copies, io::Error>;

/// Writes the page from what was read; a folder that could not be read has
/// samples that say so, and none that look like a backup.
#[must_use]
pub fn page(
    watched: &[(&Watch, Read)],
    jobs: &[Known],
    left: &[(String, String)],
    volumes: &[(Volume, Coverage)],
    databases: &[(Served, Coverage)],
    attested_ms: Option<i64>,
) -> String {
    let mut page = Writer::new();
    let each = |page: &mut Writer,
                name: &str,
                help: &str,
                value: &dyn Fn(&Watch, &Read) -> Option<f64>,
                of_job: &dyn Fn(&Known) -> Option<f64>| {
        if !watched.is_empty() || !jobs.is_empty() {
            page.family(name, help, Kind::Gauge);
        }
        for (watch, read) in watched {
            if let Some(value) = value(watch, read) {
                page.sample(&[("job_name", &watch.name)], value);
            }
        }
        for known in jobs {
            if let Some(value) = of_job(known) {
                page.sample(&[("job_name", &known.job)], value);
            }
        }
    };
    each(
        &mut page,
        "belfry_backup_folder_readable",
        "Whether the folder of copies could be read.",
        &|_, read| Some(f64::from(u8::from(read.is_ok()))),
        &|_| None,
    );
    each(
        &mut page,
        "belfry_backup_max_age_seconds",
        "How old the newest copy may become, from the configuration.",
        &|watch, _| Some(watch.max_age.as_secs_f64()),
        &|known| Some(known.max_age.as_secs_f64()),
    );
    each(
        &mut page,
        "belfry_backup_last_success_timestamp_seconds",
        "Time of the newest copy that is large enough; 0 when there is none.",
        &|_, read| {
            read.as_ref().ok().map(|copies| {
                copies
                    .newest
                    .map_or(0.0, |(time_ms, _)| number(time_ms) / 1e3)
            })
        },
        // Where no target was ever listed, nobody knows.
        &|known| {
            known.had().next()?;
            Some(
                known
                    .newest()
                    .map_or(0.0, |(time_ms, _)| number(time_ms) / 1e3),
            )
        },
    );
    each(
        &mut page,
        "belfry_backup_known_since_timestamp_seconds",
        "Time of the job's first run that is known, or of its oldest good copy where that is older.",
        &|_, _| None,
        &|known| known.since_ms().map(|at_ms| number(at_ms) / 1e3),
    );
    each(
        &mut page,
        "belfry_backup_size_bytes",
        "Size of the newest copy.",
        &|_, read| read.as_ref().ok()?.newest.map(|(_, bytes)| count(bytes)),
        &|known| known.newest().map(|(_, bytes)| count(bytes)),
    );
    each(
        &mut page,
        "belfry_backup_copies",
        "How many copies there are.",
        &|_, read| read.as_ref().ok().map(|copies| count(copies.count)),
        &|known| known.had().map(|had| count(had.copies)).reduce(f64::max),
    );
    each(
        &mut page,
        "belfry_backup_copies_bytes",
        "Size of all copies.",
        &|_, read| read.as_ref().ok().map(|copies| count(copies.bytes)),
        &|known| known.had().map(|had| count(had.bytes)).reduce(f64::max),
    );
    each(
        &mut page,
        "belfry_backup_copies_unsound",
        "Copies that could not be opened or restored when that was tried.",
        &|_, _| None,
        &|known| {
            known
                .had()
                .map(|had| count(had.unsound))
                .reduce(|one, other| one + other)
        },
    );
    each(
        &mut page,
        "belfry_backup_copies_too_small",
        "Files that are too small to be a copy.",
        &|_, read| read.as_ref().ok().map(|copies| count(copies.too_small)),
        &|_| None,
    );
    of_jobs(&mut page, jobs);
    stopped(&mut page, left);
    if !volumes.is_empty() {
        page.family(
            "belfry_backup_volume_coverage",
            "What is known of a volume's backup: backed_up, excluded or unknown.",
            Kind::Gauge,
        );
    }
    for (volume, coverage) in volumes {
        let labels = [
            ("volume", volume.name.as_str()),
            ("project", volume.project.as_str()),
            ("coverage", coverage.as_str()),
        ];
        page.sample(&labels, 1.0);
    }
    if !databases.is_empty() {
        page.family(
            "belfry_backup_database_coverage",
            "What is known of the backup of a database of a server that is watched: backed_up, excluded or unknown.",
            Kind::Gauge,
        );
    }
    for (database, coverage) in databases {
        let labels = [
            ("postgres", database.server.as_str()),
            ("datname", database.name.as_str()),
            ("coverage", coverage.as_str()),
        ];
        page.sample(&labels, 1.0);
    }
    if let Some(attested_ms) = attested_ms.filter(|_| !jobs.is_empty()) {
        page.family(
            "belfry_backup_key_attested_timestamp_seconds",
            "When a key that is kept elsewhere was last shown to open what is encrypted; 0 when none was.",
            Kind::Gauge,
        );
        page.sample(&[], number(attested_ms) / 1e3);
    }
    page.finish()
}

/// Containers that runs have stopped which are over.
fn stopped(page: &mut Writer, left: &[(String, String)]) {
    let mut left = left.iter().filter(|(_, container)| !container.is_empty());
    let Some(first) = left.next() else { return };
    page.family(
        "belfry_backup_container_stopped",
        "A container that a run has stopped or paused, and that does not run again yet.",
        Kind::Gauge,
    );
    for (job, container) in std::iter::once(first).chain(left) {
        page.sample(&[("job_name", job), ("stopped", container)], 1.0);
    }
}

/// What only our own jobs have.
fn of_jobs(page: &mut Writer, jobs: &[Known]) {
    if jobs.is_empty() {
        return;
    }
    let time = |at_ms: Option<i64>| at_ms.map_or(0.0, |at_ms| number(at_ms) / 1e3);
    page.family(
        "belfry_backup_target_readable",
        "Whether the target could be listed.",
        Kind::Gauge,
    );
    for known in jobs {
        for target in &known.targets {
            let labels = [("job_name", known.job.as_str()), ("target", &target.name)];
            page.sample(&labels, f64::from(u8::from(target.readable)));
        }
    }
    let mut each = |name: &str, help: &str, value: &dyn Fn(&Known, &Had) -> Option<f64>| {
        page.family(name, help, Kind::Gauge);
        for known in jobs {
            for target in &known.targets {
                if let Some(had) = &target.had
                    && let Some(value) = value(known, had)
                {
                    let labels = [("job_name", known.job.as_str()), ("target", &target.name)];
                    page.sample(&labels, value);
                }
            }
        }
    };
    each(
        "belfry_backup_target_last_success_timestamp_seconds",
        "Time of the newest good copy in the target; 0 when there is none.",
        &|_, had| Some(time(had.newest.map(|(at_ms, _)| at_ms))),
    );
    each(
        "belfry_backup_target_copies",
        "Good copies in the target.",
        &|_, had| Some(count(had.copies)),
    );
    each(
        "belfry_backup_target_bytes",
        "Size of all copies in the target.",
        &|_, had| Some(count(had.bytes)),
    );
    each(
        "belfry_backup_last_verified_timestamp_seconds",
        "When a copy was last read to its end, and no later than it was young enough to be the newest; 0 when none was.",
        &|_, had| Some(time(had.verified_ms)),
    );
    each(
        "belfry_backup_last_drilled_timestamp_seconds",
        "When a copy was last restored and compared, and no later than it was young enough to be the newest; 0 when none was.",
        &|known, had| (!known.no_drill).then(|| time(had.drilled_ms)),
    );
    for (name, help, value) in [
        (
            "belfry_backup_next_run_timestamp_seconds",
            "When the task is due next.",
            Run::Next,
        ),
        (
            "belfry_backup_last_run_success",
            "Whether the last run of the task was good.",
            Run::Good,
        ),
        (
            "belfry_backup_last_run_duration_seconds",
            "How long the last run of the task took.",
            Run::Took,
        ),
        (
            "belfry_backup_last_run_incomplete",
            "Whether the last run of the task has made a backup, and something about it is wrong all the same.",
            Run::Partly,
        ),
    ] {
        page.family(name, help, Kind::Gauge);
        for known in jobs {
            for run in &known.runs {
                let value = match value {
                    Run::Next => run.next_ms.map(|next_ms| number(next_ms) / 1e3),
                    Run::Good => run.last.map(|(good, _)| f64::from(u8::from(good))),
                    Run::Took => run.last.map(|(_, seconds)| seconds),
                    Run::Partly => run.last.map(|_| f64::from(u8::from(run.partly))),
                };
                if let Some(value) = value {
                    page.sample(&[("job_name", &known.job), ("task", &run.task)], value);
                }
            }
        }
    }
}

/// What is told of a task's runs.
#[derive(Clone, Copy)]
enum Run {
    Next,
    Good,
    Took,
    Partly,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes and counts far below 2^53"
)]
fn count(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
fn number(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
