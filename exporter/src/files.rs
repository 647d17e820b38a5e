//! Small files of the kernel, read under roots that need not be `/`.
//!
//! Every read reuses one buffer. Nothing here has a deadline: what can hang is
//! called from a [`crate::crew::Crew`].

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that is read of one file; no file of the kernel's that we want is
/// nearly as long.
const LONGEST: usize = 8 << 20;

/// Where the host's trees are seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roots {
    pub(crate) proc: PathBuf,
    pub(crate) sys: PathBuf,
    /// The host's `/`.
    pub(crate) root: PathBuf,
}

/// Why a collector has nothing to say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// This machine has no such source; nobody needs to hear of it.
    #[error("this machine has no {0}")]
    Absent(String),
    /// The source is there and cannot be read.
    #[error("cannot read {0}")]
    Unreadable(String, #[source] io::Error),
    /// The source says something we do not understand.
    #[error("cannot make sense of {0}")]
    Malformed(&'static str),
    /// The source does not answer.
    #[error("no answer")]
    Late,
}

/// Reads files under the roots with one buffer.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    pub(crate) roots: &'a Roots,
    buffer: Vec<u8>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(roots: &'a Roots) -> Self {
        Self {
            roots,
            buffer: Vec::new(),
        }
    }

    /// The text of a file under the proc root.
    pub(crate) fn proc(&mut self, path: &str) -> Result<Cow<'_, str>, Failure> {
        self.text(&self.roots.proc.join(path))
    }

    /// The text of a file under the sys root.
    pub(crate) fn sys(&mut self, path: &str) -> Result<Cow<'_, str>, Failure> {
        self.text(&self.roots.sys.join(path))
    }

    /// The text of a file in the host's network namespace. In a container
    /// `<proc>/net` would be the container's; process 1 has the host's.
    pub(crate) fn net(&mut self, file: &str) -> Result<Cow<'_, str>, Failure> {
        let of_init = self.roots.proc.join("1/net").join(file);
        let path = match self.fill(&of_init) {
            Ok(()) => return Ok(String::from_utf8_lossy(&self.buffer)),
            // A missing file is missing in each namespace.
            Err(_) => self.roots.proc.join("net").join(file),
        };
        self.text(&path)
    }

    /// The text of any file. Bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn text(&mut self, path: &Path) -> Result<Cow<'_, str>, Failure> {
        match self.fill(path) {
            Ok(()) => Ok(String::from_utf8_lossy(&self.buffer)),
            Err(err) => Err(failure(path, err)),
        }
    }

    /// The trimmed text of a file, where it can be read and is not empty.
    pub(crate) fn word(&mut self, path: &Path) -> Option<Cow<'_, str>> {
        self.fill(path).ok()?;
        let text = String::from_utf8_lossy(self.buffer.trim_ascii());
        (!text.is_empty()).then_some(text)
    }

    /// The one number a file holds, where it can be read.
    pub(crate) fn number(&mut self, path: &Path) -> Option<f64> {
        self.word(path)?.parse().ok()
    }

    fn fill(&mut self, path: &Path) -> io::Result<()> {
        self.buffer.clear();
        let mut file = File::open(path)?;
        let mut filled = 0;
        loop {
            if self.buffer.len() == filled {
                self.buffer.resize((filled * 2).max(4096), 0);
            }
            match file.read(&mut self.buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => {
                    self.buffer.clear();
                    return Err(err);
                }
            }
            if filled >= LONGEST {
                break;
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }
}

/// The names in a folder, sorted; empty where there is none.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

fn failure(path: &Path, err: io::Error) -> Failure {
    // PSI that is switched off at boot answers "not supported".
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::Unsupported];
    let path = path.display().to_string();
    if absent.contains(&err.kind()) {
        Failure::Absent(path)
    } else {
        Failure::Unreadable(path, err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_and_one_that_is_missing_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(10_000);
        std::fs::write(folder.path().join("long"), &long).unwrap();
        std::fs::write(folder.path().join("number"), " 42\n").unwrap();
        std::fs::write(folder.path().join("bytes"), [b'a', 0xff]).unwrap();
        let roots = Roots {
            proc: folder.path().into(),
            sys: folder.path().into(),
            root: folder.path().into(),
        };
        let mut files = Files::new(&roots);
        assert_eq!(files.proc("long").unwrap(), long);
        assert_eq!(files.number(&folder.path().join("number")), Some(42.0));
        assert_eq!(files.sys("bytes").unwrap(), "a\u{fffd}");
        assert!(matches!(files.proc("none"), Err(Failure::Absent(_))));
        assert!(matches!(files.proc(""), Err(Failure::Unreadable(..))));
    }
}
