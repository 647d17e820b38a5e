//! Backups that are proven to restore, and the watch over those that others make.
//!
//! A backup is one stream from its source through [`seal`] into every target at
//! once; the manifest, written last, makes it one. What another tool leaves in a
//! folder is watched by its newest file. Nothing here alerts: what is known
//! becomes samples, and rules decide what is too old.

pub mod age;
mod apart;
pub mod archive;
pub mod attest;
mod blocks;
pub mod bootstrap;
pub mod catalogue;
mod config;
mod coverage;
pub mod drill;
pub mod fetch;
pub mod files;
pub mod flow;
mod folder;
pub mod found;
mod hook;
pub mod id;
pub mod known;
pub mod manifest;
pub mod marks;
mod note;
mod ours;
mod page;
pub mod ping;
pub mod postgres;
pub mod propose;
pub mod prune;
pub mod quiet;
pub mod replicate;
pub mod restore;
pub mod retain;
mod root;
pub mod run;
pub mod schedule;
pub mod seal;
mod setup;
pub mod target;
pub mod tool;
pub mod verify;

pub use config::{Around, Config, Job, Keep, Place, Watch};
pub use coverage::{Coverage, Served, Volume, coverage, of_database, of_served};
pub use folder::{Copies, look};
pub use page::page;
pub use root::Root;
pub use setup::Setup;
