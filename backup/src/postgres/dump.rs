//! Dumping: rows are counted and data is dumped in one snapshot, so that the
//! counts are those of the dump although writes go on.

use bytes::Bytes;

use super::{Checker, Error, Server, Session, facts, revisions};
use crate::manifest::Postgres;
use crate::tool::is_of_surroundings;

/// What a dump turned out to hold.
#[derive(Debug)]
pub struct Dumped {
    /// For the manifest.
    pub facts: Postgres,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Dumps the database; its bytes go to `give`. It has ended well only when this
/// returns well: the exit code is known, the dump is whole, all was counted.
///
/// What is done `beside` it begins after the dump's snapshot is taken: whoever owns a table
/// of it is known by then.
///
/// # Errors
/// In every other case.
pub async fn dump<T>(
    server: &Server,
    mut give: impl AsyncFnMut(Bytes) -> Result<(), Error>,
    beside: impl Future<Output = Result<T, Error>>,
) -> Result<(Dumped, T), Error> {
    let mut session = Session::open(server).await?;
    // Of a run that was killed the programs inside a container may live on.
    session.lines(ORPHANS).await?;
    session
        .lines("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let snapshot = session.line("SELECT pg_export_snapshot()").await?;
    let mut known = facts::database(&mut session).await?;
    let dumping = async {
        let within = format!("--snapshot={snapshot}");
        let wait = format!(
            "--lock-wait-timeout={}",
            server.lock_wait.as_millis().max(1)
        );
        let arguments = [
            "--format=custom",
            "--compress=0",
            "--no-password",
            &within,
            &wait,
        ];
        let mut running = server.start("pg_dump", &arguments).await?;
        let mut checker = Checker::default();
        while let Some(bytes) = running.next().await? {
            checker.read(&bytes).map_err(Error::Cut)?;
            give(bytes).await?;
        }
        running.finish().await?;
        checker.end().map_err(Error::Cut)
    };
    let counting = async {
        let mut counting = Session::open(server).await?;
        let tables = facts::count_in(&mut counting, &snapshot).await?;
        // Within the last of its transactions, and all that is asked for is in hand.
        let revisions = async {
            let found = revisions(&mut counting).await?;
            counting.lines("COMMIT").await?;
            counting.close().await?;
            Ok::<_, Error>(found)
        };
        Ok((tables, revisions.await))
    };
    let (contents, (tables, revisions), beside) = tokio::try_join!(dumping, counting, beside)?;
    session.lines("COMMIT").await?;
    session.close().await?;
    let mut warnings = Vec::new();
    if !contents.checked {
        warnings
            .push("the dump is of a format that is too new to be checked for wholeness".to_owned());
    }
    known.dumped_by = contents.dumped_by;
    known.entries = contents.checked.then_some(contents.entries);
    known.tables = tables;
    // A table of the name and columns of a tool's, and of somebody else, costs no backup.
    match revisions {
        Ok(revisions) => known.revisions = revisions,
        Err(err) => warnings.push(format!("the schema's revision cannot be read: {err}")),
    }
    let dumped = Dumped {
        facts: known,
        warnings,
    };
    Ok((dumped, beside))
}

/// Nobody else may back up this database now, so whoever seems to is left over.
const ORPHANS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'belfry_backup' \
AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()";

/// Roles, memberships and tablespaces, which are of the server and in no
/// database's dump. Passwords are among them only if the user may read them.
///
/// # Errors
/// When not even the roles' names can be read.
pub async fn globals(server: &Server) -> Result<(String, Option<String>), Error> {
    let all = ["--globals-only", "--no-password"];
    let first = server.start("pg_dumpall", &all).await?.text().await;
    let (text, warning) = match first {
        Ok(text) => (text, None),
        // Whoever was cut off or turned away may read them all the same.
        Err(err) if is_of_surroundings(&err.to_string()) => return Err(err.into()),
        Err(_) => {
            let some = ["--globals-only", "--no-password", "--no-role-passwords"];
            let text = server.start("pg_dumpall", &some).await?.text().await?;
            let warning =
                "the passwords of roles are not in the backup: the user may not read them";
            (text, Some(warning.to_owned()))
        }
    };
    // Exit 0 is known; a text that was cut would lack its last words.
    if !text.contains("database cluster dump complete") {
        return Err(Error::Cut(
            "the last words of the globals are missing".into(),
        ));
    }
    Ok((text, warning))
}
