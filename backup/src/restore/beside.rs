//! Restoring beside: into a database of another name, made alike, compared row by
//! row count with what the dump's own snapshot counted. The live one is not touched.

use std::io;

use tokio::io::AsyncReadExt;

use super::fetched::Fetched;
use super::schema::{self, Schema};
use super::{haste, progress};
use crate::manifest::{Postgres, Table};
use crate::postgres::{Error as PostgresError, Server, Session, ident, literal, noted_rows, rows};
use crate::run::Say;
use crate::tool::Place;

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

/// How a dump is restored, and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Into what is about to be used: what the server noted of it counts as well.
    Use,
    /// As a proof: every table is counted.
    Proof {
        /// Whether it is somewhere else, where there are no such tablespaces.
        elsewhere: bool,
    },
}

/// Restores a dump into a database, and compares. Another revision of the schema is told,
/// and is for the caller to judge.
///
/// # Errors
/// When the dump does not go in, or what came out is something else.
pub async fn fill(
    (server, admin): (&Server, &mut Session),
    dump: &Fetched,
    facts: &Postgres,
    name: &str,
    purpose: Purpose,
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
    haste::begin((server, admin), name).await.map_err(told)?;
    let only: &[_] = match purpose {
        Purpose::Proof { elsewhere: true } => &["--no-tablespaces"],
        _ => &[],
    };
    let filling = restore(&into, dump, only);
    progress::told("restore", facts.size.unwrap_or(0), size, say, filling)
        .await
        .map_err(|err| err.to_string())?;
    haste::end((server, admin), name).await.map_err(told)?;
    say(format!("restore all of it is in {name}"));
    let mut session = Session::open(&into).await.map_err(told)?;
    let (found, counted) = match purpose {
        Purpose::Use => noted_rows(&mut session, &facts.tables).await,
        Purpose::Proof { .. } => rows(&mut session).await.map(|found| {
            let counted = found.len();
            (found, counted)
        }),
    }
    .map_err(told)?;
    compare(&facts.tables, &found)?;
    let all: u64 = found.iter().map(|table| table.rows).sum();
    say(format!(
        "compare {} tables, {all} rows, as in the backup; {counted} of the tables were counted",
        found.len()
    ));
    // Where none was noted nothing is asked: an earlier version noted none. All rows
    // are there by now: what their tools note of them costs no restore.
    let noted = match facts.revisions.is_empty() {
        true => Ok(Vec::new()),
        false => schema::noted(&mut session).await,
    };
    let schema = match noted {
        Ok(noted) => schema::compared(&facts.revisions, &noted),
        Err(err) => {
            say(format!(
                "warn    the schema's revision cannot be read: {err}"
            ));
            // What broke it need not break anything else.
            session = Session::open(&into).await.map_err(told)?;
            Schema::Unasked
        }
    };
    session.lines(GLANCE).await.map_err(told)?;
    session.close().await.map_err(told)?;
    match &schema {
        Schema::Same => {
            for revision in &facts.revisions {
                say(format!("schema  {revision}, as in the backup"));
            }
        }
        Schema::Other(other) => say(format!("warn    {other}")),
        Schema::Unasked => {}
    }
    Ok(schema)
}

/// What PostgreSQL's own tools make first of a new database: enough for plans that are not
/// absurd. Statistics that a crash loses are made again. A table that the server's own
/// cleaning is at would be waited for, a second each, and has statistics from that soon.
const GLANCE: &str =
    "SET synchronous_commit = off; SET default_statistics_target = 1; ANALYZE (SKIP_LOCKED)";

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
    // Those that are good enough for most are there soon.
    analyze(
        &of,
        "SET default_statistics_target = 10; ANALYZE; RESET default_statistics_target; ANALYZE",
    )
    .await
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
