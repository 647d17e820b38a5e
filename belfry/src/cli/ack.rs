//! `belfry ack`: takes alerts on, so that they are told no more until they end.

use clap::Args;
use serde_json::{Value, json};

use super::{Place, client, offline};
use crate::exit::{self, Exit};
use crate::out;

/// What is taken on, and by whom.
#[derive(Debug, Args)]
pub(super) struct Ack {
    /// The alert's name, its fingerprint, or how that begins
    alert: String,
    /// Also everything that shares a message with it
    #[arg(long)]
    group: bool,
    /// Who takes it on [default: the user at this terminal]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What others should know
    #[arg(long, short = 'm', default_value = "")]
    note: String,
    /// Take an acknowledgement back
    #[arg(long)]
    undo: bool,
    /// Show what it would concern, and change nothing
    #[arg(long, conflicts_with = "undo")]
    dry_run: bool,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    there: client::There,
}

pub(super) fn run(place: &Place, ack: &Ack) -> Result<Exit, Exit> {
    let server = client::find(place, &ack.there)?;
    let body = json!({
        "alert": ack.alert,
        "group": ack.group,
        "by": ack.by.clone().unwrap_or_else(user),
        "note": ack.note,
        "undo": ack.undo,
        "dry_run": ack.dry_run,
    });
    let answer = match offline::wait(server.post("/api/belfry/v1/ack", &body))? {
        Ok(answer) => answer,
        Err(err) => {
            out::error(format_args!("belfry: {:#}", anyhow::Error::from(err)));
            return Err(exit::USAGE);
        }
    };
    if let Some(problem) = answer["error"].as_str() {
        out::error(format_args!("belfry: {problem}"));
        return Err(exit::USAGE);
    }
    if ack.json {
        out::line(&answer);
        return Ok(exit::OK);
    }
    let word = match (ack.dry_run, ack.undo) {
        (true, _) => "would take",
        (_, true) => "taken back",
        (_, false) => "taken on",
    };
    let alerts = answer["alerts"].as_array().map_or(&[][..], Vec::as_slice);
    for alert in alerts {
        out::line(line(word, alert));
    }
    if alerts.is_empty() {
        out::line("nothing was acknowledged, so nothing was taken back");
    }
    Ok(exit::OK)
}

fn line(word: &str, alert: &Value) -> String {
    let text = |key: &str| alert[key].as_str().unwrap_or_default();
    super::status::fit(&format!(
        "{word}  {}  {}  {}",
        text("fingerprint").get(..8).unwrap_or_default(),
        text("name"),
        text("summary")
    ))
}

/// Who sits at this terminal, also behind sudo.
fn user() -> String {
    ["SUDO_USER", "LOGNAME", "USER"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_default()
}
