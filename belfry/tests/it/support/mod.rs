//! Real servers for the tests, each with ports, folders and processes of its own.
//!
//! A test may run beside any other, and by hand. A server that is not installed
//! fails the test with the line that installs it; nothing is ever skipped.
//! Everything a test started ends with it, also when it panics; what a killed
//! test leaves is taken away by `scripts/sweep`.

pub(crate) mod alertmanager;
pub(crate) mod alone;
pub(crate) mod belfry;
pub(crate) mod celery;
pub(crate) mod certificate;
pub(crate) mod chromium;
pub(crate) mod claim;
pub(crate) mod clock;
pub(crate) mod container;
pub(crate) mod devtools;
pub(crate) mod engine;
pub(crate) mod fault;
pub(crate) mod http;
pub(crate) mod lan;
pub(crate) mod mail;
pub(crate) mod peer;
pub(crate) mod poll;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod prometheus;
pub(crate) mod redis;
pub(crate) mod returning;
pub(crate) mod scratch;
pub(crate) mod sink;
pub(crate) mod smtp;
pub(crate) mod web;
