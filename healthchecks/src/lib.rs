//! Readiness, liveness, heartbeats, and discovery of what a host runs.
//!
//! Nothing here alerts: what it knows is served at `/health/*`, shown on the
//! page, and published as samples.

pub mod discover;
pub mod heartbeat;
pub mod liveness;
pub mod readiness;
