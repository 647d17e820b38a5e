//! Scraping, rule groups that become alerts, and the shipped rules.
//!
//! A page of metrics goes in through [`Intake`], which stores its samples and
//! ends the series that are gone. A [`RuleSet`] is loaded from rule files as
//! Prometheus has them, asks the store at each group's time, and returns the
//! alerts that the alerter must hear of. Time is a parameter; only [`RuleFiles`],
//! [`Discovery`] and [`Runbooks::read`] open files, and only [`Foreign`] opens sockets.

mod alerting;
mod behind;
mod check;
mod config;
mod evaluation;
mod figures;
mod file;
mod foreign;
mod format;
mod group;
mod kept;
mod outputs;
pub mod pack;
mod prometheus;
mod query;
mod question;
pub mod relabel;
mod rule;
mod runbook;
mod scrape;
mod set;
mod template;
pub mod unit_test;
mod unmatched;

pub use alerting::{Active, State};
pub use check::{Checked, check};
pub use config::{Config, RuleFiles, listed_files, matching_files};
pub use evaluation::Evaluation;
pub use figures::write_target_figures;
pub use file::{GroupSpec, RuleKind, RuleSpec, Source};
pub use foreign::{
    Authorization, BasicAuth, Clients, Container, Discovery, DockerConfig, Dropped, Fetched,
    FileConfig, Foreign, Job, Network, NetworkFacts, Offer, Port, Protocol, Refused, Rhythm,
    Scheme, Scrapes, StaticConfig, Tls,
};
pub use format::{Formatted, format};
pub use group::Group;
pub use kept::{Kept, KeptAlert, KeptRule, Outage};
pub use prometheus::{Alertmanager, PrometheusFile};
pub use rule::{Health, Rule};
pub use runbook::{ALL as RUNBOOKS, PATH as RUNBOOK_PATH, Runbook, Runbooks};
pub use scrape::{Intake, Limits, Origin, Page, Status, Target};
pub use set::{Due, RuleSet, Site};
pub use unmatched::{Reads, Unmatched};
