//! The last lines of a log, with tracebacks as one entry each.
//!
//! What belongs together is told by its form: indented lines belong to the line
//! before them, and Python, Java, Go and Node have words of their own. Nothing
//! here grows beyond its bounds, and only masked lines come here.

use std::borrow::Cow;
use std::collections::VecDeque;

/// A longer line is read only so far, in bytes.
const SEARCHED: usize = 16 << 10;
/// What is kept of a line, in bytes.
const WIDEST: usize = 1000;
/// Lines of one entry; of a longer one the middle is left out.
const TALLEST: usize = 100;
/// So many of them are its begin.
const HEAD: usize = 30;
/// So many tracebacks are kept beside the last lines.
const TRACEBACKS: usize = 3;

/// A line, with those that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When its first line came, in milliseconds since 1970.
    pub at_ms: i64,
    /// Its lines, masked and without control characters.
    pub lines: Vec<String>,
    /// Whether it is a traceback.
    pub traceback: bool,
    /// Lines that were left out behind the first 30.
    pub left_out: usize,
}

/// The last entries of one log.
#[derive(Debug, Default)]
pub(super) struct Entries {
    last: VecDeque<Entry>,
    /// Those that have left `last`.
    tracebacks: VecDeque<Entry>,
    most: usize,
    open: Open,
}

/// What may still come of the last entry.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Open {
    /// Indented lines.
    #[default]
    Plain,
    /// Python's: one line that is not indented ends it.
    Python,
    /// Python's, behind its end: an empty line, and words that join another.
    PythonEnded,
    /// Go's: goroutines, until something else comes.
    Go,
}

impl Entries {
    /// Keeps so many lines.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Takes the next line, which is [`readable`] and masked; true when a traceback
    /// begins with it.
    pub(super) fn add(&mut self, line: &str, at_ms: i64) -> bool {
        let line = narrow(line);
        if self.belongs(&line) {
            let open = self.open;
            if let Some(entry) = self.last.back_mut() {
                let began = entry.traceback;
                entry.traceback |= is_frame(&line) || begins(&line).is_some();
                entry.add(line.clone());
                let fresh = entry.traceback && !began;
                self.open = continued(open, &line);
                return fresh;
            }
        }
        let begun = begins(&line);
        self.open = begun.unwrap_or_default();
        if line.is_empty() {
            return false;
        }
        self.last.push_back(Entry {
            at_ms,
            lines: vec![line],
            traceback: begun.is_some(),
            left_out: 0,
        });
        self.bound();
        begun.is_some()
    }

    /// The last entries, the oldest first, and tracebacks that came before them.
    pub(super) fn all(&self) -> (Vec<Entry>, Vec<Entry>) {
        (
            self.last.iter().cloned().collect(),
            self.tracebacks.iter().cloned().collect(),
        )
    }

    fn belongs(&self, line: &str) -> bool {
        let Some(last) = self.last.back() else {
            return false;
        };
        let indented = line.starts_with([' ', '\t']);
        let joins = line.starts_with("Caused by: ")
            || line.starts_with("During handling of the above")
            || line.starts_with("The above exception was");
        match self.open {
            Open::Python => true,
            Open::PythonEnded => {
                line.is_empty() || joins || indented || begins(line) == Some(Open::Python)
            }
            Open::Go => line.is_empty() || indented || is_go(line),
            Open::Plain => indented || joins && last.traceback,
        }
    }

    /// For those who throw any bytes at it.
    ///
    /// # Panics
    /// If more is kept than is allowed.
    pub(super) fn check(&self) {
        // The last entry may still grow, and it alone; letters are not parted.
        let (entry, wide) = (TALLEST, WIDEST + '…'.len_utf8() + 3);
        let lines = |entries: &VecDeque<Entry>| -> usize {
            entries.iter().map(|entry| entry.lines.len()).sum()
        };
        assert!(lines(&self.last) < self.most.max(1) + entry);
        assert!(self.tracebacks.len() <= TRACEBACKS);
        for one in self.last.iter().chain(&self.tracebacks) {
            assert!(one.lines.len() <= entry);
            assert!(one.lines.iter().all(|line| line.len() <= wide));
        }
    }

    /// Lines beyond the most go, the oldest first; one entry always stays.
    fn bound(&mut self) {
        let mut lines: usize = self.last.iter().map(|entry| entry.lines.len()).sum();
        while lines > self.most.max(1) && self.last.len() > 1 {
            let Some(old) = self.last.pop_front() else {
                break;
            };
            lines -= old.lines.len();
            if old.traceback {
                self.tracebacks.push_back(old);
                if self.tracebacks.len() > TRACEBACKS {
                    self.tracebacks.pop_front();
                }
            }
        }
    }
}

impl Entry {
    fn add(&mut self, line: String) {
        self.lines.push(line);
        if self.lines.len() > TALLEST {
            self.lines.remove(HEAD);
            self.left_out += 1;
        }
    }
}

/// Which kind of traceback begins with a line.
fn begins(line: &str) -> Option<Open> {
    // A time and a level may stand in front.
    if line.contains("Traceback (most recent call last):") {
        return Some(Open::Python);
    }
    let go = line.starts_with("panic: ") || line.starts_with("fatal error: ");
    if go {
        return Some(Open::Go);
    }
    let java = line.starts_with("Exception in thread ") || line.contains("Uncaught ");
    java.then_some(Open::Plain)
}

fn continued(open: Open, line: &str) -> Open {
    let indented = line.starts_with([' ', '\t']);
    match open {
        Open::Python | Open::PythonEnded if begins(line) == Some(Open::Python) => Open::Python,
        Open::Python if indented || line.is_empty() => Open::Python,
        Open::Python | Open::PythonEnded => Open::PythonEnded,
        other => other,
    }
}

/// Whether an indented line is a place in a program: `at f (a.js:1:2)`, and
/// Python's `File "a.py", line 1`.
fn is_frame(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("at ") && (line.contains('(') || line.contains(':'))
        || line.starts_with("File \"") && line.contains(", line ")
}

/// Whether a line is part of what Go prints for its goroutines.
fn is_go(line: &str) -> bool {
    [
        "goroutine ",
        "created by ",
        "[signal ",
        "exit status ",
        "panic: ",
        "runtime.",
    ]
    .iter()
    .any(|begin| line.starts_with(begin))
        || line.ends_with(')') && line.contains('(') && line.contains('.') && !line.contains(": ")
}

/// A line, cut where it is too wide.
pub(super) fn narrow(line: &str) -> String {
    if line.len() <= WIDEST {
        return line.to_owned();
    }
    let end = (WIDEST..).find(|at| line.is_char_boundary(*at));
    format!("{}…", &line[..end.unwrap_or(line.len())])
}

/// A line as it is searched and kept: text, without colours, which would part a
/// secret's name from the secret, and no longer than is worth reading.
pub(super) fn readable(line: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(&line[..line.len().min(SEARCHED)]) {
        Cow::Borrowed(line) => plain(line),
        Cow::Owned(line) => Cow::Owned(plain(&line).into_owned()),
    }
}

/// A line without colours and other control characters.
fn plain(line: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter == '\t' || !letter.is_control();
    if line.chars().all(is_plain) {
        return Cow::Borrowed(line.trim_end());
    }
    let mut out = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            // ESC [ ... letter
            '\u{1b}' => {
                if letters.next() == Some('[') {
                    letters.by_ref().find(|letter| letter.is_ascii_alphabetic());
                }
            }
            letter if !is_plain(letter) => {}
            letter => out.push(letter),
        }
    }
    out.truncate(out.trim_end().len());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
