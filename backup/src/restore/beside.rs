//! Restoring beside: into a database of another name, made alike, compared row by
//! row count with what the dump's own snapshot counted. The live one is not touched.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncReadExt;

use super::haste;
use super::progress::{self, Counting};
use super::schema::{self, Schema};
use crate::age::Identity;
use crate::apart;
use crate::archive;
use crate::catalogue::Copy;
use crate::fetch::fetch;
use crate::manifest::{Postgres, Table};
use crate::postgres::{
    Checker, Contents, Error as PostgresError, Server, Session, ident, literal, rows,
};
use crate::run::Say;
use crate::target::Target;
use crate::tool::Place;

/// A dump that was fetched and found whole, in a file that goes with this value.
#[derive(Debug)]
pub struct Fetched {
    file: tempfile::NamedTempFile,
    /// Whether it is put back where it was, and not somewhere else.
    whole: bool,
}

impl Fetched {
    /// The same, restored with what tells other servers of it: nothing else does now.
    pub(super) fn whole(self) -> Self {
        Self {
            whole: true,
            ..self
        }
    }
}

/// Fetches the dump of a copy into a folder of ours, and reads it through.
///
/// # Errors
/// When it is not to be had, or not whole; there is one line that says why.
pub async fn fetched(
    target: &Target,
    copy: &Copy,
    identities: &[Identity],
    folder: &Path,
    say: Say<'_>,
) -> Result<Fetched, String> {
    let piece = copy
        .manifest
        .pieces
        .iter()
        .find(|piece| piece.name == "dump");
    let piece = piece.ok_or("the backup has no dump")?;
    std::fs::create_dir_all(folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    archive::room(folder, piece.raw_bytes).map_err(|err| err.to_string())?;
    // Its mode is 0600, and it has no name that outlives us for long.
    let file = tempfile::Builder::new()
        .prefix("restore-")
        .tempfile_in(folder);
    let file = file.map_err(|err| format!("{}: {err}", folder.display()))?;
    let out = file.reopen().map_err(|err| err.to_string())?;
    let count = Arc::new(AtomicU64::new(0));
    let found = Arc::new(Mutex::new(Ok(Checker::default())));
    let through = Through {
        out: Counting::new(out, &count),
        found: Arc::clone(&found),
    };
    let fetching = fetch(target, piece, identities, through);
    let done = async || Some(count.load(Ordering::Relaxed));
    progress::told("fetch", piece.raw_bytes, done, say, fetching)
        .await
        .map_err(|err| err.to_string())?;
    let checker = {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *found, Ok(Checker::default()))?
    };
    let placed = file.reopen().map_err(|err| err.to_string())?;
    let placing = apart::thread(move || placed_in(&placed, &checker.end()?));
    let placing = placing.map_err(|err| err.to_string())?;
    placing.await.map_err(|_| "it cannot be read through")??;
    Ok(Fetched { file, whole: false })
}

/// Writes into a dump where the data of each entry begins, as pg_dump does where it can go
/// back: pg_restore goes there at once, and begins with what is largest.
fn placed_in(file: &File, contents: &Contents) -> Result<(), String> {
    for offset in &contents.offsets {
        let written = file.write_all_at(&offset.bytes(), offset.field);
        written.map_err(|err| format!("cannot keep what is fetched: {err}"))?;
    }
    Ok(())
}

/// Reads a dump through while it is written.
struct Through<W> {
    out: W,
    found: Arc<Mutex<Result<Checker, String>>>,
}

