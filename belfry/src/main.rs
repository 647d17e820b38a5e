//! Watches a Docker host, pages a person by mail, and proves that its backups
//! restore.

mod alertmanager;
mod app;
mod cli;
mod clock;
mod config;
mod daemon;
mod evaluating;
mod exit;
mod files;
mod http;
mod image;
mod log;
mod memory;
mod out;
mod prometheus;
mod runbooks;
mod scraping;
mod sending;
mod silence;
mod state;
mod views;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    memory::set_up();
    // Clients of HTTP want to know it before they speak TLS or not. It fails only
    // where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::main()
}
