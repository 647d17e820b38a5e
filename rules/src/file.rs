//! Rule files: Prometheus' own YAML, read strictly.
//!
//! A file that has any fault is refused, and all faults of all files are told
//! at once, each with its line and column. Nothing here opens files, and
//! nothing here evaluates.

pub(crate) mod fields;
mod group;
pub(crate) mod spelled;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use settings::{Fault, Place};

/// The text of one rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How the file is named in faults, in the API and in the kept state.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// One group as its file states it.
#[derive(Debug)]
pub struct GroupSpec {
    /// The file it stands in.
    pub file: Arc<str>,
    /// Its name, which no other group of the file has.
    pub name: String,
    /// Time between evaluations in milliseconds; absent means the default.
    pub interval_ms: Option<i64>,
    /// How far behind the clock it evaluates, in milliseconds.
    pub query_offset_ms: i64,
    /// The most series or alerts a rule of it may have; 0 means no limit.
    pub limit: usize,
    /// Its rules, in the order in which they are evaluated.
    pub rules: Vec<RuleSpec>,
}

/// One rule as its file states it.
#[derive(Debug)]
pub struct RuleSpec {
    /// The alert's or the recorded series' name.
    pub name: String,
    /// The expression as it was written.
    pub text: String,
    /// The expression.
    pub expr: promql::Expr,
    /// Labels it sets, the group's among them; templates in an alerting rule.
    pub labels: BTreeMap<String, String>,
    /// What becomes of the result.
    pub kind: RuleKind,
    /// Where the rule begins.
    pub place: Place,
    /// Where its expression begins.
    pub expr_place: Place,
}

/// What becomes of a rule's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// It is stored under the rule's name.
    Record,
    /// Each series of it is an alert.
    Alert {
        /// How long it must last before it fires, in milliseconds.
        for_ms: i64,
        /// How long it goes on firing behind its end, in milliseconds.
        keep_firing_ms: i64,
        /// Templates of what is said about it.
        annotations: BTreeMap<String, String>,
    },
}

/// Reads files in order; the faults of all of them if there is any.
pub(crate) fn read(files: &[Source]) -> Result<Vec<GroupSpec>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut groups = Vec::new();
    for file in files {
        let (found, wrong) = read_all(file);
        groups.extend(found);
        faults.extend(wrong);
    }
    if faults.is_empty() {
        Ok(groups)
    } else {
        Err(faults)
    }
}

/// Reads a file as far as it can be read: the groups that are whole, and all faults.
pub(crate) fn read_all(file: &Source) -> (Vec<GroupSpec>, Vec<Fault>) {
    let (mut groups, mut faults) = (Vec::new(), Vec::new());
    match settings::parse(&file.name, &file.text) {
        Ok(root) => group::file(file, &root, &mut groups, &mut faults),
        Err(fault) => faults.push(fault),
    }
    (groups, faults)
}