impl<W: Write> Write for Through<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(checker) = &mut *found
            && let Err(why) = checker.read(&bytes[..written])
        {
            *found = Err(why);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What stands in the way, found out before anything is touched.
///
/// # Errors
/// When something does.
pub async fn preflight(admin: &mut Session, facts: &Postgres, version: u32) -> Result<(), String> {
    if version / 10_000 < facts.server_version / 10_000 {
        return Err(format!(
            "the backup is of PostgreSQL {}, and this server is {}, which cannot read it",
            facts.server_version / 10_000,
            version / 10_000
        ));
    }
    let told = |err: PostgresError| err.to_string();
    let available = admin
        .lines("SELECT name FROM pg_available_extensions")
        .await
        .map_err(told)?;
    let missing: Vec<_> = facts
        .extensions
        .iter()
        .filter(|extension| !available.contains(&extension.name))
        .map(|extension| extension.name.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "the server lacks the extension(s) {}",
            missing.join(", ")
        ));
    }
    let roles = admin
        .lines("SELECT rolname FROM pg_roles")
        .await
        .map_err(told)?;
    let owner = &facts.properties.owner;
    if !roles.contains(owner) {
        return Err(format!(
            "the server has no role {owner:?}, who owns the database; the backup's globals have it"
        ));
    }
    Ok(())
}

/// Makes a database like the one that was dumped, under another name.
///
/// # Errors
/// When the server refuses.
pub async fn create(
    admin: &mut Session,
    facts: &Postgres,
    name: &str,
) -> Result<(), PostgresError> {
    let properties = &facts.properties;
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        ident(name),
        ident(&properties.owner),
        literal(&properties.encoding),
        literal(&properties.collate),
        literal(&properties.ctype)
    );
    match properties.provider.as_str() {
        "i" => sql.push_str(&format!(
            " LOCALE_PROVIDER icu ICU_LOCALE {}",
            literal(&properties.locale)
        )),
        "b" => sql.push_str(&format!(
            " LOCALE_PROVIDER builtin BUILTIN_LOCALE {}",
            literal(&properties.locale)
        )),
        _ => {}
    }
    admin.lines(&sql).await.map(|_| ())
}

/// Restores a dump into a database, with what `only` says, and compares. Another revision
/// of the schema is told, and is for the caller to judge.
///
/// # Errors
/// When the dump does not go in, or what came out is something else.
pub async fn fill(
    server: &Server,
    dump: &Fetched,
    facts: &Postgres,
    name: &str,
    only: &[&str],
    say: Say<'_>,
) -> Result<Schema, String> {
    let into = Server {
        database: name.to_owned(),
        ..server.clone()
    };
    // Somebody else's question must not be what the restore fails of.
    let mut asking = Session::open(server).await.ok();
    let sql = format!("SELECT pg_database_size({})", literal(name));
    let size = async || asking.as_mut()?.line(&sql).await.ok()?.parse().ok();
    let told = |err: PostgresError| err.to_string();
    haste::begin(server, name).await.map_err(told)?;
    let filling = restore(&into, dump, only);
    progress::told("restore", facts.size.unwrap_or(0), size, say, filling)
        .await
        .map_err(|err| err.to_string())?;
    haste::end(server, name).await.map_err(told)?;
    say(format!("restore all of it is in {name}"));
    let counting = async {
        let mut session = Session::open(&into).await.map_err(told)?;
        let found = rows(&mut session).await.map_err(told)?;
        compare(&facts.tables, &found)?;
        // Where none was noted nothing is asked: an earlier version noted none. All rows
        // are there by now: what their tools note of them costs no restore.
        let noted = match facts.revisions.is_empty() {
            true => Ok(Vec::new()),
            false => schema::noted(&mut session).await,
        };
        let schema = match noted {
            Ok(noted) => {
                session.close().await.map_err(told)?;
                schema::compared(&facts.revisions, &noted)
            }
            Err(err) => {
                say(format!(
                    "warn    the schema's revision cannot be read: {err}"
                ));
                Schema::Unasked
            }
        };
        Ok::<_, String>((found, schema))
    };
    // Enough for plans that are not absurd; all of it is read when somebody can use it.
    // Statistics that a crash loses are made again.
    let glance = "SET synchronous_commit = off; SET default_statistics_target = 10; ANALYZE";
    let glancing = analyze(&into, glance);
    let (found, glanced) = tokio::join!(counting, glancing);
    let (found, schema) = found?;
    let counted: u64 = found.iter().map(|table| table.rows).sum();
    say(format!(
        "compare {} tables, {counted} rows, as in the backup",
        found.len()
    ));
    match &schema {
        Schema::Same => {
            for revision in &facts.revisions {
                say(format!("schema  {revision}, as in the backup"));
            }
        }
        Schema::Other(other) => say(format!("warn    {other}")),
        Schema::Unasked => {}
    }
    glanced.map_err(told)?;
    Ok(schema)
}

