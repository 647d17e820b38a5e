//! Unit tests of rules, in the file format of `promtool test rules`.
//!
//! A test gives series of samples from a time 0 on; the rules are evaluated over
//! them step by step, and what fires at named times is compared, labels and
//! annotations alike. The files run under promtool as they are.

mod check;
mod file;
#[cfg(test)]
mod missing;
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

/// What a test asks about an alert at a time: its name, and the severities that are
/// expected; none where nothing is to fire.
#[cfg(test)]
pub(crate) type Asked = (String, Vec<String>);

/// The alerts that each test of a file asks about, in the order of time.
#[cfg(test)]
pub(crate) fn asked(test: &Source) -> Vec<Vec<Asked>> {
    let of = |mut test: file::Test| {
        test.alerts.sort_by_key(|case| case.at_ms);
        let cases = test.alerts.into_iter();
        cases
            .map(|case| {
                let severity = |(labels, _): &(alert::Set, _)| labels["severity"].clone();
                (case.name, case.expected.iter().map(severity).collect())
            })
            .collect()
    };
    let tests = file::read(test).unwrap().tests;
    tests.into_iter().map(of).collect()
}

/// Each alert that fires in a test file, the name of some of the series that its rule reads
/// there, and whether it fires without these as well.
#[cfg(test)]
pub(crate) fn without_each(test: &Source, rules: &[Source]) -> Vec<(String, String, bool)> {
    missing::without_each(&file::read(test).unwrap(), rules)
}
