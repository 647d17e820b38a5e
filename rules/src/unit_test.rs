//! Unit tests of rules, in the file format of `promtool test rules`.
//!
//! A test gives series of samples from a time 0 on; the rules are evaluated over
//! them step by step, and what fires at named times is compared, labels and
//! annotations alike. The files run under promtool as they are.

mod check;
mod file;
#[cfg(test)]
mod mutants;
mod notation;
#[cfg(test)]
mod random;
mod run;
#[cfg(test)]
mod tests;

use settings::Fault;

use crate::Source;

/// What came of one test file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many expectations were compared.
    pub checked: usize,
    /// Those that did not come true, in the order of the file.
    pub failures: Vec<Failure>,
}

/// One expectation that did not come true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where the expectation stands.
    pub place: settings::Place,
    /// The test's name; empty when it has none.
    pub test: String,
    /// What was expected and what was there.
    pub message: String,
}

/// Runs one test file. `rules` gives the rule files behind one entry of the
/// file's `rule_files`, which may be a glob; nothing behind it is a fault.
pub fn run(
    test: &Source,
    rules: impl Fn(&str) -> Result<Vec<Source>, String>,
) -> Result<Report, Vec<Fault>> {
    let file = file::read(test)?;
    let mut sources = Vec::new();
    for (pattern, place) in &file.rule_files {
        match rules(pattern) {
            Ok(found) => sources.extend(found),
            Err(message) => {
                return Err(vec![Fault {
                    place: place.clone(),
                    key: "rule_files".into(),
                    message,
                }]);
            }
        }
    }
    run::file(&file, &sources)
}

/// The alerts that a test file asks about, a time each: the name, and the severities
/// that are expected there; none where nothing is to fire.
#[cfg(test)]
pub(crate) fn asked(test: &Source) -> Vec<(String, Vec<String>)> {
    let tests = file::read(test).unwrap().tests;
    let cases = tests.into_iter().flat_map(|test| test.alerts);
    cases
        .map(|case| {
            let severity = |(labels, _): &(alert::Set, _)| labels["severity"].clone();
            (case.name, case.expected.iter().map(severity).collect())
        })
        .collect()
}