/// Statistics of all that was restored: takes as long as counting all rows, while the
/// database can be used.
///
/// # Errors
/// When the server refuses.
pub(super) async fn planned(server: &Server, name: &str) -> Result<(), PostgresError> {
    let of = Server {
        database: name.to_owned(),
        ..server.clone()
    };
    analyze(&of, "ANALYZE").await
}

async fn analyze(server: &Server, sql: &str) -> Result<(), PostgresError> {
    let mut session = Session::open(server).await?;
    session.lines(sql).await?;
    session.close().await
}

/// Restores what `only` says of a dump, all of it without that.
pub(super) async fn restore(
    into: &Server,
    dump: &Fetched,
    only: &[&str],
) -> Result<(), crate::tool::Error> {
    let database = format!("--dbname={}", conninfo(&into.database));
    let common = [
        "--exit-on-error",
        "--no-password",
        "--no-subscriptions",
        &database,
    ];
    let elsewhere: &[_] = if dump.whole {
        &[]
    } else {
        &["--no-publications"]
    };
    let common = [&common[..], elsewhere, only].concat();
    match &into.place {
        Place::Host { .. } => {
            let path = dump.file.path().display().to_string();
            let jobs = format!("--jobs={}", haste::jobs(&into.place));
            let arguments = [&common[..], &[&jobs, &path]].concat();
            into.start("pg_restore", &arguments).await?.finish().await
        }
        Place::Container { .. } => {
            let mut call = into.call("pg_restore", &common);
            call.input = true;
            let mut running = into.place.start(call).await?;
            let broken = |err: io::Error| crate::tool::Error::Broken {
                program: "pg_restore".into(),
                reason: err.to_string(),
            };
            let mut file = tokio::fs::File::open(dump.file.path())
                .await
                .map_err(broken)?;
            let mut bytes = vec![0; 256 << 10];
            loop {
                match file.read(&mut bytes).await.map_err(broken)? {
                    0 => break,
                    read => running.write(&bytes[..read]).await?,
                }
            }
            running.finish().await
        }
    }
}

/// A database's name as a connection string, which a name alone could be too.
fn conninfo(database: &str) -> String {
    format!(
        "dbname='{}'",
        database.replace('\\', "\\\\").replace('\'', "\\'")
    )
}

/// Whether what was restored has the rows that were dumped.
fn compare(wanted: &[Table], found: &[Table]) -> Result<(), String> {
    for table in wanted {
        let same = |other: &&Table| other.schema == table.schema && other.name == table.name;
        let rows = found.iter().find(same).map(|found| found.rows);
        if rows != Some(table.rows) {
            let found = rows.map_or_else(
                || "is missing".to_owned(),
                |rows| format!("has {rows} rows"),
            );
            return Err(format!(
                "{}.{} {found}, and the backup has {}",
                table.schema.escape_debug(),
                table.name.escape_debug(),
                table.rows
            ));
        }
    }
    if found.len() != wanted.len() {
        return Err(format!(
            "there are {} tables, and the backup has {}",
            found.len(),
            wanted.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_count_and_any_other_table_is_told() {
        let table = |name: &str, rows| Table {
            schema: "s".into(),
            name: name.into(),
            rows,
        };
        let wanted = [table("a", 1), table("b", 2)];
        assert_eq!(compare(&wanted, &wanted), Ok(()));
        assert_eq!(
            compare(&wanted, &[table("a", 1), table("b", 1)]).unwrap_err(),
            "s.b has 1 rows, and the backup has 2"
        );
        assert_eq!(
            compare(&wanted, &wanted[..1]).unwrap_err(),
            "s.b is missing, and the backup has 2"
        );
        assert!(compare(&wanted[..1], &wanted).is_err());
    }
}
