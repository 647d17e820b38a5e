//! The tables of one database: asked on the server's own connection, or during
//! a visit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use exposition::Kind;

use super::catalogue::tables;
use super::link::{Failure, Link};
use super::rows::Rows;
use super::target::Target;
use crate::pieces::{Pieces, Sheet};

/// What is known of one database's tables.
#[derive(Debug, Default)]
pub(super) struct Database {
    /// When it was begun to be read, whatever came of it.
    pub(super) tried: Option<Instant>,
    /// The families of its tables, and when they were read.
    pub(super) read: Option<(Instant, Arc<Pieces>)>,
    /// Whether the latest reading worked.
    pub(super) sound: bool,
    picked: Option<Picked>,
    /// What was answered last about the size of a table, by its number.
    sizes: BTreeMap<String, Vec<Option<String>>>,
    size_names: Vec<String>,
}

/// The tables that are shown.
#[derive(Debug)]
struct Picked {
    at: Instant,
    oids: Vec<String>,
    total: f64,
}

impl Database {
    /// Asks for the tables' activity, and now and then which tables matter and
    /// how large they are. False when a part was refused.
    pub(super) async fn read(
        &mut self,
        link: &Link,
        name: &str,
        most: usize,
        target: &Target,
    ) -> Result<bool, Failure> {
        let now = Instant::now();
        let mut whole = true;
        let stale = |picked: &Picked| now.duration_since(picked.at) >= target.config.seldom;
        if self.picked.as_ref().is_none_or(stale) {
            self.pick(link, most, now).await?;
            whole = match self.measure(link).await {
                Ok(()) => true,
                // The old sizes will do for a while.
                Err(Failure::Refused { .. }) => false,
                Err(err) => return Err(err),
            };
        }
        let mut sheet = Sheet::new(&target.instance);
        if let Some(picked) = &self.picked {
            let oids = picked.oids.join(",");
            let activity = link.rows(&tables::activity(&oids)).await?;
            tables::ACTIVITY.encode(&activity, "", &mut sheet);
            tables::SIZES.encode(&self.known_sizes(), "", &mut sheet);
            let most = target.config.indexes_per_database;
            if most > 0 {
                let used = link.rows(&tables::indexes(&oids, most)).await?;
                tables::INDEXES.encode(&used, "", &mut sheet);
            }
            let label = [("datname", name)];
            sheet
                .family(
                    "belfry_postgres_tables",
                    "Tables of the database.",
                    Kind::Gauge,
                )
                .sample(&label, picked.total);
            sheet
                .family(
                    "belfry_postgres_tables_shown",
                    "Tables of the database that are on this page: the largest and the busiest.",
                    Kind::Gauge,
                )
                .sample(&label, picked.oids.len() as f64);
        }
        self.read = Some((now, Arc::new(sheet.finish())));
        Ok(whole)
    }

    async fn pick(&mut self, link: &Link, most: usize, now: Instant) -> Result<(), Failure> {
        let answer = link.rows(&tables::pick(most)).await?;
        let oids: Vec<String> = answer
            .iter()
            .filter_map(|row| row.get("oid"))
            .filter(|oid| oid.parse::<u32>().is_ok())
            .map(str::to_owned)
            .collect();
        let total = answer.iter().find_map(|row| row.number("total"));
        self.sizes.retain(|oid, _| oids.contains(oid));
        self.picked = Some(Picked {
            at: now,
            oids,
            total: total.unwrap_or(0.0),
        });
        Ok(())
    }

    async fn measure(&mut self, link: &Link) -> Result<(), Failure> {
        let oids = self.picked.as_ref().map(|picked| picked.oids.join(","));
        let answer = link.rows(&tables::sizes(&oids.unwrap_or_default())).await?;
        let width = answer.names.len().max(1);
        for (row, cells) in answer.iter().zip(answer.cells.chunks_exact(width)) {
            if let Some(oid) = row.get("oid") {
                self.sizes.insert(oid.to_owned(), cells.to_vec());
            }
        }
        self.size_names = answer.names;
        Ok(())
    }

    fn known_sizes(&self) -> Rows {
        Rows {
            names: self.size_names.clone(),
            cells: self.sizes.values().flatten().cloned().collect(),
        }
    }
}
