//! Reading the rule files that a configuration names.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use settings::{Fault, Place};

use super::glob;
use crate::Source;

/// A rule file is no longer than this, in bytes.
const LONGEST: u64 = 16 << 20;

/// What is behind the patterns of a configuration.
#[derive(Debug, Default)]
pub struct RuleFiles {
    /// The text of each file, once however many patterns it fits.
    pub sources: Vec<Source>,
    /// Patterns that no file fits.
    pub empty: Vec<PathBuf>,
    /// Files that were named in full and are not there.
    pub missing: Vec<PathBuf>,
    /// Files that are there and cannot be read.
    pub unreadable: Vec<Fault>,
}

impl RuleFiles {
    /// Reads them.
    pub fn read(patterns: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        let mut out = Self::default();
        let mut taken = BTreeSet::new();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            match glob::files(pattern) {
                Ok(paths) if paths.is_empty() => out.empty.push(pattern.to_owned()),
                Ok(paths) => {
                    for path in paths {
                        if taken.insert(std::path::absolute(&path).unwrap_or_else(|_| path.clone()))
                        {
                            out.read_one(&path);
                        }
                    }
                }
                Err(err) => out.unreadable.push(fault(pattern, &err)),
            }
        }
        out
    }

    fn read_one(&mut self, path: &Path) {
        match settings::read_file(path, LONGEST) {
            Ok(text) => self.sources.push(Source {
                name: path.display().to_string(),
                text,
            }),
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                self.missing.push(path.to_owned());
            }
            Err(err) => self.unreadable.push(fault(path, &err)),
        }
    }

    /// Why not all of them could be read, where each that is named has to be there.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let missing = self.missing.iter();
        let missing = missing.map(|path| fault(path, &"there is no such file"));
        missing.chain(self.unreadable.iter().cloned()).collect()
    }
}

fn fault(path: &Path, why: &dyn Display) -> Fault {
    Fault {
        place: Place::Line {
            file: path.display().to_string().into(),
            line: 1,
            column: 1,
        },
        key: String::new(),
        message: format!("cannot read the rule file: {why}"),
    }
}
