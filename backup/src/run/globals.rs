//! The globals of a server as the source of a run: roles, memberships, tablespaces.

use super::sink::Sink;
use super::work::{Before, Fault, Work};
use crate::flow::Feed;
use crate::manifest::{Manifest, Piece};
use crate::postgres::{self, Server};

impl Work<'_> {
    /// Sends a server's globals into all targets; what a person should know.
    pub(super) async fn globals(
        &self,
        sinks: &mut [Sink],
        before: &Before,
        server: &Server,
    ) -> Result<(Option<String>, Piece), String> {
        self.piece(
            sinks,
            ("globals", "globals.sql"),
            before,
            async |feed: &Feed| {
                let (text, warning) = postgres::globals(server).await?;
                feed.give(text.into()).await?;
                Ok::<_, Fault>(warning)
            },
        )
        .await
    }

    /// A backup of the globals alone.
    pub(super) async fn globals_alone(
        &self,
        sinks: &mut [Sink],
        before: &Before,
    ) -> Result<Manifest, String> {
        let server = self.setup.admin(self.job)?;
        let (server, _) = self.answered(server.prepared()).await?;
        let (warning, piece) = self.globals(sinks, before, &server).await?;
        let woken = self.loud().await;
        (self.say)(format!("globals {} bytes, whole", piece.raw_bytes));
        let warnings = warning.into_iter().chain(woken).collect();
        Ok(self.manifest(before, vec![piece], warnings, |_| {}))
    }
}
