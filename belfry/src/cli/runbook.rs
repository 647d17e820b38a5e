//! `belfry runbook`: what to do about an alert, for a person at a terminal.

mod terminal;

use std::fmt::Write as _;

use serde_json::Value;

use super::{Place, client, offline};
use crate::exit::{self, Exit};
use crate::runbooks::{self, Facts, fill};
use crate::{app, config, out};

/// Reads `LABEL=VALUE`.
pub(super) fn label(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a label is given as LABEL=VALUE".to_owned()),
    }
}

/// Prints the runbook of this name, or lists all. The belfry that runs here is
/// asked first, since it knows what runs on this host; without one the text is
/// as it was written.
pub(super) fn run(
    place: &Place,
    name: Option<&str>,
    labels: Vec<(String, String)>,
    json: bool,
) -> Result<Exit, Exit> {
    let config = offline::glance(place)?;
    let own = config::runbooks(&config).map_err(|faults| {
        for fault in faults {
            out::error(fault);
        }
        exit::USAGE
    })?;
    let Some(name) = name else {
        list(&own, json);
        return Ok(exit::OK);
    };
    let name = name
        .rsplit_once(rules::RUNBOOK_PATH)
        .map_or(name, |(_, name)| name);
    let Some(runbook) = own.get(name) else {
        out::error(format_args!(
            "belfry: there is no runbook {name:?}; `belfry runbook` lists them"
        ));
        return Err(exit::USAGE);
    };
    let labels: alert::Set = labels.into_iter().collect();
    let data = app::data_folder(&config);
    let told = offline::wait(client::get(&data, &path(name, &labels)))?;
    let told = told.unwrap_or_else(|err| {
        if !json {
            let err = anyhow::Error::from(err);
            out::error(format_args!(
                "belfry: {err:#}; what runs on this host is not filled in"
            ));
        }
        let text = fill(&runbook.text, &labels, &Facts::default());
        runbooks::one(name, runbook, Some(&text))
    });
    if json {
        out::line(told);
    } else {
        out::text(terminal::render(told["text"].as_str().unwrap_or_default()));
    }
    Ok(exit::OK)
}

fn list(all: &rules::Runbooks, json: bool) {
    if json {
        out::line(runbooks::list(all));
        return;
    }
    let told: Value = runbooks::list(all);
    let widest = all
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for one in told.as_array().into_iter().flatten() {
        let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let mark = if one["file"].is_null() {
            ""
        } else {
            " (yours)"
        };
        let line = format!("{:<widest$}  {}{mark}", word("name"), word("title"));
        out::line(line);
    }
}

/// The path of the runbook for these labels, whatever is in them.
fn path(name: &str, labels: &alert::Set) -> String {
    let escaped = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
    };
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();
    let query = pairs.join("&");
    format!("/api/belfry/v1/runbooks/{}?{query}", escaped(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_get_through_whatever_is_in_them() {
        assert_eq!(label("name=a=b"), Ok(("name".to_owned(), "a=b".to_owned())));
        assert!(label("name").is_err() && label("=x").is_err());
        let labels = alert::Set::from([("name".to_owned(), "a&b é".to_owned())]);
        assert_eq!(
            path("disk-full", &labels),
            "/api/belfry/v1/runbooks/disk%2Dfull?name=a%26b%20%C3%A9"
        );
    }
}
