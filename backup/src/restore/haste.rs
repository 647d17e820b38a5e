//! What a database is spared while it is filled and nobody uses it yet.
//!
//! It is set on the database, not in the sessions of `pg_restore`: a pooler may stand
//! before the server that takes no options.

use std::thread::available_parallelism;

use crate::postgres::{Error as PostgresError, Server, Session, ident};
use crate::tool::Place;

/// All that may be set.
const ALL: [(&str, &str); 2] = [
    ("synchronous_commit", "off"),
    ("max_parallel_maintenance_workers", "0"),
];

/// How much `pg_restore` does at once: only of a file can it do more than one thing,
/// and into a container the dump comes as a stream.
pub(super) fn jobs(place: &Place) -> usize {
    match place {
        Place::Host { .. } => 2,
        Place::Container { .. } => 1,
    }
}

/// Sets it on a database that was just made.
///
/// # Errors
/// When the server refuses.
pub(super) async fn begin(
    (server, admin): (&Server, &mut Session),
    name: &str,
) -> Result<(), PostgresError> {
    let cores = available_parallelism().map_or(1, usize::from);
    let set = |(setting, value): &(&str, &str)| {
        format!("ALTER DATABASE {} SET {setting} = {value}", ident(name))
    };
    let settings = settings(jobs(&server.place), cores);
    let all: Vec<_> = settings.iter().map(set).collect();
    admin.lines(&all.join(";\n")).await.map(|_| ())
}

/// Takes it back, and nothing else that is set on the database. What the server had put off is on its disk when this has returned:
/// this change itself is not put off, whatever is usual for our role, and the log of
/// writes has one order.
///
/// # Errors
/// When the server refuses.
pub(super) async fn end(
    (server, admin): (&Server, &mut Session),
    name: &str,
) -> Result<(), PostgresError> {
    let reset = |setting| format!("ALTER DATABASE {} RESET {setting}", ident(name));
    let reset = ALL.map(|(setting, _)| reset(setting)).join("; ");
    let sql = format!("BEGIN; SET LOCAL synchronous_commit = on; {reset}; COMMIT");
    if admin.lines(&sql).await.is_ok() {
        return Ok(());
    }
    // It was idle for as long as all of that took, and may have been cut off for it.
    *admin = Session::open(server).await?;
    admin.lines(&sql).await.map(|_| ())
}

/// An index that several build at once has its memory parted among them, and is sorted
/// on the disk sooner: where the jobs keep all cores busy, that only costs. Whoever asks
/// is most often on the server's own host.
fn settings(jobs: usize, cores: usize) -> &'static [(&'static str, &'static str)] {
    if cores > jobs { &ALL[..1] } else { &ALL }
}

#[cfg(test)]
mod tests {
    use bollard::{API_DEFAULT_VERSION, Docker};

    use super::*;

    #[test]
    fn indexes_are_built_by_several_wherever_the_jobs_leave_a_core_idle() {
        let host = Place::Host { bin: None };
        // Nothing is asked of it.
        let engine = Docker::connect_with_http("http://127.0.0.1:9", 1, API_DEFAULT_VERSION);
        let engine = engine.unwrap();
        let name = "db".to_owned();
        let container = Place::Container { engine, name };
        for (place, cores, idle) in [
            (&host, 1, false),
            (&host, 2, false),
            (&host, 3, true),
            (&container, 1, false),
            (&container, 2, true),
        ] {
            let alone = ("max_parallel_maintenance_workers", "0");
            let set = settings(jobs(place), cores);
            assert_eq!(!set.contains(&alone), idle, "{place:?} {cores}");
            assert_eq!(set[0], ("synchronous_commit", "off"));
        }
    }
}
