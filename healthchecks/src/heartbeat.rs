//! Heartbeats: jobs that tell us that they ran, and when they should have.
//!
//! A job asks for `/ping/NAME` when it is done; the [`Book`] knows when that is
//! expected next and what it means when it does not come. Nothing here reads a
//! clock, a socket or a disk, and nothing alerts: states are published as samples.

mod book;
mod config;
mod cron;
mod page;
mod ping;
mod record;
mod schedule;
mod together;

pub use book::{Book, Refusal, Taken};
pub use config::{Config, Expected};
pub use cron::Cron;
pub use page::View;
pub use ping::{Kind, Ping, valid_name};
pub use record::{Kept, State};
pub use schedule::Schedule;
