//! The collectors against real kernels and real engines.

#[cfg(test)]
mod containers;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod engine_faults;
#[cfg(test)]
mod fuse;
#[cfg(test)]
mod hung_mount;
#[cfg(test)]
mod watch;
