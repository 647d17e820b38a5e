//! A database as the source of a run: its dump, and its server's globals.

use super::sink::Sink;
use super::work::{Before, Fault, Work};
use crate::flow::{Feed, Stopped};
use crate::manifest::Manifest;
use crate::postgres::{self, Dumped};

impl From<postgres::Error> for Fault {
    fn from(err: postgres::Error) -> Self {
        match err {
            postgres::Error::Stopped => Self::Stopped,
            err => Self::Failed(err.to_string()),
        }
    }
}

impl Work<'_> {
    /// Dumps into all targets.
    pub(super) async fn database(
        &self,
        sinks: &mut [Sink],
        before: &Before,
    ) -> Result<Manifest, String> {
        let server = self.setup.server(self.job)?;
        let (server, _) = self.answered(server.prepared()).await?;
        let server = &server;
        let mut pieces = Vec::new();
        let dumping = self.piece(sinks, ("dump", "pgdump"), before, async |feed: &Feed| {
            let give = async |bytes| {
                feed.give(bytes)
                    .await
                    .map_err(|Stopped| postgres::Error::Stopped)
            };
            // They need not be waited for when it has ended.
            let both = postgres::dump(server, give, postgres::globals(server));
            both.await.map_err(Fault::from)
        });
        let ((dumped, globals), piece) = Box::pin(dumping).await?;
        pieces.push(piece);
        let woken = self.loud().await;
        let Dumped {
            facts,
            mut warnings,
        } = dumped;
        warnings.extend(woken);
        let tables = facts.tables.len();
        let rows: u64 = facts.tables.iter().map(|table| table.rows).sum();
        (self.say)(format!(
            "dump    {}: {tables} tables, {rows} rows, whole",
            facts.dumped_by
        ));
        let known = std::future::ready(Ok(globals));
        let (warning, piece) = Box::pin(self.globals(sinks, before, known)).await?;
        pieces.push(piece);
        warnings.extend(warning);
        Ok(self.manifest(before, pieces, warnings, |manifest| {
            manifest.postgres = Some(facts);
        }))
    }
}
