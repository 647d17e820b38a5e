//! Collectors for the host, its containers and what runs in them.
//!
//! Each collector reads its source at a scrape and writes exposition text. None
//! of them stores a series, judges a value or sends an alert, and none makes
//! the page wait for a source that hangs.

mod amqp;
pub mod api;
pub mod celery;
pub mod container;
mod crew;
mod dbus;
mod du;
mod files;
mod fleet;
pub mod host;
pub mod logs;
mod pieces;
pub mod postgres;
pub mod redis;
mod served;
mod tail;
mod tallies;
mod tls;

pub use fleet::Standing;
