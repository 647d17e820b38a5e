//! What compose files declare: services, profiles, networks and volumes, after
//! overrides, includes, extensions and variables, as `docker compose` takes them.
//!
//! It reads names only, so that what is declared can be held beside what is
//! there. It asks no engine, starts nothing, and keeps nothing of a service's
//! environment, where secrets are, and of its labels only the one that is ours. Files come through a closure; however hostile
//! they are, the work is bounded.

mod environment;
mod extract;
mod find;
mod load;
mod merge;
mod model;
mod ports;
mod value;

pub use find::usual_files;
pub use load::{Error, Source, load};
pub use model::{Condition, Port, Project, Resource, Service};

/// Reads a file's text.
pub type Read<'a> = &'a dyn Fn(&std::path::Path) -> std::io::Result<String>;

#[cfg(test)]
mod tests;
