//! `belfry rules unmatched`: which rules can never fire here, and why.

use std::collections::BTreeSet;

use serde_json::Value;

use super::plural;
use crate::app;
use crate::cli::{Place, client, offline};
use crate::exit::{self, Exit};
use crate::out;

/// Asks the running Belfry.
pub(super) fn run(place: &Place, json: bool) -> Result<Exit, Exit> {
    let data = app::data_folder(&offline::glance(place)?);
    let path = "/api/belfry/v1/rules/unmatched";
    let answer = match offline::wait(client::get(&data, path))? {
        Ok(answer) => answer,
        Err(err) => {
            out::error(format_args!("belfry: {:#}", anyhow::Error::from(err)));
            return Err(exit::USAGE);
        }
    };
    if json {
        out::line(&answer);
    } else {
        for line in lines(&answer) {
            out::line(line);
        }
    }
    Ok(exit::OK)
}

/// A line for each name, and one that counts.
fn lines(answer: &Value) -> Vec<String> {
    let found = answer["unmatched"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    // Levels of one alert lack the same.
    let named: BTreeSet<String> = found.iter().map(line).collect();
    let mut lines: Vec<String> = named.into_iter().collect();
    let count = answer["rules"].as_u64().unwrap_or_default();
    lines.push(format!(
        "{} of {} can never fire here, so far",
        found.len(),
        plural(usize::try_from(count).unwrap_or_default(), "rule"),
    ));
    lines
}

fn line(one: &Value) -> String {
    let word = |key: &str| one[key].as_str().unwrap_or_default();
    let missing = one["missing"].as_array().map_or(&[][..], Vec::as_slice);
    let missing: Vec<&str> = missing.iter().filter_map(Value::as_str).collect();
    format!(
        "{} ({}): there is no {}",
        word("rule"),
        word("group"),
        missing.join(" and no ")
    )
}
