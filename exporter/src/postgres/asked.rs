//! Asks the questions of the configuration: on the server's own connection, or
//! on one of its own for each other database, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use exposition::Kind;
use tokio::time::{Instant as Deadline, timeout_at};

use super::link::{Failure, Link};
use super::pending::Pending;
use super::queries::{Query, Sort};
use super::rows::Rows;
use super::target::Target;
use super::visits::Visits;
use crate::pieces::Sheet;

/// What a server's end of a question may take beyond its own limit.
const MARGIN: Duration = Duration::from_millis(500);
/// So many connections may hang before no other is begun.
const MOST_STUCK: usize = 2;

/// The questions of one server, and what was answered.
#[derive(Debug, Default)]
pub(super) struct Asked {
    known: BTreeMap<(usize, String), Known>,
    /// Connections that hang, by database.
    stuck: BTreeMap<String, Pending>,
}

/// What is known of one question to one database.
#[derive(Debug, Default)]
struct Known {
    tried: Option<Instant>,
    took: Duration,
    sound: bool,
    answer: Option<(Instant, Rows)>,
    /// Whether there were more rows than are taken.
    more: bool,
}

impl Asked {
    /// Lets go of connections that hang no more.
    pub(super) fn let_go(&mut self) {
        self.stuck.retain(|_, pending| !pending.is_over());
    }

    /// Whether a connection of ours to this database hangs, or has until now.
    pub(super) fn hang(&self, database: &str) -> bool {
        self.stuck.contains_key(database)
    }

    /// Asks what is due, as long as there is time, but of no database to which
    /// `visits` have a connection that hangs. False when the server's own connection
    /// can be used no more.
    pub(super) async fn ask(
        &mut self,
        target: &Target,
        own: &Link,
        visits: &Visits,
        end: Deadline,
    ) -> bool {
        let queries = &target.config.queries;
        let now = Instant::now();
        let mut due: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut wanted = BTreeSet::new();
        for (at, query) in queries.iter().enumerate() {
            if !query.server.is_empty() && query.server != target.name {
                continue;
            }
            let home = [target.home().to_owned()];
            let databases = match query.databases.is_empty() {
                true => &home[..],
                false => &query.databases,
            };
            for database in databases {
                let key = (at, database.clone());
                let tried = self.known.entry(key.clone()).or_default().tried;
                if tried.is_none_or(|tried| now.duration_since(tried) >= query.interval) {
                    due.entry(database.clone()).or_default().push(at);
                }
                wanted.insert(key);
            }
        }
        self.known.retain(|key, _| wanted.contains(key));
        for (database, questions) in due {
            if Deadline::now() >= end {
                return true;
            }
            if database == target.home() {
                if !self.put(own, queries, &database, &questions, end).await {
                    return false;
                }
                continue;
            }
            let link = match visits.hang(&database) {
                true => None,
                false => self.connect(target, &database, end).await,
            };
            match link {
                Some(link) => {
                    if self.put(&link, queries, &database, &questions, end).await {
                        link.close().await;
                    } else {
                        let pending = Pending::recover(link);
                        self.stuck.insert(database, pending);
                    }
                }
                None => {
                    for at in questions {
                        self.note(at, &database, Instant::now(), None);
                    }
                }
            }
        }
        true
    }

    /// A connection to another database; nothing when it is not to be had.
    async fn connect(&mut self, target: &Target, database: &str, end: Deadline) -> Option<Link> {
        if self.hang(database) || self.stuck.len() >= MOST_STUCK {
            return None;
        }
        let until = end.min(Deadline::now() + target.config.deadline / 5);
        let pending = Pending::connect(target, Some(database));
        match pending.ready(until).await {
            Ok(link) => link.ok(),
            Err(pending) => {
                self.stuck.insert(database.to_owned(), pending);
                None
            }
        }
    }

