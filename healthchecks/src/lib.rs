//! Readiness, liveness, and discovery of what a host runs.
