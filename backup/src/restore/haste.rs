//! What a database is spared while it is filled and nobody uses it yet.
//!
//! It is set on the database, not in the sessions of `pg_restore`: a pooler may stand
//! before the server that takes no options.

use std::thread::available_parallelism;

use crate::postgres::{Error as PostgresError, Server, Session, ident};

/// How much `pg_restore` does at once, where it can.
pub(super) const JOBS: usize = 2;

/// Sets it on a database that was just made.
///
/// # Errors
/// When the server refuses.
pub(super) async fn begin(server: &Server, name: &str) -> Result<(), PostgresError> {
    let cores = available_parallelism().map_or(1, usize::from);
    let set = |setting| format!("ALTER DATABASE {} SET {setting}", ident(name));
    let all: Vec<_> = settings(cores).iter().map(set).collect();
    told(server, &all.join(";\n")).await
}

/// Takes it back. What the server had put off is on its disk when this has returned:
/// this change itself is not put off, and the log of writes has one order.
///
/// # Errors
/// When the server refuses.
pub(super) async fn end(server: &Server, name: &str) -> Result<(), PostgresError> {
    told(server, &format!("ALTER DATABASE {} RESET ALL", ident(name))).await
}

async fn told(server: &Server, sql: &str) -> Result<(), PostgresError> {
    let mut session = Session::open(server).await?;
    session.lines(sql).await?;
    session.close().await
}

/// An index that several build at once has its memory parted among them, and is sorted
/// on the disk sooner: where the jobs keep all cores busy, that only costs. Whoever asks
/// is most often on the server's own host.
fn settings(cores: usize) -> &'static [&'static str] {
    let all = &[
        "synchronous_commit = off",
        "max_parallel_maintenance_workers = 0",
    ];
    if cores > JOBS { &all[..1] } else { all }
}
