//! The last lines that a container wrote, asked for once, for whoever looks into
//! a failure. Nothing of them is kept here.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;

use super::mask::Mask;
use crate::container::Containers;
use crate::tail::{Batch, Frames};

/// Bytes that are read at most.
const BYTES: usize = 64 << 10;

/// The last lines of a container, at most `most` of them, the oldest first and
/// masked. It takes as long as the engine does; what has come by the time the
/// caller goes away is lost.
///
/// # Errors
/// Says why the engine did not tell.
pub async fn last(containers: &Containers, id: &str, most: usize) -> Result<Vec<String>, String> {
    let docker = containers.connected().await.map_err(|it| it.text)?;
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        timestamps: true,
        tail: most.to_string(),
        ..LogsOptions::default()
    };
    let mut output = docker.logs(id, Some(options));
    let mut frames = Frames::new(0);
    let mut batch = Batch::default();
    while let Some(frame) = output.next().await {
        match frame {
            Ok(LogOutput::StdOut { message }) => frames.take(0, &message, &mut batch),
            Ok(LogOutput::StdErr { message }) => frames.take(1, &message, &mut batch),
            Ok(LogOutput::Console { message }) => frames.take_terminal(&message, &mut batch),
            Ok(LogOutput::StdIn { .. }) => {}
            // What the engine says may hold an address with a password.
            Err(_) => return Err("the engine does not tell what it wrote".into()),
        }
        if batch.text.len() > BYTES {
            break;
        }
    }
    Ok(masked(&batch, most))
}

fn masked(batch: &Batch, most: usize) -> Vec<String> {
    let mut mask = Mask::default();
    let lines = batch.lines().map(String::from_utf8_lossy);
    let mut lines: Vec<String> = lines
        .map(|line| mask.line(&line).into_owned())
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines.drain(..lines.len().saturating_sub(most));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_written_the_end_is_told_without_its_secrets() {
        let text = "one\n\nlogging in, password=hunter2\r\n-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----\nlast\n";
        let batch = Batch {
            text: text.into(),
            ..Batch::default()
        };
        let told = masked(&batch, 5);
        assert_eq!(told.len(), 5);
        assert_eq!(told[0], "logging in, password=<secret>");
        assert_eq!(told[4], "last");
        assert!(!told.concat().contains("MII"), "{told:?}");
    }
}
