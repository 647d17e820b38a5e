//! The whole API over HTTP: golden answers, hostile questions, and the same
//! questions asked of Debian's Prometheus.

#![cfg(test)]

mod differential;
mod errors;
mod golden;
mod grafana;
mod graph;
mod hostile;
mod promtool;
mod receive;
mod rollups;
mod rules;
mod same;
mod scraped;
mod support;
mod vmalert;
