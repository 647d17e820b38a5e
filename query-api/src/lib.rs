//! Prometheus' HTTP query API over the series store, as its 3.x releases serve it.
//!
//! [`router`] answers what dashboards, `promtool` and other clients ask:
//! queries, series, labels, metadata, targets, rules, alerts, status,
//! federation, and the remote_write 1.0 receiver. What lives elsewhere (rules,
//! targets, configuration) comes as views through the closures of a [`Source`].
//! Whatever is asked is bounded: bytes read, time taken, values held, and how
//! many questions are worked on or wait at once. Nothing here evaluates rules,
//! scrapes, or decides who may ask.

mod answer;
mod ask;
mod failure;
mod federate;
mod form;
mod gate;
mod graph;
mod json;
mod listing;
mod metadata;
mod pack;
mod query;
mod routes;
mod rules;
mod selectors;
mod source;
mod status;
mod targets;
mod times;
mod tsdb;
mod view;
mod write;

pub use routes::router;
pub use source::{Build, Limits, Runtime, Source, View};
pub use view::{
    Alert, Alertmanagers, DroppedTarget, Health, Metadata, Rule, RuleGroup, RuleKind, RuleState,
    Target, Targets,
};
