//! Which alerts a route tree speaks of by name.

use alert::Set;

use super::compile::{Problems, matchers};
use super::{Config, Route};
use crate::matcher::Op;

/// The labels by which a node can speak of an alert.
const NAMES: [&str; 2] = ["alertname", "severity"];

impl Config {
    /// Whether a node of the tree asks for these labels by their name or severity.
    /// The built-in tree asks for nothing of the kind but the usual severities.
    #[must_use]
    pub fn names(&self, labels: &Set) -> bool {
        self.route
            .as_ref()
            .is_some_and(|route| named(route, labels))
    }
}

fn named(route: &Route, labels: &Set) -> bool {
    let found = matchers(
        &[
            ("match", Op::Equal, &route.r#match),
            ("match_re", Op::Regex, &route.match_re),
        ],
        ("matchers", &route.matchers),
        "",
        // Whatever is wrong was told when the configuration was read.
        &mut Problems::default(),
    );
    let asks = found.iter().any(|matcher| {
        NAMES.contains(&&*matcher.name)
            && matches!(matcher.op, Op::Equal | Op::Regex)
            && matcher.matches(labels)
    });
    asks || route.routes.iter().any(|below| named(below, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_names_what_one_of_its_nodes_asks_for() {
        let labels: Set = [("alertname", "Watchdog"), ("severity", "none")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (text, expected) in [
            ("{}", false),
            ("route: {receiver: a}", false),
            (
                "route: {receiver: a, routes: [{matchers: ['severity=\"critical\"']}]}",
                false,
            ),
            (
                "route: {receiver: a, routes: [{matchers: ['alertname!=\"Other\"']}]}",
                false,
            ),
            (
                "route: {receiver: a, routes: [{matchers: ['component=\"belfry\"']}]}",
                false,
            ),
            (
                "route: {receiver: a, routes: [{matchers: ['alertname=\"Watchdog\"']}]}",
                true,
            ),
            (
                "route: {receiver: a, routes: [{match: {severity: none}}]}",
                true,
            ),
            (
                "route: {receiver: a, routes: [{routes: [{match_re: {alertname: 'Watch.*'}}]}]}",
                true,
            ),
        ] {
            let config: Config = settings::read("x.yml".as_ref(), text, &|_| None).unwrap();
            assert_eq!(config.names(&labels), expected, "{text}");
        }
    }
}