    /// Puts questions to one database. False when the connection can be used no
    /// more.
    async fn put(
        &mut self,
        link: &Link,
        queries: &[Query],
        database: &str,
        questions: &[usize],
        end: Deadline,
    ) -> bool {
        for at in questions {
            if Deadline::now() >= end {
                return true;
            }
            let query = &queries[*at];
            let began = Instant::now();
            let until = end.min(Deadline::now() + query.timeout + MARGIN);
            let answer = timeout_at(until, link.rows(&query.script())).await;
            let answer = answer.unwrap_or(Err(Failure::Late));
            if let Err(err) = &answer {
                let name = &query.name;
                tracing::debug!(query = name, database, "a question has no answer: {err}");
            }
            let usable = match &answer {
                Ok(_) => true,
                Err(Failure::Refused { .. } | Failure::TooLarge) => {
                    let back = timeout_at(end, link.rows("ROLLBACK")).await;
                    matches!(back, Ok(Ok(_)))
                }
                Err(_) => false,
            };
            let answer = answer.ok().map(|mut rows| {
                let most = query.limit * rows.names.len();
                let more = rows.cells.len() > most;
                rows.cells.truncate(most);
                (rows, more)
            });
            self.note(*at, database, began, answer);
            if !usable {
                return false;
            }
        }
        true
    }

    fn note(&mut self, at: usize, database: &str, began: Instant, answer: Option<(Rows, bool)>) {
        let known = self.known.entry((at, database.to_owned())).or_default();
        known.tried = Some(began);
        known.took = began.elapsed();
        known.sound = answer.is_some();
        if let Some((rows, more)) = answer {
            (known.answer, known.more) = (Some((began, rows)), more);
        }
    }

    /// Writes what was answered, unless that is too old, and how asking goes.
    pub(super) fn encode(&self, target: &Target, sheet: &mut Sheet) {
        for ((at, database), known) in &self.known {
            let Some(query) = target.config.queries.get(*at) else {
                continue;
            };
            let keep = query.interval * 3 + target.config.deadline;
            if let Some((since, rows)) = &known.answer
                && since.elapsed() <= keep
            {
                encode(query, database, rows, sheet);
            }
            let labels = [("datname", database.as_str()), ("query", &query.name)];
            let mut put = |name: &str, help: &str, value: f64| {
                sheet.family(name, help, Kind::Gauge).sample(&labels, value);
            };
            if known.tried.is_none() {
                continue;
            }
            put(
                "belfry_postgres_query_success",
                "Whether the question was answered when it was put last.",
                f64::from(u8::from(known.sound)),
            );
            put(
                "belfry_postgres_query_duration_seconds",
                "How long that took.",
                known.took.as_secs_f64(),
            );
            put(
                "belfry_postgres_query_truncated",
                "Whether the answer has more rows than are taken.",
                f64::from(u8::from(known.more)),
            );
            if let Some((since, _)) = &known.answer {
                put(
                    "belfry_postgres_query_age_seconds",
                    "How old the last answer is.",
                    since.elapsed().as_secs_f64(),
                );
            }
        }
    }
}

/// Writes rows as the answer to a question, for those who throw any at it.
pub(super) fn any(rows: &Rows, sheet: &mut Sheet) {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let query = Query {
        name: "asked".into(),
        labels: columns(&["name", "unit"]),
        values: columns(&["setting", "short_desc"]),
        ..Query::default()
    };
    encode(&query, "shop", rows, sheet);
}

fn encode(query: &Query, database: &str, rows: &Rows, sheet: &mut Sheet) {
    let columns = query.label_columns();
    let help = match query.help.is_empty() {
        true => format!("What the question {} answers.", query.name),
        false => query.help.clone(),
    };
    let kind = match query.kind {
        Sort::Gauge => Kind::Gauge,
        Sort::Counter => Kind::Counter,
    };
    for value in query.value_columns(&rows.names) {
        let mut family = sheet.family(&query.family(value), &help, kind);
        let mut seen = BTreeSet::new();
        for row in rows.iter() {
            let Some(number) = row.number(value) else {
                continue;
            };
            let texts: Vec<_> = columns.iter().map(|column| row.label(column)).collect();
            let mut labels = vec![("datname", database)];
            let pairs = columns.iter().zip(&texts);
            labels.extend(pairs.map(|(column, text)| (*column, text.as_ref())));
            // Two rows with the same labels would be one series with two values.
            if seen.insert(texts.clone()) {
                family.sample(&labels, number);
            }
        }
    }
}
