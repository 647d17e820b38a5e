//! The last lines that a container wrote, asked for once, for whoever looks into
//! a failure. Nothing of them is kept here.

use std::collections::VecDeque;

use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;

use super::entries::{narrow, readable};
use super::mask::Mask;
use crate::container::Containers;
use crate::tail::{Batch, Frames};

/// Lines that are read before those that are told: a key may begin in them.
const BEFORE: usize = 100;

/// The last lines of a container, at most `most` of them, the oldest first and
/// masked. It takes as long as the engine does; what has come by the time the
/// caller goes away is lost.
///
/// # Errors
/// Says why the engine did not tell.
pub async fn last(containers: &Containers, id: &str, most: usize) -> Result<Vec<String>, String> {
    let docker = containers.connected().map_err(|it| it.text)?;
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        timestamps: true,
        tail: most.saturating_add(BEFORE).to_string(),
        ..LogsOptions::default()
    };
    let mut output = docker.logs(id, Some(options));
    let mut frames = Frames::new(0);
    let (mut mask, mut told) = (Mask::default(), VecDeque::new());
    while let Some(frame) = output.next().await {
        let mut batch = Batch::default();
        // What the engine says may hold an address with a password.
        let frame = frame.map_err(|_| "the engine does not tell what it wrote")?;
        frames.add_output(&frame, &mut batch);
        keep(&batch, &mut mask, &mut told, most);
    }
    Ok(told.into())
}

/// Adds lines to the last ones, without their secrets.
fn keep(batch: &Batch, mask: &mut Mask, told: &mut VecDeque<String>, most: usize) {
    for line in batch.lines() {
        let line = readable(line);
        let line = mask.line(&line);
        if line.trim().is_empty() {
            continue;
        }
        told.push_back(narrow(&line));
        if told.len() > most {
            told.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_written_the_end_is_told_without_its_secrets() {
        let text = "one\n\nlogging in, password=hunter2\r\n-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----\nlast\n";
        let (mut mask, mut told) = (Mask::default(), VecDeque::new());
        for line in text.split_inclusive('\n') {
            let text = line.into();
            let batch = Batch {
                text,
                ..Batch::default()
            };
            keep(&batch, &mut mask, &mut told, 5);
        }
        let mut told: Vec<String> = told.into();
        assert_eq!(told.len(), 5);
        assert_eq!(told[0], "logging in, password=<secret>");
        assert_eq!(told[4], "last");
        assert!(!told.concat().contains("MII"), "{told:?}");
        // The end of a key whose beginning is no longer among them.
        let mut last = VecDeque::new();
        for line in [
            "-----BEGIN PRIVATE KEY-----\n",
            "MIIa\n",
            "MIIb\n",
            "MIIc\n",
        ] {
            let text = line.into();
            let batch = Batch {
                text,
                ..Batch::default()
            };
            keep(&batch, &mut mask, &mut last, 2);
        }
        told = last.into();
        assert_eq!(told, ["<secret>", "<secret>"]);
        // Colours part a secret's name from the secret; and lines are cut.
        let painted = "\u{1b}[36mpassword\u{1b}[0m=\u{1b}[35mhunter2\u{1b}[0m\n";
        let batch = Batch {
            text: format!("{painted}{}\n", "x".repeat(5000)).into(),
            ..Batch::default()
        };
        let mut last = VecDeque::new();
        keep(&batch, &mut Mask::default(), &mut last, 5);
        let cut = format!("{}…", "x".repeat(1000));
        assert_eq!(last, ["password=<secret>", &*cut]);
    }
}
