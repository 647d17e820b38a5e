//! Reading the rule files that a configuration names.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Files, or the folders of patterns, whose disk does not answer.
    pub silent: Vec<PathBuf>,
}

/// What a look at a file brings.
enum Look {
    Text(io::Result<String>),
    /// A folder, or a link that leads nowhere, whose name fits a pattern.
    NoFile,
}

impl RuleFiles {
    /// Reads them. A disk that does not answer is waited for some seconds, and costs the
    /// files on it.
    pub fn read(patterns: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        let mut out = Self::default();
        let mut known = BTreeSet::new();
        let patterns = patterns.into_iter().map(|path| path.as_ref().to_owned());
        let patterns: Vec<_> = patterns.filter(|path| known.insert(path.clone())).collect();
        let listed = settings::looks(patterns.clone(), glob::listed);
        let (mut paths, mut places) = (Vec::new(), BTreeMap::new());
        let mut found = Vec::new();
        for (pattern, listed) in patterns.into_iter().zip(listed) {
            match listed {
                Some(Ok(all)) => {
                    let named = all == [pattern.as_path()];
                    let places = all.into_iter().map(|path| {
                        let whole = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
                        *places.entry(whole).or_insert_with(|| {
                            paths.push((path, named));
                            paths.len() - 1
                        })
                    });
                    found.push((pattern, places.collect::<Vec<_>>()));
                }
                Some(Err(err)) => out.unreadable.push(fault(&pattern, &err)),
                None => out.silent.push(pattern),
            }
        }
        let looked = out.read_all(paths);
        let empty = |(pattern, places): (PathBuf, Vec<usize>)| {
            (!places.into_iter().any(|place| looked[place])).then_some(pattern)
        };
        out.empty.extend(found.into_iter().filter_map(empty));
        out
    }

    /// Reads files, of which some were named and others fit a pattern; says which of them
    /// are files.
    fn read_all(&mut self, paths: Vec<(PathBuf, bool)>) -> Vec<bool> {
        let fit: BTreeSet<_> = paths.iter().filter(|(_, named)| !named).cloned().collect();
        let all = paths.iter().map(|(path, _)| path.clone()).collect();
        let looked = settings::looks(all, move |path| {
            match fit.contains(&(path.to_owned(), false)) && !glob::is_file(path) {
                true => Look::NoFile,
                false => Look::Text(settings::read_file(path, LONGEST)),
            }
        });
        let taken = paths.into_iter().zip(looked);
        taken
            .map(|((path, _), look)| self.take(path, look))
            .collect()
    }

    /// Takes what came of a look at a file, and says whether it is one.
    fn take(&mut self, path: PathBuf, look: Option<Look>) -> bool {
        match look {
            None => self.silent.push(path),
            Some(Look::NoFile) => return false,
            Some(Look::Text(Ok(text))) => self.sources.push(Source {
                name: path.display().to_string(),
                text,
            }),
            Some(Look::Text(Err(err))) if err.kind() == io::ErrorKind::NotFound => {
                self.missing.push(path);
            }
            Some(Look::Text(Err(err))) => self.unreadable.push(fault(&path, &err)),
        }
        true
    }

    /// Why not all of them could be read, where each that is named has to be there. Of a
    /// disk that does not answer `silent` tells.
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
