//! `belfry rules`: checking, testing and formatting rule files, without running; and which
//! rules of a running Belfry can never fire.

mod check;
mod colour;
mod export;
mod fmt;
mod test;
mod unmatched;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rules::Source;
use serde_json::{Value, json};
use settings::{Fault, Place};

use crate::exit::Exit;

/// What can be asked about rule files.
#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Tell every fault of rule files, and what is hardly meant in them
    Check {
        #[command(flatten)]
        files: Files,
    },
    /// Run unit tests of rules, as `promtool test rules` reads them
    Test {
        #[command(flatten)]
        files: Files,
    },
    /// Write the expressions of rule files in canonical form; remarks and layout stay
    Fmt {
        /// Change nothing; the exit code is 1 when something would change
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        files: Files,
    },
    /// Tell which rules can never fire here, because no series has what they read
    Unmatched {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write the shipped rules into a folder, for a Prometheus elsewhere
    Export {
        /// The folder; it is made if there is none
        folder: PathBuf,
        /// The address under which people reach Belfry, for the links to runbooks
        #[arg(long, default_value = "", hide_default_value = true)]
        url: String,
        /// Overwrite files that were changed
        #[arg(long)]
        force: bool,
    },
}

/// The files to look at.
#[derive(Debug, Args)]
pub(super) struct Files {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Does what is asked.
pub(super) fn run(command: &RulesCommand, place: &super::Place) -> Exit {
    match command {
        RulesCommand::Check { files } => check::run(files),
        RulesCommand::Test { files } => test::run(files),
        RulesCommand::Fmt { check, files } => fmt::run(files, *check),
        RulesCommand::Unmatched { json } => {
            unmatched::run(place, *json).unwrap_or_else(|code| code)
        }
        RulesCommand::Export { folder, url, force } => export::run(folder, url, *force),
    }
}

/// The text of a file, or why there is none.
fn read(path: &Path) -> Result<Source, Fault> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Source { name, text }),
        Err(err) => Err(Fault {
            place: Place::Line {
                file: name.as_str().into(),
                line: 1,
                column: 1,
            },
            key: String::new(),
            message: format!("cannot read the file: {err}"),
        }),
    }
}

/// A fault for programs.
fn as_json(fault: &Fault) -> Value {
    let (file, line, column) = place(&fault.place);
    let message = if fault.key.is_empty() {
        fault.message.clone()
    } else {
        format!("{}: {}", fault.key, fault.message)
    };
    json!({ "file": file, "line": line, "column": column, "message": message })
}

fn place(place: &Place) -> (&str, usize, usize) {
    match place {
        Place::Line { file, line, column } => (file, *line, *column),
        Place::Environment(name) => (name, 0, 0),
    }
}

/// A number of things in words.
fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
