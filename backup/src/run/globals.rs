//! The globals of a server as the source of a run: roles, memberships, tablespaces.

use super::sink::Sink;
use super::work::{Before, Fault, Work};
use crate::flow::Feed;
use crate::manifest::{Manifest, Piece};
use crate::postgres;

impl Work<'_> {
    /// Sends a server's globals into all targets, once they are known; what a person should know.
    pub(super) async fn globals(
        &self,
        sinks: &mut [Sink],
        before: &Before,
        known: impl Future<Output = Result<(String, Option<String>), Fault>>,
    ) -> Result<(Option<String>, Piece), String> {
        let name = ("globals", "globals.sql");
        self.piece(sinks, name, before, async |feed: &Feed| {
            let (text, warning) = known.await?;
            feed.give(text.into()).await?;
            Ok::<_, Fault>(warning)
        })
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
        let known = async { postgres::globals(&server).await.map_err(Fault::from) };
        let (warning, piece) = Box::pin(self.globals(sinks, before, known)).await?;
        let woken = self.loud().await;
        (self.say)(format!("globals {} bytes, whole", piece.raw_bytes));
        let warnings = warning.into_iter().chain(woken).collect();
        Ok(self.manifest(before, vec![piece], warnings, |_| {}))
    }
}
