//! The collectors against real kernels and a real engine.

mod fuse;
mod hung_mount;
