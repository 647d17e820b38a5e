//! A project as its files declare it.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the files of a project declare together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Its services by name, those of other profiles too.
    pub services: BTreeMap<String, Service>,
    /// Its networks by their key.
    pub networks: BTreeMap<String, Resource>,
    /// Its volumes by their key.
    pub volumes: BTreeMap<String, Resource>,
    /// All files that it was read from, those for variables too, whether they
    /// are there or not.
    pub files: Vec<PathBuf>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// What it is made from; empty when it is built, and where a variable for
    /// it is known only to whoever starts it.
    pub image: String,
    /// The profiles it belongs to; none is always there.
    pub profiles: Vec<String>,
    /// Whether it has no profile, or one that is active.
    pub enabled: bool,
    /// How many containers it is to have.
    pub replicas: u64,
    /// The services that it waits for.
    pub depends_on: BTreeMap<String, Condition>,
    /// The networks that it joins, by key.
    pub networks: Vec<String>,
    /// The named volumes that it mounts, by key.
    pub volumes: Vec<String>,
    /// The name that its container is to have; empty: one that compose makes.
    pub container_name: String,
    /// How it asks to be looked at, by the label `belfry.probe`; empty if it does not.
    pub probe: String,
    /// The ports of TCP that it publishes at a place that is known beforehand.
    pub ports: Vec<Port>,
}

/// A port of a service that the host passes on to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The address of the host; empty for all of them.
    pub host: String,
    /// The port of the host.
    pub published: u16,
    /// The service's own port.
    pub private: u16,
}

impl Service {
    /// How many containers there should be now.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        if self.enabled { self.replicas } else { 0 }
    }
}

/// Until when a service waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Condition {
    /// Until it runs.
    #[default]
    Started,
    /// Until its check passes.
    Healthy,
    /// Until it has ended well.
    Completed,
}

/// A network or a volume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource {
    /// The engine's name for it; empty where a variable hides it.
    pub name: String,
    /// Whether somebody else makes it.
    pub external: bool,
    /// Whether a service uses it that should have containers now.
    pub needed: bool,
}
