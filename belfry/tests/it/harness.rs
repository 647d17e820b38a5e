//! Each support server proves that it is the real thing before any other test relies on it.

mod belfry;
mod engine;
mod servers;
mod smtp;
