//! The collectors against real kernels and a real engine.

#[cfg(test)]
mod fuse;
#[cfg(test)]
mod hung_mount;
