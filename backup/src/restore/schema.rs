//! The revision of a database's schema: what was restored has the one that was dumped,
//! and whoever restores is told where the live one is by now.

use std::time::Duration;

use tokio::time::timeout;

use crate::manifest::{Postgres, Revision};
use crate::postgres::{Error, Session, revisions};
use crate::{Job, Setup};

/// A plan is told without what the live database has, if that takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is found of the schema's revisions after a restore.
#[derive(Debug)]
pub enum Schema {
    /// They are those that were dumped, or none was noted.
    Same,
    /// One is another, in words.
    Other(String),
    /// Nobody knows, since they could not be asked for.
    Unasked,
}

/// Asks for revisions; that changes nothing, whatever is asked there.
pub(super) async fn noted(session: &mut Session) -> Result<Vec<Revision>, Error> {
    session.lines("BEGIN READ ONLY").await?;
    let found = revisions(session).await?;
    session.lines("COMMIT").await?;
    Ok(found)
}

/// Whether what was restored is of the schema that was dumped, as its tools tell.
pub(super) fn compared(wanted: &[Revision], found: &[Revision]) -> Schema {
    match wanted.iter().find(|wanted| !found.contains(wanted)) {
        None => Schema::Same,
        Some(wanted) => Schema::Other(format!(
            "{wanted} in the backup, and at {} in what was restored",
            of(found, wanted).unwrap_or("none")
        )),
    }
}

fn of<'a>(found: &'a [Revision], wanted: &Revision) -> Option<&'a str> {
    let same = |found: &&Revision| found.table == wanted.table && found.tool == wanted.tool;
    found.iter().find(same).map(|found| &*found.revision)
}

/// The revisions that a backup has of its schema, in words, with what the live database
/// has where that is another one: migrations are due then, or the application is older.
pub async fn schema(setup: &Setup, job: &Job, facts: &Postgres) -> Vec<String> {
    if facts.revisions.is_empty() {
        return Vec::new();
    }
    let asked = async {
        let (server, _) = setup.server(job).ok()?.prepared().await.ok()?;
        let mut session = Session::open(&server).await.ok()?;
        noted(&mut session).await.ok()
    };
    // There may be none, or one that does not answer.
    let now = timeout(PATIENCE, asked).await;
    let now = now.ok().flatten().unwrap_or_default();
    let told = |kept: &Revision| match of(&now, kept) {
        Some(now) if now != kept.revision => format!("{kept}, and now at {now}"),
        _ => kept.to_string(),
    };
    facts.revisions.iter().map(told).collect()
}
