//! The tables of all databases: those of the server's own connection each time,
//! the others in visits, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use exposition::Kind;
use tokio::time::{Instant as Deadline, timeout_at};

use super::asked::Asked;
use super::database::Database;
use super::link::{Failure, Link};
use super::pending::Pending;
use super::rows::Rows;
use super::target::Target;
use crate::pieces::{Pieces, Sheet};

/// So many visits may hang before no other is begun.
const MOST_STUCK: usize = 2;

/// The databases whose tables are shown.
#[derive(Debug, Default)]
pub(super) struct Visits {
    databases: BTreeMap<String, Database>,
    /// Connections that hang, by database.
    stuck: BTreeMap<String, Pending>,
}

impl Visits {
    /// Follows databases that come and go.
    pub(super) fn found(&mut self, rows: &Rows, exclude: &[String]) {
        let names = rows.iter().filter_map(|row| row.get("datname"));
        let names: Vec<&str> = names
            .filter(|name| !exclude.iter().any(|out| out == name))
            .collect();
        self.databases
            .retain(|name, _| names.contains(&name.as_str()));
        for name in names {
            self.databases.entry(name.to_owned()).or_default();
        }
    }

    /// Lets go of connections that hang no more.
    pub(super) fn let_go(&mut self) {
        self.stuck.retain(|_, pending| !pending.is_over());
    }

    /// Whether a connection of ours to this database hangs, or has until now.
    pub(super) fn hang(&self, database: &str) -> bool {
        self.stuck.contains_key(database)
    }

    /// Reads the databases that are due, those first that wait longest, and none to
    /// which `others` have a connection that hangs. False when the server's own
    /// connection can be used no more.
    pub(super) async fn read(
        &mut self,
        target: &Target,
        own: &Link,
        others: &Asked,
        end: Deadline,
    ) -> bool {
        let home = target.home();
        let now = Instant::now();
        let due = |name: &str, tried: Option<Instant>| {
            let waited = tried.map(|tried| now.duration_since(tried));
            name == home || waited.is_none_or(|waited| waited >= target.config.visit)
        };
        let mut waiting: Vec<(Option<Instant>, String)> = self
            .databases
            .iter()
            .filter(|(name, database)| due(name, database.tried))
            .map(|(name, database)| (database.tried, name.clone()))
            .collect();
        waiting.sort();
        let most = target.config.tables / self.databases.len().max(1);
        let most = most.clamp(1, target.config.tables_per_database.max(1));
        for (_, name) in waiting {
            if Deadline::now() >= end {
                break;
            }
            let mut database = self.databases.remove(&name).unwrap_or_default();
            database.tried = Some(Instant::now());
            let read = if name == home {
                let read = database.read(own, &name, most, target);
                timeout_at(end, read).await.unwrap_or(Err(Failure::Late))
            } else if others.hang(&name) {
                Err(Failure::Late)
            } else {
                self.visit(&mut database, &name, most, target, end).await
            };
            database.sound = read == Ok(true);
            self.databases.insert(name.clone(), database);
            let Err(err) = read else { continue };
            let server = &target.access.place;
            tracing::debug!(server, database = name, "cannot read tables: {err}");
            if name == home && !matches!(err, Failure::Refused { .. } | Failure::TooLarge) {
                return false;
            }
        }
        true
    }

    async fn visit(
        &mut self,
        database: &mut Database,
        name: &str,
        most: usize,
        target: &Target,
        end: Deadline,
    ) -> Result<bool, Failure> {
        if self.hang(name) || self.stuck.len() >= MOST_STUCK {
            return Err(Failure::Late);
        }
        // One that hangs leaves time for others.
        let until = end.min(Deadline::now() + target.config.deadline / 5);
        let link = match Pending::connect(target, Some(name)).ready(until).await {
            Ok(link) => link?,
            Err(pending) => {
                self.stuck.insert(name.to_owned(), pending);
                return Err(Failure::Late);
            }
        };
        match timeout_at(until, database.read(&link, name, most, target)).await {
            Ok(read) => {
                link.close().await;
                read
            }
            Err(_) => {
                let pending = Pending::recover(link);
                self.stuck.insert(name.to_owned(), pending);
                Err(Failure::Late)
            }
        }
    }

    /// Whether all could be read when they were tried last.
    pub(super) fn sound(&self) -> bool {
        self.databases.values().all(|database| database.sound)
    }

    /// What was read of each, unless that is too old.
    pub(super) fn pieces(&self, target: &Target) -> impl Iterator<Item = Arc<Pieces>> {
        let keep = target.config.visit * 3 + target.config.deadline;
        let read = self.databases.values().filter_map(|one| one.read.as_ref());
        read.filter(move |(at, _)| at.elapsed() <= keep)
            .map(|(_, pieces)| pieces.clone())
    }

    /// Writes how reading each goes.
    pub(super) fn encode(&self, sheet: &mut Sheet) {
        for (name, database) in &self.databases {
            let label = [("datname", name.as_str())];
            sheet
                .family(
                    "belfry_postgres_database_read_success",
                    "Whether the tables of the database could be read when it was tried last.",
                    Kind::Gauge,
                )
                .sample(&label, f64::from(u8::from(database.sound)));
            if let Some((at, _)) = &database.read {
                sheet
                    .family(
                        "belfry_postgres_database_read_age_seconds",
                        "How old the reading of the database's tables was when the server was read.",
                        Kind::Gauge,
                    )
                    .sample(&label, at.elapsed().as_secs_f64());
            }
        }
    }
}
