//! A unit of systemd's journal, through `journalctl --follow`.
//!
//! journalctl knows every format of the journal's files, compression and
//! rotation included; one small process for each unit that is followed.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{BATCH, Batch, LONGEST, PAUSE};
use crate::served::Trouble;

/// Follows one unit.
pub(crate) struct Follower {
    unit: String,
    /// The journal's folder; empty for the system's own.
    folder: PathBuf,
    /// The last entry; empty for none.
    cursor: String,
    child: Option<Child>,
    entries: Entries,
}

/// Entries as they come: one object of JSON a line.
#[derive(Debug, Default)]
struct Entries {
    open: Vec<u8>,
    skipping: bool,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "MESSAGE")]
    message: Option<Message>,
}

/// Text; bytes where it is no UTF-8, or holds control characters.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message {
    Text(String),
    Bytes(Vec<u8>),
}

impl Follower {
    pub(super) fn new(unit: String, folder: PathBuf, cursor: String) -> Self {
        Self {
            unit,
            folder,
            cursor,
            child: None,
            entries: Entries::default(),
        }
    }

    /// The lines of about the next second.
    pub(super) async fn next(&mut self) -> Result<Batch, Trouble> {
        let until = Instant::now() + PAUSE;
        let result = self.gather(until).await;
        if result.as_ref().map_or(true, |batch| !batch.more) {
            sleep_until(until).await;
        }
        result
    }

    async fn gather(&mut self, until: Instant) -> Result<Batch, Trouble> {
        let mut batch = Batch::default();
        let child = match &mut self.child {
            Some(child) => child,
            None => {
                self.entries = Entries::default();
                self.child
                    .insert(start(&self.unit, &self.folder, &self.cursor)?)
            }
        };
        let Some(out) = &mut child.stdout else {
            return Err("journalctl has no output".into());
        };
        let mut piece = vec![0; 64 << 10];
        loop {
            match timeout_at(until, out.read(&mut piece)).await {
                Err(_) => break,
                Ok(Ok(read)) if read > 0 => {
                    self.entries
                        .take(&piece[..read], &mut batch, &mut self.cursor);
                }
                Ok(_) => {
                    self.child = None;
                    if batch.text.is_empty() {
                        return Err("journalctl has ended".into());
                    }
                    break;
                }
            }
            if batch.text.len() >= BATCH {
                batch.more = true;
                break;
            }
        }
        batch.position.cursor.clone_from(&self.cursor);
        Ok(batch)
    }
}

fn start(unit: &str, folder: &Path, cursor: &str) -> Result<Child, Trouble> {
    let mut command = Command::new("journalctl");
    command
        .args(["--follow", "--output=json", "--output-fields=MESSAGE"])
        .arg(format!("--unit={unit}"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if !folder.as_os_str().is_empty() {
        // Of another machine maybe, which was started at another time.
        command.arg("--merge").arg("--directory").arg(folder);
    }
    match cursor.is_empty() {
        true => command.arg("--lines=0"),
        false => command.arg(format!("--after-cursor={cursor}")),
    };
    command.spawn().map_err(|err| match err.kind() {
        std::io::ErrorKind::NotFound => "there is no journalctl here".into(),
        kind => Trouble {
            text: format!("cannot start journalctl: {kind}"),
            wants_password: false,
        },
    })
}

impl Entries {
    fn take(&mut self, piece: &[u8], batch: &mut Batch, cursor: &mut String) {
        for piece in piece.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if !self.skipping {
                self.open.extend_from_slice(piece);
                // A message of bytes is written as a list of numbers.
                if self.open.len() > 4 * LONGEST {
                    self.skipping = true;
                    self.open = Vec::new();
                    batch.too_long += 1;
                }
            }
            if ends && !std::mem::take(&mut self.skipping) {
                entry(&self.open, batch, cursor);
                self.open.clear();
            }
        }
    }
}

fn entry(text: &[u8], batch: &mut Batch, cursor: &mut String) {
    let Ok(entry) = serde_json::from_slice::<Entry>(text) else {
        return;
    };
    *cursor = entry.cursor;
    let message = match entry.message {
        Some(Message::Text(text)) => text.into_bytes(),
        Some(Message::Bytes(bytes)) => bytes,
        // One that is very long is left out.
        None => {
            batch.too_long += 1;
            return;
        }
    };
    batch.text.extend_from_slice(&message);
    batch.text.push(b'\n');
}

/// Reads the bytes as entries of the journal, for those who throw any at it.
pub(super) fn any(bytes: &[u8]) {
    let (mut batch, mut cursor) = (Batch::default(), String::new());
    Entries::default().take(bytes, &mut batch, &mut cursor);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_in_pieces_of_any_length() {
        let stream = concat!(
            r#"{"__CURSOR":"s=1","MESSAGE":"one"}"#,
            "\n",
            r#"{"MESSAGE":[116,119,255],"__CURSOR":"s=2","_PID":"1"}"#,
            "\n",
            "no entry\n",
            r#"{"__CURSOR":"s=3","MESSAGE":null}"#,
            "\n",
            r#"{"__CURSOR":"s=4","MESSAGE":"two\nlines"}"#,
            "\n{\"__CURSOR\":\"s=5\","
        );
        for size in [1, 7, stream.len()] {
            let (mut entries, mut batch) = (Entries::default(), Batch::default());
            let mut cursor = String::new();
            for piece in stream.as_bytes().chunks(size) {
                entries.take(piece, &mut batch, &mut cursor);
            }
            assert_eq!(batch.text, b"one\ntw\xff\ntwo\nlines\n", "{size}");
            assert_eq!((batch.too_long, cursor.as_str()), (1, "s=4"));
        }
    }

    #[test]
    fn an_entry_without_end_costs_no_memory() {
        let (mut entries, mut batch) = (Entries::default(), Batch::default());
        let mut cursor = String::new();
        for _ in 0..50 {
            entries.take(&vec![b'x'; LONGEST / 2], &mut batch, &mut cursor);
            assert!(entries.open.len() <= 5 * LONGEST);
        }
        let rest = "\n{\"__CURSOR\":\"s\",\"MESSAGE\":\"a\"}\n";
        entries.take(rest.as_bytes(), &mut batch, &mut cursor);
        assert_eq!((batch.too_long, batch.text.as_slice()), (1, &b"a\n"[..]));
    }
}
