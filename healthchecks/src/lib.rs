//! Readiness, liveness, heartbeats, probes, and discovery of what a host runs.
//!
//! Nothing here alerts: what it knows is served at `/health/*`, shown on the
//! page, and published as samples.

pub mod deadman;
pub mod discover;
pub mod heartbeat;
mod labels;
pub mod liveness;
pub mod peer;
pub mod probe;
pub mod readiness;
pub mod service;
