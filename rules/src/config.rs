//! The `rules` section of belfry.yml.

use std::collections::BTreeMap;
use std::time::Duration;

settings::section! {
    /// Rules that turn what is measured into alerts.
    pub struct Config {
        /// Rule files in Prometheus' format; `*` and `?` stand for parts of a name.
        pub files: Vec<String> = vec![],
        /// Whether the shipped rules are used.
        pub pack: bool = true,
        /// Names of alerts that are left out, of the shipped rules and of the files.
        pub disable: Vec<String> = vec![],
        /// Time between evaluations of a group that states none.
        pub interval: Duration = Duration::from_secs(15),
        /// Time after which an alert that goes on is handed to the alerter again.
        pub resend: Duration = Duration::from_secs(60),
        /// Labels for every alert that does not have them.
        pub external_labels: BTreeMap<String, String> = BTreeMap::new(),
    }
}
