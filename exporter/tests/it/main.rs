//! The collectors against real kernels, real engines and real servers.

#[cfg(test)]
mod celery;
#[cfg(test)]
mod celery_faults;
#[cfg(test)]
mod compose;
#[cfg(test)]
mod containers;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod engine_faults;
#[cfg(test)]
mod fuse;
#[cfg(test)]
mod host;
#[cfg(test)]
mod hung_mount;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod lying_engine;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod podman;
#[cfg(test)]
mod possessions;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod rabbit;
#[cfg(test)]
mod recorded_engine;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod rootless;
#[cfg(test)]
mod server;
#[cfg(test)]
mod systemd;
#[cfg(test)]
mod unified;
#[cfg(test)]
mod watch;
