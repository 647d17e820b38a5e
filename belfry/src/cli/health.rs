//! `belfry health`: whether Belfry, or a service, is ready; made to be a health
//! check where there is no curl: 0 if so, 1 if not, 3 if nobody can say.

use std::time::Duration;

use clap::Args;

use super::{Place, client, offline, ping};
use crate::exit::{self, Exit};
use crate::out;

/// A health check that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to ask.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 ready, 1 not ready, 3 unknown.

In a compose file:
  healthcheck: {test: [CMD, belfry, health]}")]
pub(super) struct Health {
    /// The service, or PROJECT.SERVICE [default: Belfry itself]
    service: Option<String>,
    /// Ask whether it lives, not whether it is ready
    #[arg(long)]
    live: bool,
    /// Where Belfry is reached [default: the one of the data folder]
    #[arg(long, value_name = "URL", env = "BELFRY_URL")]
    url: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Asks, and prints the answer.
pub(super) fn run(place: &Place, health: &Health) -> Result<Exit, Exit> {
    match offline::wait(ask(place, health))? {
        Ok((code, text)) => {
            out::text(&text);
            if !text.ends_with('\n') {
                out::text("\n");
            }
            Ok(code)
        }
        Err(err) => {
            out::error(format_args!("belfry: {err}"));
            Err(exit::USAGE)
        }
    }
}

async fn ask(place: &Place, health: &Health) -> Result<(Exit, String), String> {
    let (base, client) = match &health.url {
        Some(url) => (
            url.trim_end_matches('/').to_owned(),
            client::anywhere(PATIENCE),
        ),
        None => (ping::local(place)?, client::here(PATIENCE)),
    };
    let question = if health.live { "live" } else { "ready" };
    let service = health
        .service
        .as_deref()
        .map_or_else(String::new, |name| format!("/{name}"));
    let form = if health.json { "" } else { "?format=text" };
    let client = client.map_err(|err| err.to_string())?;
    let request = client.get(format!("{base}/health/{question}{service}{form}"));
    let silent = |err: reqwest::Error| {
        format!(
            "belfry does not answer: {:#}",
            anyhow::Error::from(err.without_url())
        )
    };
    let answer = request.send().await.map_err(silent)?;
    let code = match answer.status().as_u16() {
        200 => exit::OK,
        503 => exit::WARNING,
        _ => exit::USAGE,
    };
    Ok((code, answer.text().await.map_err(silent)?))
}
