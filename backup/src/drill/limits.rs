//! What a drill may take of a server that others use: so much memory for each sort and
//! index, and so much disk.

use std::time::Duration;

use tokio::time::sleep;

use super::Trouble;
use crate::Job;
use crate::catalogue::Copy;
use crate::manifest::Postgres;
use crate::postgres::{Error, Server, Session, ident, literal};

/// A database may become so much larger than it was, and not more.
const LARGER: u64 = 3;
/// With what every database has, and a cluster of its own with its write-ahead log.
const AT_LEAST: u64 = 1 << 30;

/// How many bytes of disk a drill may take.
pub(super) fn disk(job: &Job, facts: &Postgres, copy: &Copy) -> u64 {
    let size = facts.size.unwrap_or_else(|| copy.manifest.raw_bytes());
    match job.drill_disk.bytes() {
        0 => size.saturating_mul(LARGER).saturating_add(AT_LEAST),
        most => most,
    }
}

/// That it took more.
pub(super) fn outgrown(size: u64, most: u64) -> Trouble {
    Trouble::Around(format!(
        "it has {size} bytes and grows, and may have {most}"
    ))
}

/// Sets them on a scratch database, for all who will work in it: two build an index at
/// once, and a question may sort and hash a few times.
///
/// # Errors
/// When the server refuses.
pub(super) async fn set(
    admin: &mut Session,
    name: &str,
    job: &Job,
    most: u64,
) -> Result<(), Error> {
    let memory = job.drill_memory.bytes() >> 10;
    let kilobytes = |share: u64| (memory / share).clamp(1024, 2 << 20);
    let set = |setting: String| format!("ALTER DATABASE {} SET {setting}", ident(name));
    let all = [
        format!("maintenance_work_mem = '{}kB'", kilobytes(4)),
        format!("work_mem = '{}kB'", kilobytes(32)),
        "max_parallel_workers_per_gather = 0".to_owned(),
    ];
    admin.lines(&all.map(set).join(";\n")).await?;
    // Only a superuser may; others are stopped by the size of the database alone.
    let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
    if admin.line(superuser).await? == "t" {
        let spilled = (most >> 10).min(u64::from(i32::MAX.unsigned_abs()));
        let spilled = set(format!("temp_file_limit = '{spilled}kB'"));
        admin.lines(&spilled).await?;
    }
    Ok(())
}

/// Asks how many bytes a database has.
pub(super) fn size_of(name: &str) -> String {
    format!(
        "SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database WHERE datname = {}",
        literal(name)
    )
}

/// Waits for ever, unless what is asked for comes to be more than so many bytes. It looks once
/// a second: what is written within that second is beyond it.
pub(super) async fn grows_beyond(server: &Server, size: &str, most: u64) -> u64 {
    loop {
        sleep(Duration::from_secs(1)).await;
        let Ok(mut session) = Session::open(server).await else {
            continue;
        };
        while let Ok(found) = session.line(size).await {
            let found = found.parse().unwrap_or(0);
            if found > most {
                return found;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}
